"""What the verbs of `netproxy audit` share: which journal it is, and how its damage is told."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from netproxy.app.cli.audit_filter import instant
from netproxy.app.cli.run_options import RunOptions
from netproxy.app.cli.usage import UsageParser
from netproxy.app.settings import load_settings
from otel import Span, visible

EXIT_BROKEN = 1


class Damage:
    """Tells each unreadable line on stderr, and remembers that there was one."""

    def __init__(self) -> None:
        self._seen = False

    def report(self, problem: str) -> None:
        """Tell of one."""
        self._seen = True
        sys.stderr.write(f"netproxy: audit: {visible(problem)}\n")

    def status(self) -> int:
        """Give the exit status of a command that read on regardless."""
        return EXIT_BROKEN if self._seen else 0


def parser(verb: str, description: str) -> UsageParser:
    """Make a parser that knows `--audit-dir`, which `journal` reads."""
    made = UsageParser(prog=f"netproxy audit {verb}", description=description)
    made.add_argument(
        "--audit-dir",
        type=Path,
        metavar="DIR",
        help="default: [audit] directory, or $XDG_STATE_HOME/netproxy/audit",
    )
    return made


def add_period(made: UsageParser) -> None:
    """Offer `--since` and `--until`, which `period` reads."""
    made.add_argument("--since", metavar="TIME", help="2026-01-02T03:04:05Z, or 2h for 2 h ago")
    made.add_argument("--until", metavar="TIME", help="and including that millisecond")


def period(made: UsageParser, options: argparse.Namespace) -> Span:
    """Return the period that is meant. What is no time is bad usage."""
    now = time.time()
    try:
        since, until = (
            None if text is None else instant(text, now) for text in (options.since, options.until)
        )
    except (ValueError, OverflowError):
        made.error("a time is 2026-01-02, 2026-01-02T03:04:05Z, or 90m, 2h, 7d ago")
    return Span(since, until)


def add_json(made: argparse._ActionsContainer) -> None:
    """Offer `--json`, as every listing does."""
    made.add_argument("--json", action="store_true", help="JSON instead of text")


def journal(options: argparse.Namespace) -> Path:
    """Return the directory that is meant, whether there is a journal in it or not.

    Without `--audit-dir` settings say where; raises `InvalidSettings` when they can't be used.
    """
    chosen: Path | None = options.audit_dir
    if chosen is not None:
        return chosen
    # No project's file may say where journals are: one that can't be used is in nobody's way.
    given = RunOptions(no_project=True)
    return load_settings(given, os.environ, directory=Path("/")).audit_directory


def whole_number(text: str) -> int:
    """Read a number of lines from the command line."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004  # below a billion
        raise argparse.ArgumentTypeError(f"'{visible(text, limit=20)}' is not a number of lines")
    return int(text)
