"""`netproxy audit tail|query|verify`: read the audit journal, and check that it holds.

Status 0 when all is well, 1 when a chain is broken or a line can't be read, 66 (EX_NOINPUT) when
there is no journal, 64 for bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_filter import Filter, host_pattern, instant
from netproxy.app.cli.audit_lines import record_line, verdict_lines
from netproxy.app.cli.printing import wants_colour, write
from netproxy.app.cli.usage import EXIT_USAGE, UsageParser, did_you_mean
from netproxy.app.places import audit_directory
from netproxy.model import Reason
from otel import Follower, JournalBroken, flat_line, read, verify, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from otel import Record

EXIT_BROKEN = 1
EXIT_NO_JOURNAL = os.EX_NOINPUT  # 66

# What the shell reports for a program that Ctrl-C or a closed pipe ended: 128 + the signal.
_INTERRUPTED = 130
_PIPE_CLOSED = 141
# A new record shows within what feels like at once.
_POLL_SECONDS = 0.1
_TAIL_LINES = 20

_HELP = """usage: netproxy audit tail|query|verify [--audit-dir DIR] [options]

  tail    the last records, and with --follow those to come
  query   the records that match
  verify  whether every chain of records holds

netproxy audit COMMAND --help explains one."""


def main(arguments: list[str]) -> int:
    """Run one of the three. Returns the exit status."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print_to = sys.stdout if arguments else sys.stderr
        print_to.write(_HELP + "\n")
        return 0 if arguments else EXIT_USAGE
    if arguments[0] not in _COMMANDS:
        word = visible(arguments[0], limit=40)
        near = did_you_mean(arguments[0], _COMMANDS)
        sys.stderr.write(f"netproxy audit: unknown command '{word}'{near}\n")
        return EXIT_USAGE
    return _guarded(_COMMANDS[arguments[0]], arguments[1:])


def _guarded(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        status = command(arguments)
        sys.stdout.flush()
    except JournalBroken as error:
        sys.stderr.write(f"netproxy: {visible(str(error))}\n")
        return EXIT_NO_JOURNAL
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())
        return _PIPE_CLOSED
    return status


def _tail(arguments: list[str]) -> int:
    parser = _parser("tail", "The last records of all writers, in the order of time.")
    parser.add_argument("-n", "--lines", type=_count, default=_TAIL_LINES, metavar="N")
    parser.add_argument("-f", "--follow", action="store_true", help="and those to come")
    _add_json(parser)
    options = parser.parse_args(arguments)
    directory, damage = _directory(options), _Damage()
    follower = Follower(directory, damage.report) if options.follow else None
    shown = {}
    for record in read(directory, damage.report, last=options.lines):
        shown[record.writer] = record.seq
        _print([record], as_json=options.json)
    while follower is not None:
        # What was written while the last records were read is in both.
        new = (each for each in follower.poll() if each.seq > shown.get(each.writer, 0))
        _print(new, as_json=options.json)
        sys.stdout.flush()
        time.sleep(_POLL_SECONDS)
    return damage.status()


def _query(arguments: list[str]) -> int:
    parser = _query_parser()
    options = parser.parse_args(arguments)
    now = time.time()
    try:
        since, until = (text and instant(text, now) for text in (options.since, options.until))
    except (ValueError, OverflowError):
        parser.error("a time is 2026-01-02, 2026-01-02T03:04:05Z, or 90m, 2h, 7d ago")
    wanted = Filter(
        run=options.run,
        session=options.session,
        host=options.host and host_pattern(options.host),
        outcome=options.outcome,
        reason=options.reason,
        event=options.event,
        since=since,
        until=until,
    )
    damage = _Damage()
    records = read(_directory(options), damage.report)
    _print(filter(wanted.matches, records), as_json=options.json)
    return damage.status()


def _verify(arguments: list[str]) -> int:
    parser = _parser(
        "verify",
        "Check every chain: any edit, cut, swap, gap or foreign record in it is found.\n"
        "Records cut off at the end of a chain, or a writer's whole folder, leave no trace in\n"
        "what remains: compare with the exported records, which carry chain, seq and hash.",
    )
    _add_json(parser)
    options = parser.parse_args(arguments)
    verdicts = verify(_directory(options))
    holds = all(verdict.holds for verdict in verdicts)
    if options.json:
        writers = [{**asdict(verdict), "holds": verdict.holds} for verdict in verdicts]
        write(json.dumps({"holds": holds, "writers": writers}))
        return 0 if holds else EXIT_BROKEN
    for verdict in verdicts:
        for line in verdict_lines(verdict):
            write(line)
    return 0 if holds else EXIT_BROKEN


_COMMANDS = {"tail": _tail, "query": _query, "verify": _verify}


class _Damage:
    """Tells each unreadable line on stderr, and remembers that there was one."""

    def __init__(self) -> None:
        self._seen = False

    def report(self, problem: str) -> None:
        self._seen = True
        sys.stderr.write(f"netproxy: audit: {visible(problem)}\n")

    def status(self) -> int:
        return EXIT_BROKEN if self._seen else 0


def _print(records: Iterable[Record], *, as_json: bool) -> None:
    colour = not as_json and wants_colour()
    for record in records:
        write(flat_line(record) if as_json else record_line(record, colour=colour))


def _directory(options: argparse.Namespace) -> Path:
    chosen: Path | None = options.audit_dir
    return chosen if chosen is not None else audit_directory(os.environ, Path.home())


def _query_parser() -> UsageParser:
    parser = _parser("query", "The records that match all options, in the order of time.")
    parser.add_argument("--run", metavar="ID", help="execution.id, r-…")
    parser.add_argument("--session", metavar="ID", help="session.id or the session's name")
    parser.add_argument("--host", metavar="HOST", help="server.address; * stands for any text")
    parser.add_argument("--outcome", choices=("allow", "deny"))
    parser.add_argument("--reason", choices=[str(reason) for reason in Reason], metavar="REASON")
    parser.add_argument("--event", metavar="NAME", help="such as policy_decision")
    parser.add_argument("--since", metavar="TIME", help="2026-01-02T03:04:05Z, or 2h for 2 h ago")
    parser.add_argument("--until", metavar="TIME")
    _add_json(parser)
    return parser


def _parser(command: str, description: str) -> UsageParser:
    parser = UsageParser(prog=f"netproxy audit {command}", description=description)
    parser.add_argument(
        "--audit-dir", type=Path, metavar="DIR", help="default: $XDG_STATE_HOME/netproxy/audit"
    )
    return parser


def _add_json(parser: UsageParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004  # below a billion
        raise argparse.ArgumentTypeError(f"'{visible(text, limit=20)}' is not a number of lines")
    return int(text)
