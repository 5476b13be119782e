"""Who is served meets the rules that the files hold then, however late the gateway opens."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, cast

import uvloop

from netproxy.app.cli.run_options import parse_run
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.reception import Run
from netproxy.app.settings import load_settings
from netproxy.app.wiring import gateway
from netproxy.transport.capacity import Crowd
from otel.events import PolicyDecision, PolicyLoaded
from sandbox.launch import listen_on_host
from sandbox.token import CancellationToken
from tests.support.approvals import ListSink
from tests.support.terminals import NotedScreen

if TYPE_CHECKING:
    from pathlib import Path

    from otel import AuditTrail

OLD = '[profiles.dev.network]\ndefault = "allow"\non_denial = "block"\n'
NEW = OLD + 'deny = ["a.test"]\n'


def ask(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, 5) as client:
        client.sendall(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
        return client.recv(4096)


def test_rules_that_were_tightened_before_the_first_client_came_hold_for_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(OLD)
    options = parse_run(["--config", str(file), "--no-sandbox", "--ask", "never", "--", "true"])
    load = partial(
        load_settings,
        options,
        {"HOME": str(tmp_path)},
        managed_file=tmp_path / "absent",
        directory=tmp_path,
    )
    settings, sink = load(), ListSink()
    policy = settings.policy(now=0)

    async def story() -> bytes:
        listeners = listen_on_host()
        run = Run(
            settings=settings,
            load=load,
            pinned={},
            policy=PolicyInForce(policy),
            digest=policy.digest,
            reload_wanted=asyncio.Event(),
            trail=cast("AuditTrail", sink),
            token=CancellationToken(),
            session_id="s-1",
            execution_id="r-1",
            user="anna",
            command="true",
            directory=str(tmp_path),
        )
        file.write_text(NEW)
        environ = {"HOME": str(tmp_path)}
        async with gateway(
            run,
            listeners,
            screen=NotedScreen(),
            environ=environ,
            report=lambda _: None,
            crowd=Crowd(),
        ):
            return await asyncio.to_thread(ask, listeners.http.getsockname())

    assert uvloop.run(story()).startswith(b"HTTP/1.1 403 ")
    loaded, decided = sink.events
    assert isinstance(loaded, PolicyLoaded)
    assert loaded in sink.synced
    assert isinstance(decided, PolicyDecision)
    assert decided.reason == "denied_by_rule"
