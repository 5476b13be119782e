"""`netproxy policy check [FILE…]`: what is wrong with settings files, and what they say.

Status 0 when all is well, 78 (EX_CONFIG) when a file can't be used, 1 with --strict when there is
something to warn of, 64 for bad usage.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from netproxy.app.cli.policy_files import kind_of, text_of
from netproxy.app.cli.policy_report import KINDS, Report, report, report_of_run
from netproxy.app.cli.printing import write
from netproxy.app.cli.run_options import RunOptions
from netproxy.app.cli.usage import UsageParser
from netproxy.app.settings import load_settings
from netproxy.errors import InvalidSettings
from netproxy.policy.origin import Layer
from otel import visible
from otel.values import replace

_KIND_OF_LAYER = {
    Layer.USER: "config",
    Layer.PROJECT: "project",
    Layer.MANAGED: "requirements",
}
_EXIT_WARNED = 1
_EXIT_CONFIG = os.EX_CONFIG  # 78

_DESCRIPTION = """\
Read settings files and say everything that is wrong with them, each with its line, and what they
say. Without FILE: the files that `netproxy run` would read here, and whether they go together."""


def main(arguments: list[str]) -> int:
    """Check each file. Returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.kind and not given.files:
        parser.error("--as says what FILE is, and there is none")
    now = time.time()
    reports = [_checked(path, given.kind or kind_of(path), now) for path in given.files]
    if not given.files:
        reports = _here(now)
    for each in reports:
        if given.json:
            write(json.dumps(each.fields(), sort_keys=True))
            continue
        for line in each.lines():
            write(visible(line, limit=sys.maxsize))  # a bundle is shown whole
    return _status(reports, strict=given.strict)


def _parser() -> UsageParser:
    parser = UsageParser(
        prog="netproxy policy check",
        usage="netproxy policy check [options] [FILE ...]",
        description=_DESCRIPTION,
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what to check")
    parser.add_argument(
        "--as",
        dest="kind",
        choices=KINDS,
        metavar="KIND",
        help=f"what FILE is: {', '.join(KINDS)} (default: by its name)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a file")
    parser.add_argument("--strict", action="store_true", help="warnings end with status 1")
    return parser


def _checked(path: Path, kind: str, now: float) -> Report:
    try:
        return report(text_of(path), str(path), kind, now=now)
    except InvalidSettings as error:
        return Report(file=str(path), kind=kind, problems=error.problems)


def _here(now: float) -> list[Report]:
    """Check what a run here would read, and what all of it comes to."""
    try:
        settings = load_settings(RunOptions(), os.environ)
    except InvalidSettings as error:
        return [Report(file="", kind="run", problems=error.problems)]
    files = [_checked(each.path, _KIND_OF_LAYER[each.layer], now) for each in settings.sources]
    run = report_of_run(settings, now=now)
    said = {warning for each in files for warning in each.warnings}
    return [*files, replace(run, warnings=tuple(w for w in run.warnings if w not in said))]


def _status(reports: list[Report], *, strict: bool) -> int:
    if any(each.problems for each in reports):
        return _EXIT_CONFIG
    return _EXIT_WARNED if strict and any(each.warnings for each in reports) else 0
