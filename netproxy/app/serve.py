"""`netproxy serve`, from settings to exit status: what is needed before the event loop, and after.

Whatever can't be had is said before anybody is served. What happens in the loop is
`netproxy.app.serving`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import TYPE_CHECKING

from approvals import StoreUnavailable
from netproxy.app.admission import Tokens
from netproxy.app.advice import advice
from netproxy.app.called_off import CalledOff, held_back, unwinding
from netproxy.app.control_socket import control_of
from netproxy.app.descriptors import take_descriptors
from netproxy.app.garbage import collect_seldom
from netproxy.app.home import home_of
from netproxy.app.inbox import open_inbox
from netproxy.app.listening import ListenRefused, listen
from netproxy.app.serving import Listening, Service
from netproxy.app.sessions import session_of, session_of_holder
from netproxy.app.telemetry import Measures, Watched, measured, traced
from netproxy.app.token_file import read_token_file
from netproxy.app.trail import exporting, open_journal, record_start
from netproxy.app.user import reviewer_name
from netproxy.errors import InvalidSettings
from netproxy.transport.server import ListenerKind
from otel import AuditError, AuditTrail, Journal, OtlpSettings
from otel.events import GatewayStopped
from otel.log_settings import LogSettings
from otel.oplog import OperationalLog
from sandbox.streams import is_terminal

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

    from netproxy.app.cli.serve_options import ServeOptions
    from netproxy.app.listening import ListenAddress
    from netproxy.app.sessions import Session
    from netproxy.app.settings import Settings
    from netproxy.app.token_file import Holder
    from otel.telemetry_config import TelemetrySettings

EXIT_OURS = 125
_OPEN_TO_ALL = (
    "warning: without --token-file every user and program of this host can use it, "
    "and the record can't say who did"
)


def serve(options: ServeOptions, environ: Mapping[str, str]) -> int:
    """Serve until told to stop; return what to exit with. Raises `InvalidSettings`."""
    tokens = None if options.token_file is None else _tokens(options.token_file, options, environ)
    sessions = _sessions(options, environ, tokens)
    settings = [each.settings for each in sessions.values()]
    log = OperationalLog.open(_log_settings(options, settings[0]), "netproxy serve")
    warnings = [line for each in settings for line in advice(each, now=time.time())]
    for line in dict.fromkeys(warnings):
        log(f"warning: {line}")
    if tokens is None:
        log(_OPEN_TO_ALL)
    take_descriptors()
    try:
        with ExitStack() as stack:
            listening = _listen(options, stack)
            _refuse_own_listeners(listening, sessions)
            service = Service(
                sessions=sessions,
                listening=listening,
                tokens=tokens,
                drain_seconds=options.drain_seconds,
                environ=environ,
                log=log,
            )
            service.inbox = stack.enter_context(
                open_inbox(settings[0], reviewer_name(), log, on_terminal=is_terminal(2))
            )
            service.control = stack.enter_context(
                control_of(settings[0].ask, environ, home_of(environ), log)
            )
            with unwinding():
                return _on_record(service, settings[0])
    except (ListenRefused, AuditError, StoreUnavailable, OSError) as failed:
        log.failed(str(failed))
        return EXIT_OURS


def _log_settings(options: ServeOptions, settings: Settings) -> LogSettings:
    """The command line's, else the file's."""
    usual = settings.telemetry.log if settings.telemetry else LogSettings()
    return LogSettings(
        format=options.log_format or usual.format, level=options.log_level or usual.level
    )


def _tokens(file: Path, options: ServeOptions, environ: Mapping[str, str]) -> Tokens:
    read = partial(read_token_file, file, environ)
    session = partial(session_of_holder, options.gateway, environ)
    return Tokens(holders=read(), read=read, session_of=session)


def _sessions(
    options: ServeOptions, environ: Mapping[str, str], tokens: Tokens | None
) -> dict[Holder | str | None, Session]:
    """By who has a token, or without tokens by the profile that a listener names."""
    if tokens is not None:
        return {holder: tokens.session_of(holder) for holder in tokens.holders}
    profiles = dict.fromkeys(each.profile for each in (*options.listen, *options.socks))
    return {
        profile: session_of(options.gateway, environ, profile=profile, name=None)
        for profile in profiles
    }


def _listen(options: ServeOptions, stack: ExitStack) -> Listening:
    """Open every listener, or none. Raises `ListenRefused`."""

    def opened(address: ListenAddress) -> socket.socket:
        return stack.enter_context(closing(listen(address)))

    kind = ListenerKind.HTTP if options.socks else ListenerKind.MIXED
    return Listening(
        proxies=(
            *((opened(each), kind, each.profile) for each in options.listen),
            *((opened(each), ListenerKind.SOCKS5, each.profile) for each in options.socks),
        ),
        health=None if options.health is None else opened(options.health),
        metrics=None if options.metrics is None else opened(options.metrics),
    )


def _refuse_own_listeners(
    listening: Listening, sessions: Mapping[Holder | str | None, Session]
) -> None:
    """No collector and no parent can be where we listen: each record or request would be the next.

    Raises `InvalidSettings` that names the place.
    """
    settings = [each.settings for each in sessions.values()]
    endpoints = [
        (sink.place or "--otlp", sink.endpoint)
        for each in settings
        for sink in each.sinks
        if isinstance(sink, OtlpSettings)
    ]
    endpoints += [
        (collector.place, collector.endpoint)
        for each in settings
        if each.telemetry is not None
        for collector in each.telemetry.collectors()
    ]
    endpoints += [
        (f"parents.{parent.name}", parent.url)
        for each in settings
        if each.routes is not None
        for parent in each.routes.parents
    ]
    if not endpoints:
        return
    from netproxy.app.sinks import listening_there

    taken = [listener.getsockname()[:2] for listener, _, _ in listening.proxies]
    problems = dict.fromkeys(
        f"{place}: {endpoint} is where this gateway listens itself"
        for place, endpoint in endpoints
        if listening_there(endpoint, taken)
    )
    if problems:
        raise InvalidSettings(tuple(problems))


def _on_record(service: Service, settings: Settings) -> int:
    """Serve, between the first record and the last. Raises `AuditError`."""
    import uvloop

    telemetry = settings.telemetry
    measures = _measures(service, telemetry)
    kind = Journal if measures is None else measures.journal
    with ExitStack() as stack:
        journal, evidence = open_journal(
            settings, warn=lambda text: service.log(f"warning: {text}"), kind=kind
        )
        stack.callback(journal.close)
        trail = AuditTrail(journal, {"sandbox.enforced": False}, settings.audit_mode)
        service.log = log = service.log.bound({"service.instance.id": journal.writer})
        watched = Watched(
            trail=trail,
            journal=journal,
            folder=settings.audit_directory / journal.writer,
            connections=lambda: service.connected,
            say=log,
        )
        service.page = stack.enter_context(measured(measures, watched))
        service.tracing = stack.enter_context(traced(telemetry, journal.writer, log))
        is_open = False
        try:
            with held_back():
                record_start(trail, journal, evidence)
                is_open = True
                trail.start_syncing()
            collect_seldom()
            aborted = uvloop.run(exporting(service.run(trail), settings, trail, journal))
            with held_back():
                trail.record(GatewayStopped(reason="signal", aborted=aborted))
                is_open = False
        except BaseException as error:
            if is_open:
                is_told = isinstance(error, (CalledOff, KeyboardInterrupt))
                with suppress(AuditError), held_back():
                    trail.record(GatewayStopped(reason="signal" if is_told else "failed"))
            raise
    return 0


def _measures(service: Service, settings: TelemetrySettings | None) -> Measures | None:
    """None where nobody asks for numbers: then none are kept, and nothing of the SDK is loaded."""
    is_sent = settings is not None and settings.metrics is not None
    return Measures(settings) if is_sent or service.listening.metrics else None
