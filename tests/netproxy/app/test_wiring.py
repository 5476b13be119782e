"""Who is served meets the rules that the files hold then, however late the gateway opens."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, cast

import uvloop

from approvals import SystemClock
from netproxy.app.cli.run_options import parse_run
from netproxy.app.open_runs import OpenRuns
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.reception import Run
from netproxy.app.rule_writer import RuleWriter
from netproxy.app.sessions import NobodyToStop
from netproxy.app.settings import load_settings
from netproxy.app.wiring import Shared, data_plane, gateway, limits_of
from netproxy.transport.capacity import Crowd
from netproxy.transport.readiness import Readiness
from netproxy.transport.udp_ports import OwnPorts
from otel.events import PolicyDecision, PolicyLoaded
from sandbox.launch import listen_on_host
from sandbox.loopback import is_same_user
from sandbox.token import CancellationToken
from tests.support.approvals import ListSink
from tests.support.terminals import NotedScreen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from approvals import ApprovalService
    from netproxy.app.rule_file import Load
    from netproxy.app.settings import Settings
    from otel import AuditTrail

OLD = '[profiles.dev.network]\ndefault = "allow"\non_denial = "block"\n'
NEW = OLD + 'deny = ["a.test"]\n'


def ask(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, 5) as client:
        client.sendall(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
        return client.recv(4096)


def run_of(settings: Settings, load: Load, sink: ListSink, number: int = 1) -> Run:
    policy = settings.policy(now=0)
    return Run(
        settings=settings,
        load=load,
        pinned={},
        policy=PolicyInForce(policy),
        digest=policy.digest,
        reload_wanted=asyncio.Event(),
        trail=cast("AuditTrail", sink),
        token=CancellationToken(),
        session_id="s-1",
        execution_id=f"r-{number}",
        user="anna",
        command="true",
        directory="/",
    )


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

    async def story() -> bytes:
        listeners = listen_on_host()
        run = run_of(settings, load, sink)
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


class _Service:
    """Whom it calls when a yes ends."""

    denies = False

    def __init__(self) -> None:
        self.called: list[object] = []

    def on_ended(self, _: str, ended: object) -> Callable[[], None]:
        self.called.append(ended)
        return lambda: self.called.remove(ended)

    def grants(self) -> tuple[()]:
        return ()

    def end_run(self, run: str) -> None:
        """It has nothing of it."""

    end_session = end_run


def test_a_run_that_is_over_is_kept_by_nobody_where_others_share_its_session(
    tmp_path: Path,
) -> None:
    options = parse_run(["--no-sandbox", "--ask", "never", "--", "true"])
    environ = {"HOME": str(tmp_path)}
    load = partial(
        load_settings, options, environ, managed_file=tmp_path / "absent", directory=tmp_path
    )
    service = _Service()

    async def story() -> None:
        shared = Shared(
            service=cast("ApprovalService", service),
            rules=RuleWriter(SystemClock()),
            open_runs=OpenRuns({}),
            readiness=(readiness := Readiness(asyncio.get_running_loop(), report=print)),
            crowd=Crowd(),
            own_listeners=frozenset(),
            environ=environ,
            report=print,
        )
        settings = load()
        plane = partial(
            data_plane,
            shared=shared,
            token=NobodyToStop(),
            limits=limits_of(settings),
            ports=OwnPorts(readiness, is_same_user),
        )
        async with plane(run_of(settings, load, ListSink(), 1)):
            for number in range(2, 5):
                async with plane(run_of(settings, load, ListSink(), number)):
                    assert len(service.called) == 2
            assert len(service.called) == 1
        assert service.called == []

    uvloop.run(story())
