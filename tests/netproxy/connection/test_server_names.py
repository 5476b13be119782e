"""Which name in a ClientHello is the tunnel's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netproxy.connection.server_names import host_problem, name_problem, shown_name
from netproxy.protocol.host_field import Asked
from netproxy.protocol.tls_hello import Hello


def asking(*names: bytes) -> Hello:
    return Hello(server_names=names, alpn=(), has_ech=False, is_whole=True)


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("a.test", (b"a.test",)),
        ("a.test", (b"A.Test",)),
        ("a.test", (b"a.test.",)),
        ("a.test", (b"a.test", b"A.test.")),
        ("xn--bcher-kva.test", (b"XN--BCHER-KVA.test",)),
        ("a.test", ()),
        ("192.0.2.1", (b"anything.test",)),
        ("2001:db8::1", (b"anything.test",)),
    ],
)
def test_the_same_name_however_it_is_spelled(host: str, names: tuple[bytes, ...]) -> None:
    assert name_problem(host, asking(*names)) is None


@pytest.mark.parametrize(
    "names",
    [
        (b"b.test",),
        (b"a.test", b"b.test"),
        (b"b.test", b"a.test"),
        (b"",),
        (b"a.test..",),
        (b"sub.a.test",),
        (b"a.test\0.b.test",),
        (b"192.0.2.1",),
        ("bücher.test".encode(),),
        (b"\xff\xfe",),
        (b"x" * 70_000,),
    ],
)
def test_any_other_one_is_said(names: tuple[bytes, ...]) -> None:
    problem = name_problem("a.test", asking(*names))
    assert problem is not None
    assert problem.isascii()
    assert problem.isprintable()
    assert len(problem) < 400


def test_a_name_that_may_still_come_is_not_known() -> None:
    part = replace(asking(), is_whole=False)
    assert name_problem("a.test", part) is not None
    assert name_problem("a.test", replace(part, is_ended=True)) is None
    assert name_problem("a.test", replace(asking(b"a.test"), is_whole=False)) is not None
    assert name_problem("192.0.2.1", part) is None


def test_how_it_is_shown() -> None:
    assert shown_name(asking()) is None
    assert shown_name(asking(b"A.test.")) == "a.test"
    assert shown_name(asking(b"a.test", b"\n", b"\xff")) == "a.test,'\\n','\\xff'"


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("a.test", (b"a.test",)),
        ("a.test", (b"A.TEST.:8080", b"a.test")),
        ("a.test", (b"198.18.0.1:8080",)),  # what it looked up in this run
        ("a.test", ()),
        ("192.0.2.1", (b"anything.test",)),
    ],
)
def test_a_request_for_the_same_host(host: str, asked: tuple[bytes, ...]) -> None:
    assert host_problem(host, Asked(asked, is_whole=True)) is None


@pytest.mark.parametrize(
    "asked",
    [
        (b"b.test",),
        (b"a.test", b"b.test"),
        (b"",),
        (b"a.test:x",),
        (b"a.test@b.test",),
        (b"192.0.2.1",),
        (b"198.18.example",),
        ("b\u00fccher.test".encode(),),
    ],
)
def test_a_request_for_another_host_is_said(asked: tuple[bytes, ...]) -> None:
    problem = host_problem("a.test", Asked(asked, is_whole=True))
    assert problem is not None
    assert problem.isascii()
    assert problem.isprintable()


def test_a_host_that_may_still_come_is_not_known() -> None:
    assert host_problem("a.test", Asked((), is_whole=False)) is not None
    assert host_problem("a.test", Asked((), is_whole=False, is_ended=True)) is None
    assert host_problem("a.test", Asked((b"a.test",), is_whole=False)) is None
