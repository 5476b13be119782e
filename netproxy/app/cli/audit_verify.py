"""`netproxy audit verify`: whether every chain of records holds, and whether all of it is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import EXIT_BROKEN, add_json, journal, parser
from netproxy.app.cli.printing import write
from netproxy.app.cli.usage import EXIT_USAGE
from otel import AnchorRefused, KeyUnusable, State, load_public, read_anchors, verify, visible
from otel.values import asdict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from otel import Anchors, Verdict

_FINDINGS = 20
# From the best to the worst: the sum of several chains is the worst of them.
_STATES = (State.COMPLETE, State.UNKNOWN, State.GAPS, State.TRUNCATED, State.MISSING)

_DESCRIPTION = """\
Two verdicts on every chain of records. Integrity: any edit, cut, swap or foreign
record is found, and what was signed can't be written anew without the key.
Completeness: records cut off at the end, a chain that is gone, or one written anew
with another key show only beside an anchor: exported records or checkpoints that
are kept where whoever can write the journal can't.

Reads only, also a copy. Status 0 when nothing was found, 1 when something was."""
_ANCHOR = "lines of query --json, of `netproxy audit anchor`, or of a Collector's file exporter"


def main(arguments: list[str]) -> int:
    """Print a verdict for each writer, and the sum of them."""
    made = parser("verify", _DESCRIPTION)
    made.add_argument("--anchor", type=Path, metavar="FILE", help=_ANCHOR)
    made.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="a public key (PEM) that may have signed, and no other; may be repeated",
    )
    add_json(made)
    options = made.parse_args(arguments)
    try:
        anchors = _anchors(options)
        trusted = [load_public(path) for path in options.key]
        verdicts = verify(journal(options), anchors=anchors, trusted=trusted)
    except (AnchorRefused, KeyUnusable) as refused:
        sys.stderr.write(f"netproxy audit verify: {visible(str(refused))}\n")
        return EXIT_USAGE
    lines = [_json(verdicts)] if options.json else _text(verdicts)
    for line in lines:
        write(line)
    return 0 if all(verdict.is_well for verdict in verdicts) else EXIT_BROKEN


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Two lines for a chain, one more for each thing that is wrong with it."""
    state = "ok    " if verdict.is_well else "LACKS " if verdict.holds else "BROKEN"
    live = ", being written now" if verdict.live else ""
    yield f"{state} {verdict.writer}: {verdict.records} records{live}, {_signed(verdict)}"
    yield f"       {_complete(verdict)}"
    for finding in verdict.findings[:_FINDINGS]:
        seq = "" if finding.seq is None else f" (seq {finding.seq})"
        where = f"{visible(finding.file)}:{finding.line}"
        yield f"  {where}: {finding.kind}: {visible(finding.message)}{seq}"
    if len(verdict.findings) > _FINDINGS:
        yield f"  and {len(verdict.findings) - _FINDINGS} more"


def _signed(verdict: Verdict) -> str:
    signed = verdict.signed
    if not signed.up_to:
        return "signed by nobody"
    behind = f", {signed.records_behind} behind that by nobody" if signed.records_behind else ""
    return f"signed up to {signed.up_to} by key {', '.join(signed.keys)}{behind}"


def _complete(verdict: Verdict) -> str:
    found = verdict.completeness
    lost = "an unknown number of" if found.lost is None else found.lost
    gone = f" of {found.missing} records" if found.missing else ""  # its head can't be read
    said = {
        State.COMPLETE: f"complete up to {found.anchored}, as the anchor says; "
        f"{found.behind} are newer",
        State.TRUNCATED: f"truncated: {found.missing} records are missing at the end",
        State.MISSING: f"missing: the whole chain{gone} is gone",
        State.GAPS: f"gaps: the trail admits {found.gaps}, with {lost} events lost",
        State.UNKNOWN: "no anchor: whether records were cut off at the end can't be known",
    }[found.state]
    removed = f"; {found.removed} older ones were removed, on record" if found.removed else ""
    return said + removed


def _text(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        yield from verdict_lines(verdict)
    broken = sum(not verdict.holds for verdict in verdicts)
    yield f"integrity: {'holds' if not broken else f'broken in {broken} of {len(verdicts)} chains'}"
    state = _worst(verdicts)
    yield f"completeness: {'unknown without --anchor' if state is State.UNKNOWN else state}"


def _json(verdicts: Sequence[Verdict]) -> str:
    holds = all(verdict.holds for verdict in verdicts)
    return json.dumps(
        {
            "integrity": "holds" if holds else "broken",
            "completeness": _worst(verdicts),
            "holds": holds,
            "writers": [{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts],
        }
    )


def _worst(verdicts: Sequence[Verdict]) -> State:
    return max((verdict.completeness.state for verdict in verdicts), key=_STATES.index)


def _anchors(options: argparse.Namespace) -> Anchors | None:
    path: Path | None = options.anchor
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return read_anchors(file, str(path))
    except OSError as error:
        raise AnchorRefused(f"{path}: {error.strerror}") from error
