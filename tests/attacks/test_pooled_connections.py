"""No answer reaches anybody but who asked: connections to origins that carry many requests.

Response queue poisoning: an answer that waits on a shared connection, because an origin sent more
than it was asked for, or read one request as two, answers whoever comes next.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from netproxy.model import Reason, Verdict
from otel.events import ConnectionOpened
from tests.support.fakes import FakeApprover, FakePolicy, answer
from tests.support.origins import Keeper, Origin, origin, read_all, read_head
from tests.support.proxies import LOOPBACK, Proxy, Setting, eventually, proxy, read_until

if TYPE_CHECKING:
    import socket

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
POISON = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 6\r\n\r\npoison"


def ask(near: Proxy, far: Origin, path: str = "", *, method: str = "GET", rest: str = "") -> bytes:
    """One request by a client of its own, and all that comes back until the proxy ends it."""
    host = f"127.0.0.1:{far.port}"
    with near.http() as client:
        client.sendall(
            f"{method} http://{host}/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            f"{rest}\r\n".encode()
        )
        return read_all(client)


@pytest.mark.parametrize(
    ("method", "response"),
    [
        pytest.param("GET", HI + POISON, id="two-answers-to-one"),
        pytest.param("GET", HI.replace(b"2\r\n", b"1\r\n") + POISON, id="content-length-lies"),
        pytest.param("HEAD", HI + POISON, id="a-body-to-head"),
        pytest.param("GET", b"HTTP/1.1 204 No\r\nDate: then\r\n\r\n" + POISON, id="after-204"),
        pytest.param("GET", b"HTTP/1.1 304 No\r\nDate: then\r\n\r\n" + POISON, id="after-304"),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POISON,
            id="after-the-last-chunk",
        ),
    ],
)
def test_what_came_after_an_answer_answers_nobody(method: str, response: bytes) -> None:
    keeper = Keeper(lambda head: response if b"/first" in head else HI)
    with origin(keeper) as far, proxy() as near:
        assert b"poison" not in ask(near, far, "first", method=method)
        assert ask(near, far, "second").endswith(b"\r\n\r\nhi")
    assert [number for number, _ in keeper.heads] == [1, 2]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"304 Not Modified"), ("GET", b"204 No")]
)
def test_content_that_must_not_come_and_comes_late_answers_nobody(
    method: str, status: bytes
) -> None:
    """Some send to HEAD what they would to GET, and whoever asks meanwhile would get that."""

    def sloppy(connection: socket.socket) -> None:
        if b"/first" not in read_head(connection)[0]:
            connection.sendall(HI)
            return
        connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(POISON)))
        with suppress(OSError):
            connection.recv(1)  # the next request, or the end
            connection.sendall(POISON)

    with origin(sloppy) as far, proxy() as near:
        assert b"poison" not in ask(near, far, "first", method=method)
        assert ask(near, far, "second").endswith(b"\r\n\r\nhi")


def test_what_comes_on_a_resting_connection_ends_it() -> None:
    """The poison comes when nobody is there, and the next request when the proxy is busy."""
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, proxy() as near:
        assert ask(near, far, "first").endswith(b"hi")
        near.settle()
        near.call(lambda: _poisoned(near, keeper))
        assert ask(near, far, "second").endswith(b"\r\n\r\nhi")
        eventually(lambda: keeper.ended == 1)
    assert [number for number, _ in keeper.heads] == [1, 2]


def _poisoned(near: Proxy, keeper: Keeper) -> None:
    """Inside the proxy's loop: it can't have seen it when the next one takes the connection."""
    pool = near.server._services.pool
    (resting,) = pool._resting
    keeper.connections[0].sendall(POISON)
    eventually(lambda: bool(resting.stream.socket.recv(1, 2)))  # it is in the socket: MSG_PEEK
    assert pool.take(resting.lane) is None


def test_an_origin_that_reads_content_as_a_request_poisons_nobody() -> None:
    """CL.0: a server that takes no content for this path answers it as a request."""
    smuggled = "GET /smuggled HTTP/1.1\r\nX: y"
    rest = f"Content-Length: {len(smuggled)}\r\n\r\n{smuggled}"
    keeper = Keeper(lambda head: POISON if b"/smuggled" in head else HI)
    with origin(keeper) as far, proxy() as near:
        host = f"127.0.0.1:{far.port}"
        for method in ("GET", "POST", "PUT", "DELETE"):
            with near.http() as client:
                client.sendall(
                    f"{method} http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{rest}".encode()
                )
                assert b"poison" not in read_head(client)[1]
        for _ in range(4):
            assert ask(near, far).endswith(b"\r\n\r\nhi")


def test_answers_of_many_clients_stay_with_their_requests() -> None:
    def says_what(head: bytes) -> bytes:
        path = head.split(b" ")[1]
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)

    keeper = Keeper(says_what)
    with origin(keeper) as far, proxy() as near:
        host = f"127.0.0.1:{far.port}"
        clients = [near.http() for _ in range(8)]
        for turn in range(5):
            for number, client in enumerate(clients):
                client.sendall(
                    f"GET http://{host}/{number}-{turn} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
                )
            for number, client in enumerate(clients):
                received = b""
                while not received.endswith(f"/{number}-{turn}".encode()):
                    data = client.recv(65536)
                    assert data
                    received += data
                assert received.count(b"HTTP/1.1 ") == 1
        for client in clients:
            client.close()
    assert len(keeper.connections) <= 8


def test_what_a_client_left_unread_is_not_the_next_ones() -> None:
    """A client that leaves in the middle of its answer leaves a connection nobody may use."""
    answers = iter([HI.replace(b"2\r\n", b"2000000\r\n") + bytes(100_000), HI])
    keeper = Keeper(lambda _: next(answers))
    with origin(keeper) as far, proxy() as near:
        host = f"127.0.0.1:{far.port}"
        with near.http() as client:
            client.sendall(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.recv(10) == b"HTTP/1.1 2"
        with suppress(OSError):
            keeper.connections[0].sendall(bytes(1_900_000))
        near.settle()
        assert ask(near, far).endswith(b"\r\n\r\nhi")
    assert [number for number, _ in keeper.heads] == [1, 2]


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_who_logs_in_a_connection_has_it_alone(scheme: str) -> None:
    """An origin takes all that comes on it for the same user's (RFC 4559 section 6)."""
    users: dict[int, bytes] = {}

    def answers(head: bytes) -> bytes:
        number = keeper.heads[-1][0]
        if (shown := head.partition(f"Authorization: {scheme} ".encode())[2]) != b"":
            users[number] = shown[:4]
        return HI[:-2].replace(b"2\r\n", b"5\r\n") + users.get(number, b"who?") + b"!"

    def whose(client: socket.socket, rest: str = "") -> bytes:
        fields = f"Host: {host}\r\n{rest}\r\n"
        client.sendall(f"GET http://{host}/ HTTP/1.1\r\n{fields}".encode())
        return read_until(client, b"!")[-5:-1]

    keeper = Keeper(answers)
    with origin(keeper) as far, proxy() as near, near.http() as one, near.http() as other:
        host = f"127.0.0.1:{far.port}"
        assert whose(one) == b"who?"
        assert whose(one, f"Authorization: {scheme} anna\r\n") == b"anna"
        assert whose(one) == b"anna"
        assert whose(other) == b"who?"
        assert whose(other, f"Authorization: {scheme} bert\r\n") == b"bert"
        assert whose(one) == b"anna"
        assert near.call(lambda: len(near.server._services.pool)) == 3
        one.close()
        eventually(lambda: near.call(lambda: len(near.server._services.pool)) == 2)
        with near.http() as third:
            assert whose(third) == b"who?"
    assert [number for number, _ in keeper.heads] == [1, 2, 2, 1, 3, 2, 1]


def test_runs_do_not_share() -> None:
    """Each server of a process has connections of its own."""
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, proxy() as one, proxy() as other:
        for near in (one, other, one, other):
            assert ask(near, far).endswith(b"hi")
    assert [number for number, _ in keeper.heads] == [1, 2, 1, 2]


def test_an_approval_for_once_is_not_stretched_by_a_connection_that_stays() -> None:
    approver = FakeApprover(answer(Reason.APPROVED))
    policy = FakePolicy(Verdict.ASK, dialable=LOOPBACK)
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, proxy(Setting(policy=policy, approver=approver)) as near:
        ask(near, far, "once")
        near.settle()
        assert not near.server._services.pool
        approver.reply = answer(Reason.DENIED_BY_REVIEWER, cancel=False)
        assert ask(near, far, "twice").startswith(b"HTTP/1.1 403 ")
    assert len(keeper.heads) == len(near.audit.of(ConnectionOpened)) == 1
