"""sandbox-runtime's lists come over with every difference said, and never allow more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from netproxy.errors import InvalidSettings
from netproxy.policy.imports.srt import read
from netproxy.policy.rules import Effect
from tests.support.other_lists import DESTINATIONS, lists
from tests.support.other_tools import allowed, policies, srt_allows
from tests.support.policies import to

if TYPE_CHECKING:
    from netproxy.policy.imports.common import Entry, Imported

SAMPLE = Path(__file__).with_name("files") / "srt.json"


def imported(**network: Any) -> Imported:
    return read(json.dumps({"network": network}), "srt.json")


def entry(theirs: str, *, denied: bool = False) -> Entry:
    key = "deniedDomains" if denied else "allowedDomains"
    (found,) = imported(**{key: [theirs]}).entries
    return found


def test_the_sample_file() -> None:
    found = read(SAMPLE.read_text(), "srt.json")
    assert (found.kept, found.failed) == (7, 2)
    policy = policies(found)["srt"]
    for host in ("github.com:443", "github.com:80", "api.npmjs.org:443", "[::1]:5432"):
        assert allowed(policy, to(host)), host
    for host in ("github.com:22", "gist.github.com:443", "npmjs.org:443", "api.example.com:443"):
        assert not allowed(policy, to(host)), host
    assert policy.deny_rule(to("gist.github.com:443")).reason == "no pastes"  # type: ignore[union-attr]  # it is there


@given(allow=lists, deny=lists)
def test_it_never_allows_more_than_theirs(allow: list[str], deny: list[str]) -> None:
    network = {"allowedDomains": allow, "deniedDomains": deny}
    policy = policies(imported(**network))["srt"]
    more = [asked for asked in DESTINATIONS if allowed(policy, asked)]
    assert [asked for asked in more if not srt_allows(network, asked)] == []


@pytest.mark.parametrize(
    ("theirs", "host", "port"),
    [
        ("github.com", "github.com", None),
        ("GitHub.com", "github.com", None),
        ("*.npmjs.org", "*.npmjs.org", None),
        ("api.example.com:8443", "api.example.com", 8443),
        ("[::1]:5432", "[::1]", 5432),
        ("[2606:4700::1]", "[2606:4700::1]", None),
        ("localhost", "localhost", None),
    ],
)
def test_what_an_allow_becomes(theirs: str, host: str, port: int | None) -> None:
    found = entry(theirs)
    assert (found.host, found.port) == (host, port)
    assert ("theirs: every port" in found.notes) is (port is None)


@pytest.mark.parametrize(
    "theirs",
    ["*", "*.com", "**.example.org", "a*.example.org", "example", "a..b.org", "10.0.0.0/8", "a b"],
)
def test_an_entry_that_theirs_refuses_is_left_out_and_counted(theirs: str) -> None:
    found = entry(theirs)
    assert found.host is None
    assert found.is_failed
    assert found.notes


@pytest.mark.parametrize(
    ("theirs", "host", "port"),
    [
        ("*", "*", None),
        ("*:22", "*", 22),
        ("evil.example", "evil.example", None),
        ("*.evil.example", "*.evil.example", None),
    ],
)
def test_what_a_deny_becomes(theirs: str, host: str, port: int | None) -> None:
    found = entry(theirs, denied=True)
    assert (found.effect, found.host, found.port) == (Effect.DENY, host, port)


def test_a_deny_without_a_rule_takes_the_allows_that_it_touches() -> None:
    found = imported(
        allowedDomains=["a.b.co.uk", "x.example.org"], deniedDomains=["*.co.uk"]
    ).entries
    assert [(each.host, each.is_failed) for each in found] == [
        (None, True),
        ("x.example.org", False),
        (None, True),
    ]
    assert "denies '*.co.uk' (line 1)" in found[0].notes[0]


def test_keys_that_mean_something_else_are_said() -> None:
    found = imported(
        allowedDomains=[], allowAllUnixSockets=True, strictAllowlist=True, allowedDomians=[]
    )
    notes = " | ".join(found.profiles[0].notes)
    assert "unix sockets are no destinations" in notes
    assert "'allowedDomians': not known here" in notes
    assert "theirs may ask" not in notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "srt.json:1 has no table network with allowedDomains"),
        ("[]", "srt.json:1 must be a table of keys and values"),
        ('{"network": []}', "srt.json:1 network: must be a table of keys and values"),
        (
            '{"network": {\n"allowedDomains": "x"}}',
            "srt.json:2 network.allowedDomains: must be a list",
        ),
        (
            '{"network": {\n"deniedDomains": ["a.b",\n 7]}}',
            "srt.json:3 network.deniedDomains[1]: must be text",
        ),
        (
            '{"network": {"deniedDomains": ["a.b"], "deniedDomainReasons": {"a.b": 7}}}',
            "srt.json:1 network.deniedDomainReasons.'a.b': must be text",
        ),
        (
            '{"network": {"strictAllowlist": "yes"}}',
            "srt.json:1 network.strictAllowlist: must be true or false",
        ),
    ],
)
def test_a_wrong_type_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(text, "srt.json")
    assert caught.value.problems == (said,)
