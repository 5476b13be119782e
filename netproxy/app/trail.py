"""Opens the journal of a gateway, and writes what has to stand first in it.

`run` and `serve` do the same here: sign with the key that settings name, go on with a chain that
holds, and say so where one does not.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from otel import AuditError, Evidence, Journal, exported, required_keys
from otel.events import GatewayStarted
from otel.modes import AuditMode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from netproxy.app.settings import Settings
    from otel import AuditTrail
    from otel.retention import Rules


def open_journal(
    settings: Settings, *, warn: Callable[[str], None], kind: type[Journal] = Journal
) -> tuple[Journal, Evidence]:
    """Take a writer. Raises `AuditError`, in one line; `warn` is told what falls short of that."""
    evidence = _evidence(settings, warn)
    journal = kind.open(settings.audit_directory, keeper=evidence)
    for writer, changed in evidence.alarms:
        warn(
            f"audit journal {writer} was changed since it was written ({changed.kind}: {changed}); "
            f"it is left as it is, and {journal.writer} goes on: see netproxy audit verify"
        )
    kept = settings.evidence
    if kept.retain_days is not None or kept.max_bytes is not None:
        rules = retention_rules(settings)
        evidence.after_sealing = partial(_prune, evidence, rules, warn)
    return journal, evidence


def try_journal(settings: Settings, *, warn: Callable[[str], None]) -> None:
    """Take a writer and the key as `open_journal` does, and leave no record. Raises the same."""
    _evidence(settings, warn)
    Journal.open(settings.audit_directory).close()


def retention_rules(settings: Settings) -> Rules:
    """What may be removed, and who has to have it before."""
    from otel.retention import Bounds, Rules

    kept = settings.evidence
    return Rules(
        bounds=Bounds(retain_days=kept.retain_days, max_bytes=kept.max_bytes),
        sinks=required_keys(settings.sinks) if settings.sinks else (),
    )


def _evidence(settings: Settings, warn: Callable[[str], None]) -> Evidence:
    strict = settings.audit_mode is AuditMode.STRICT
    return Evidence.of(settings.audit_directory, settings.evidence, strict=strict, warn=warn)


def _prune(evidence: Evidence, rules: Rules, warn: Callable[[str], None]) -> None:
    from otel.pruning import prune

    try:
        prune(evidence, rules)
    except (AuditError, OSError) as error:
        warn(f"old audit records can't be removed: {error}")


def record_start(trail: AuditTrail, journal: Journal, evidence: Evidence) -> None:
    """Write the first records, on the disk when there is an alarm. Raises `AuditUnavailable`."""
    from netproxy import VERSION

    trail.record(
        GatewayStarted(
            service_version=VERSION,
            pid=os.getpid(),
            torn_bytes=journal.torn_bytes,
            previous_shutdown=journal.previous_shutdown,
            audit_mode=trail.mode,
            key_id=evidence.key_id,
        )
    )
    for alarm in evidence.events():
        trail.record_synced(alarm)


def waiting_for_sinks(settings: Settings, journal: Journal, first_seq: int) -> Iterator[str]:
    """A line for each sink that took nothing of what was written from `first_seq` on."""
    for sink in settings.sinks:
        if exported(settings.audit_directory, journal.writer, sink.key) < first_seq:
            yield (
                f"warning: {sink.label} has not taken any audit record of this run yet; "
                "they stay in the journal and go out with a later run"
            )


async def exporting[Result](
    work: Coroutine[None, None, Result], settings: Settings, trail: AuditTrail, journal: Journal
) -> Result:
    """Do the work, and meanwhile look after the exporter, which is a process of its own.

    A collector can't slow or stop a decision.
    """
    if not settings.sinks:
        return await work
    from netproxy.app.export_watch import watch_over

    with watch_over(settings, trail, journal).running():
        return await work
