"""`netproxy policy import codex|srt|smokescreen FILE`: their lists as rules of ours, on stdout.

Every difference in meaning stands beside its rule, and on stderr. Status 0 when all entries became
rules, 1 when some can't be said here, 65 when the file can't be read as theirs, 66 when there is no
such file, 64 for bad usage.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.printing import write
from netproxy.app.cli.usage import UsageParser
from netproxy.errors import InvalidSettings
from netproxy.policy.imports.reading import LIMIT_BYTES
from otel import visible

if TYPE_CHECKING:
    from netproxy.policy.imports.common import Imported

EXIT_LEFT_OUT = 1
EXIT_DATA = os.EX_DATAERR  # 65
EXIT_NO_FILE = os.EX_NOINPUT  # 66

TOOLS = ("codex", "srt", "smokescreen")

_DESCRIPTION = """\
Read another tool's allow and deny lists: codex (config.toml, requirements.toml), srt (the settings
of sandbox-runtime) or smokescreen (its access list). What is printed never allows more than theirs
did. Try it with: netproxy policy import TOOL FILE > new.toml; netproxy policy check new.toml"""


def main(arguments: list[str]) -> int:
    """Print a file of theirs as one of ours. Returns the exit status."""
    parser = UsageParser(
        prog="netproxy policy import",
        usage="netproxy policy import TOOL FILE [--service NAME] [--json]",
        description=_DESCRIPTION,
    )
    parser.add_argument("tool", choices=TOOLS, metavar="TOOL", help=f"one of {', '.join(TOOLS)}")
    parser.add_argument("file", type=Path, metavar="FILE", help="their file")
    parser.add_argument(
        "--service", metavar="NAME", help="of smokescreen's services only this one (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, and no stderr")
    given = parser.parse_args(arguments)
    if given.service is not None and given.tool != "smokescreen":
        parser.error("--service is for smokescreen: the others have none")
    try:
        imported = _imported(given.tool, _text(given.file), str(given.file), given.service)
    except OSError as error:
        return _failed(f"{given.file}: {(error.strerror or str(error)).lower()}", EXIT_NO_FILE)
    except InvalidSettings as invalid:
        return _failed("\n".join(invalid.problems), EXIT_DATA)
    _print(imported, as_json=given.json)
    return EXIT_LEFT_OUT if imported.failed else 0


def _imported(tool: str, text: str, name: str, service: str | None) -> Imported:
    match tool:
        case "codex":
            from netproxy.policy.imports import codex

            return codex.read(text, name)
        case "srt":
            from netproxy.policy.imports import srt

            return srt.read(text, name)
        case _:
            from netproxy.policy.imports import smokescreen

            return smokescreen.read(text, name, service=service)


def _text(path: Path) -> str:
    """Read a file, not more of it than it may be long, and as what it is."""
    with path.open("rb") as file:
        content = file.read(LIMIT_BYTES + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidSettings((f"{path}:{line} is not UTF-8 text",)) from None


def _print(imported: Imported, *, as_json: bool) -> None:
    from netproxy.policy.imports.writing import as_records, as_toml, summary

    if as_json:
        for record in as_records(imported):
            write(json.dumps(record, sort_keys=True))
        return
    for line in as_toml(imported).rstrip("\n").split("\n"):
        write(line)
    sys.stderr.writelines(f"{visible(line)}\n" for line in summary(imported))


def _failed(problem: str, status: int) -> int:
    sys.stderr.write(f"netproxy policy import: {visible(problem)}\n")
    return status
