"""`netproxy policy replay`: the journal's requests again, by today's policy. Looks nothing up.

Status 0 when nothing changes, 1 when something does, 66 when there is no journal, 78 for bad
settings, 64 for bad usage.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from netproxy.app.cli.policy_journal import add_journal_options, read_history, span
from netproxy.app.cli.policy_settings import in_force
from netproxy.app.cli.printing import GREEN, RED, YELLOW, paint, wants_colour, write
from netproxy.app.cli.run_options import add_policy_options
from netproxy.app.cli.usage import UsageParser
from netproxy.policy.history import DIFFERENCES, Outcome, Redialled, Replayed, redial, replay
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.policy.history import History, Tally

EXIT_DIFFERENT = 1

_DESCRIPTION = """\
Judge every request that the journal recorded again, by the policy of today, and say what would be
different: for a look before a changed policy holds. What people answered then, and would be asked
again, is no difference. No name is looked up; recorded addresses are vetted again."""

_HEADS = {
    Outcome.NEW_DENIAL: ("new denials", RED),
    Outcome.NEW_ALLOW: ("new allows", GREEN),
    Outcome.NOW_ASKED: ("now asked", YELLOW),
    Outcome.ANSWERED: ("asked again, as they were then", ""),
}


def main(arguments: list[str]) -> int:
    """Replay the journal. Returns the exit status."""
    parser = UsageParser(
        prog="netproxy policy replay",
        usage="netproxy policy replay [--audit DIR] [options]",
        description=_DESCRIPTION,
    )
    add_journal_options(parser)
    add_policy_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args(arguments)
    wanted = span(given, parser)
    held = in_force(given)
    history = read_history(given.audit or held.settings.audit_directory, wanted)
    again = sorted(replay(history, held.policy), key=_order)
    dials = sorted(redial(history, held.policy), key=_order)
    everything: list[Replayed | Redialled] = [*again, *dials]
    printed = _json(everything, history) if given.json else _lines(everything, history)
    for line in printed:
        write(line)
    return EXIT_DIFFERENT if any(each.outcome in DIFFERENCES for each in everything) else 0


def _order(each: Replayed | Redialled) -> tuple[str, str]:
    if isinstance(each, Redialled):
        return str(each.destination), each.address
    return str(each.key.destination), each.key.method


def _counts(everything: Sequence[Replayed | Redialled]) -> Counter[Outcome]:
    """How many records, not how many kinds of them."""
    counts: Counter[Outcome] = Counter()
    for each in everything:
        counts[each.outcome] += each.tally.count
    return counts


def _lines(everything: Sequence[Replayed | Redialled], history: History) -> Iterator[str]:
    colour = wants_colour()
    for outcome, (head, tint) in _HEADS.items():
        found = [each for each in everything if each.outcome is outcome]
        if found:
            yield paint(f"{head}: {len(found)}", tint, colour=colour)
            for each in found:
                yield from (f"  {visible(line)}" for line in _told(each))
    counts = _counts(everything)
    yield f"{counts[Outcome.UNCHANGED]} records unchanged"
    if history.malformed or history.undecided:
        undecided = f"{history.undecided} refused for the gateway's own state"
        yield f"passed over: {history.malformed} malformed, {undecided}"


def _told(each: Replayed | Redialled) -> Iterator[str]:
    if isinstance(each, Redialled):
        yield f"{each.destination} at {each.address}  {_times(each.tally)}"
        if each.explanation:
            yield f"    today: {each.explanation}"
        return
    key, today = each.key, each.judgement
    then = f"{'allowed' if key.allowed else 'denied'} by {key.decider} ({key.reason})"
    yield f"{key.destination} {key.method}  {_times(each.tally)}, {then}"
    because = today.explanation or f"allowed by {today.rule}"
    yield f"    today: {today.verdict.value}, {because}"


def _times(tally: Tally) -> str:
    often = "once" if tally.count == 1 else f"{tally.count} times"
    first, last = (f"{stamp[:10]} {stamp[11:19]}Z" for stamp in (tally.first, tally.last))
    return f"{often}, {last}" if first == last else f"{often}, {first} to {last}"


def _json(everything: Sequence[Replayed | Redialled], history: History) -> Iterator[str]:
    for each in everything:
        if each.outcome is not Outcome.UNCHANGED:
            yield json.dumps(_fields(each), sort_keys=True)
    counts = _counts(everything)
    summary = {
        "kind": "summary",
        "records": {str(outcome): counts[outcome] for outcome in Outcome},
        "malformed": history.malformed,
        "undecided": history.undecided,
    }
    yield json.dumps(summary, sort_keys=True)


def _fields(each: Replayed | Redialled) -> dict[str, Any]:
    where = each.destination if isinstance(each, Redialled) else each.key.destination
    common = {
        "kind": "address" if isinstance(each, Redialled) else "decision",
        "outcome": str(each.outcome),
        "host": where.host,
        "port": where.port,
        "protocol": where.protocol.value,
        "count": each.tally.count,
        "first": each.tally.first,
        "last": each.tally.last,
    }
    if isinstance(each, Redialled):
        return {**common, "address": each.address, "explanation": each.explanation}
    today = each.judgement
    return {
        **common,
        "method": each.key.method,
        "then": {
            "decision": "allow" if each.key.allowed else "deny",
            "by": str(each.key.decider),
            "reason": each.key.reason,
        },
        "today": {
            "verdict": today.verdict.value,
            "reason": today.reason.value,
            "source": today.source.value,
            "rule": today.rule,
            "explanation": today.explanation,
        },
    }
