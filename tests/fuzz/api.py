"""Calls every operation of the HTTP API with what its OpenAPI document allows, and with what not.

Whatever comes back must be what the document says: never a 500, never a status or a body that is
not in it. `make fuzz` does so for longer: python -m tests.fuzz.api --examples 500
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import positive_data_acceptance

from approvals.http.api import OPERATIONS, add_api
from approvals.http.application import make_application
from approvals.http.bearer import BearerTokens
from approvals.http.identity import EVERY_PERMISSION
from approvals.http.openapi import document_of
from approvals.store.database import Database
from approvals.store.tokens import Tokens
from approvals.web.visitors import LoginCodes, LoginLinks
from tests.support.approvals import ListSink, grant
from tests.support.http_site import RunningClock, served, site
from tests.support.inbox import FakeInbox, question

if TYPE_CHECKING:
    from collections.abc import Iterator

# It does not end by itself; what it answers to nonsense is in test_changes.
_ENDLESS = "/v1/changes"


# What fields must go together is said in words, not in the schema.
_EXCLUDED = [positive_data_acceptance]


class Gateway:
    """The API of an inbox of fakes on a port, in a thread of its own, and a token that may all."""

    def __init__(self) -> None:
        self.port = 0
        self.secret = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    @contextmanager
    def running(self) -> Iterator[Gateway]:
        self._thread.start()
        assert self._ready.wait(20)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        inbox = FakeInbox(question("a-1"), question("a-2"))
        inbox.hold(grant())
        clock, sink = RunningClock(), ListSink()
        with tempfile.TemporaryDirectory() as folder:
            database = Database(Path(folder) / "approvals.db")
            tokens = Tokens(database, clock)
            permissions = frozenset(each.value for each in EVERY_PERMISSION)
            _, self.secret = await tokens.add("fuzz", permissions, seconds=3600, by="anna")
            # Guesses are slowed down elsewhere: here each is to be refused.
            bearer = BearerTokens(tokens, sink=sink, clock=clock, most_failures=10**9)
            app = make_application(
                replace(
                    site(inbox=inbox)[0],
                    authenticate=bearer,
                    tokens=tokens,
                    sink=sink,
                    logins=LoginLinks(LoginCodes(clock), "http://127.0.0.1:8377"),
                )
            )
            add_api(app, local=True)
            async with served(app) as client:
                self.port = client.port
                self._ready.set()
                await self._stop.wait()
            await database.close()


def check_api(examples: int) -> int:
    """Call each operation that often; how many calls there were. Raises what is wrong."""
    called = 0
    with Gateway().running() as gateway:
        schema = from_dict(json.loads(json.dumps(document_of(OPERATIONS))))
        schema.config.update(base_url=f"http://127.0.0.1:{gateway.port}")
        headers = {"Authorization": f"Bearer {gateway.secret}"}
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if operation.path == _ENDLESS:
                continue

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def check(case: Any) -> None:
                nonlocal called
                called += 1
                response = case.call(headers=headers, timeout=5)
                case.validate_response(response, excluded_checks=_EXCLUDED)

            check()
    return called


def main() -> int:
    """Search for longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    called = check_api(parser.parse_args().examples)
    sys.stdout.write(f"api: {called} calls, all answered as the document says\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
