"""What reviewers are shown beside the questions: the policy in force, the gateway's health, runs.

Fills `approvals.ports.Surroundings` from what decides and records now, not from what was read once.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from netproxy import VERSION
from otel import visible
from otel.heads import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netproxy.app.reception import Run
    from netproxy.app.settings import Settings
    from netproxy.policy.spec import PolicySpec
    from otel import AuditTrail


class GatewaySurroundings:
    """Of one gateway. `runs`: those that it serves now."""

    def __init__(
        self, settings: Settings, trail: AuditTrail, runs: Callable[[], Iterable[Run]]
    ) -> None:
        self._settings = settings
        self._trail = trail
        self._runs = runs

    def policy(self) -> tuple[str, ...]:
        """Per run: what decides before anybody is asked, as it is spelled in a policy file."""
        runs = tuple(self._runs())
        lines: list[str] = []
        for run in runs:
            if len(runs) > 1:
                lines.append(f"session {_title(run)}:")
            lines += _policy_lines(run.policy.current.spec)
        return tuple(visible(line, limit=500) for line in lines)

    def health(self) -> Mapping[str, object]:
        """How audit trail, exporters and store are, as JSON's types."""
        approvals = self._settings.approvals
        return {
            "version": VERSION,
            "process": os.getpid(),
            "journal": self._journal(),
            "audit_mode": self._settings.audit_mode.value,
            "audit_directory": visible(str(self._settings.audit_directory)),
            **self._chain(),
            "sinks": self._sinks(),
            "store": "memory" if approvals.store is None else visible(str(approvals.store)),
        }

    def sessions(self) -> tuple[Mapping[str, object], ...]:
        """Every run with its session, as JSON's types."""
        return tuple(
            {
                "session": run.session_id,
                "name": run.settings.session_name,
                "run": run.execution_id,
                "profile": run.settings.profile,
                "command": visible(run.command, limit=4096),
                "directory": visible(run.directory, limit=4096),
                "rules": run.policy.current.rule_count,
            }
            for run in self._runs()
        )

    def _journal(self) -> str:
        if (why := self._trail.impairment) is not None:
            return visible(f"takes no records: {why}")
        return "ok, but its disk is almost full" if self._trail.is_almost_full else "ok"

    def _chain(self) -> dict[str, object]:
        """How far the record has come, and how far it is signed."""
        writer, last = self._trail.chain
        head = load(self._settings.audit_directory, writer)
        return {
            "audit_writer": writer,
            "audit_records": last,
            "audit_signed_up_to": None if head is None else head.left.seq,
            "audit_lost": self._trail.lost,
        }

    def _sinks(self) -> list[dict[str, object]]:
        if not self._settings.sinks:
            return []
        from netproxy.app.audit_export_state import sink_states

        found = sink_states(self._settings.audit_directory, now_ns=time.time_ns())
        return [{**each.as_json(), "sink": visible(each.label)} for each in found]


def _title(run: Run) -> str:
    name = run.settings.session_name
    return run.session_id if name is None else f"{run.session_id} ({name})"


def _policy_lines(spec: PolicySpec) -> list[str]:
    bounds = () if spec.ceiling is None else spec.ceiling
    return [
        f"mode {spec.mode}",
        f"default {spec.default.value}",
        f"on_denial {spec.on_denial}",
        f"sni {spec.sni}",
        *(f"allow_private {block}" for block in spec.allow_private.blocks),
        *(f"only within {rule.canonical}" for rule in bounds),
        *(f"{rule.effect.value} {rule.canonical}" for rule in spec.rules),
    ]
