"""`netproxy audit verify`: whether every chain of records holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import EXIT_BROKEN, add_json, journal, parser
from netproxy.app.cli.printing import write
from otel import verify, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel import Verdict

_FINDINGS = 20

_DESCRIPTION = """\
Check every chain: any edit, cut, swap, gap or foreign record in it is found.
Records cut off at the end of a chain, or a writer's whole folder, leave no trace in
what remains: compare with the exported records, which carry chain, seq and hash."""


def main(arguments: list[str]) -> int:
    """Print a verdict for each writer."""
    made = parser("verify", _DESCRIPTION)
    add_json(made)
    options = made.parse_args(arguments)
    verdicts = verify(journal(options))
    holds = all(verdict.holds for verdict in verdicts)
    if options.json:
        writers = [{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts]
        write(json.dumps({"holds": holds, "writers": writers}))
        return 0 if holds else EXIT_BROKEN
    for verdict in verdicts:
        for line in verdict_lines(verdict):
            write(line)
    return 0 if holds else EXIT_BROKEN


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """One line for a chain that holds, one more for each thing that is wrong with one."""
    state = "ok    " if verdict.holds else "BROKEN"
    live = ", being written now" if verdict.live else ""
    yield f"{state} {verdict.writer}: {verdict.records} records{live}"
    for finding in verdict.findings[:_FINDINGS]:
        seq = "" if finding.seq is None else f" (seq {finding.seq})"
        where = f"{visible(finding.file)}:{finding.line}"
        yield f"  {where}: {finding.kind}: {visible(finding.message)}{seq}"
    if len(verdict.findings) > _FINDINGS:
        yield f"  and {len(verdict.findings) - _FINDINGS} more"
