"""The HTTP API on loopback TCP: every program of this host can reach it, so only a token counts."""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.people import Person


class Api:
    """A gateway, and whoever knocks at its port."""

    def __init__(self, netproxy: Netproxy, service: Service) -> None:
        self.netproxy = netproxy
        self.service = service
        service.says("inbox on ")
        found = re.search(r"inbox on http://127\.0\.0\.1:(\d+)", service.err)
        assert found is not None, service.err
        self.port = int(found[1])

    def token(self, name: str, may: str, lasting: str = "1h") -> str:
        words = ("token", "add", name, "--may", may, "--for", lasting)
        done = self.netproxy("approvals", *words)
        assert done.status == 0, done.err
        return done.out.strip()

    def ask(
        self,
        method: str,
        path: str,
        secret: str | None = None,
        *,
        body: bytes | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Content-Type": "application/json"} if body is not None else {}
        given |= {} if secret is None else {"Authorization": f"Bearer {secret}"}
        try:
            connection.request(method, path, body, {**given, **(fields or {})})
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        is_json = "json" in (reply.headers["Content-Type"] or "")
        return reply.status, json.loads(text) if is_json else text


@pytest.fixture
def api(me: Person, base: Path) -> Iterator[Api]:
    netproxy = Netproxy(me, base)
    with Service(netproxy, "--inbox", "127.0.0.1:0") as service:
        yield Api(netproxy, service)


def test_only_a_good_token_speaks_and_only_as_far_as_it_may(api: Api) -> None:
    reader = api.token("reader", "read")
    brief = api.token("brief", "read", "1s")
    made = time.monotonic()
    answer = b'{"verdict":"allow","scope":"always","seen":{"version":1,"digest":"%b","join_no":1}}'
    answer %= b"0" * 64
    assert api.ask("GET", "/v1/approvals", reader)[0] == 200
    refused: list[tuple[int, Any]] = [
        api.ask("GET", "/v1/approvals"),
        api.ask("GET", f"/v1/approvals?access_token={reader}"),
        api.ask("GET", "/v1/approvals", reader[:-1] + ("B" if reader[-1] == "A" else "A")),
        api.ask("GET", "/v1/approvals", fields={"Cookie": f"token={reader}"}),
        api.ask("GET", "/v1/changes"),
    ]
    assert {status for status, _ in refused} == {401}
    for method, path, body in (
        ("POST", "/v1/approvals/a-1/answers", answer),
        ("POST", "/v1/answers", b'{"answers":[]}'),
        ("DELETE", "/v1/grants/g-1", None),
    ):
        assert api.ask(method, path, reader, body=body)[0] == 403
    # Names that were made to lead here, other sites, and what a form can send.
    assert api.ask("GET", "/v1/approvals", reader, fields={"Host": "evil.test"})[0] == 421
    assert api.ask("GET", "/v1/grants", reader, fields={"Origin": "http://evil.test"})[0] == 403
    decider = api.token("decider", "read,decide")
    form = {"Content-Type": "text/plain"}
    path = "/v1/approvals/a-1/answers"
    assert api.ask("POST", path, decider, body=answer, fields=form)[0] == 415
    assert api.ask("POST", path, decider, body=answer)[1]["permission"] == "rules"
    assert api.ask("POST", path, decider, body=b"{" * 70_000)[0] == 413
    # Tokens are made on the control socket, whatever the path is spelled like.
    for spelled in ("/v1/tokens", "//v1/tokens", "/v1/./tokens", "/v1/%74okens", "/V1/tokens"):
        status, _ = api.ask("POST", spelled, decider, body=b"{}")
        assert status in {401, 403, 404, 405}, spelled
    # What was good is good no longer.
    told = api.netproxy("approvals", "token", "list", "--json").out.splitlines()
    token_id = next(json.loads(each)["token_id"] for each in told if '"reader"' in each)
    assert api.netproxy("approvals", "token", "revoke", token_id).status == 0
    assert api.ask("GET", "/v1/approvals", reader)[0] == 401
    time.sleep(max(0.0, made + 1.1 - time.monotonic()))
    assert api.ask("GET", "/v1/approvals", brief)[0] == 401
    assert api.service.stop() == 0
    rejected = api.netproxy.events("netproxy.approval.review_rejected")
    reasons = {each["netproxy.review.rejected_reason"] for each in rejected}
    assert reasons == {"unauthenticated", "forbidden"}
    everything = json.dumps(api.netproxy.events()) + api.service.err
    for secret in (reader, brief, decider):
        assert secret not in everything
