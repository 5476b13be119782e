"""`netproxy audit export`: the records that match, in a form that programs of others read."""

from __future__ import annotations

import io
import os
import socket
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy import VERSION
from netproxy.app.cli.audit_command import Damage, parser
from netproxy.app.cli.audit_selection import add_selection, selected
from otel import visible
from otel.formats import FORMATS, line_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from otel import Record

EXIT_CANT_WRITE = os.EX_CANTCREAT  # 73
_OTLP = "otlp"
_DESCRIPTION = """\
The records that match all options, in the order of time, one line of JSON each:
as OCSF 1.5 events, or as OTLP/JSON documents such as OpenTelemetry's file exporter
writes. A gateway's own export is configured: [[audit.sink]], --otlp."""


def main(arguments: list[str]) -> int:
    """Write them as they are read."""
    made = parser("export", _DESCRIPTION)
    made.add_argument("--format", choices=(*FORMATS, _OTLP), required=True)
    made.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="a new file in place of standard output, which is -",
    )
    add_selection(made)
    options = made.parse_args(arguments)
    damage = Damage()
    spell, records = _spelling(options.format), selected(made, options, damage)
    try:
        with _opened(options.output) as file:
            for record in records:
                file.write(spell(record) + "\n")
    except OSError as error:
        where = visible(str(error.filename or options.output))
        what = error.strerror or str(error)
        sys.stderr.write(f"netproxy audit export: can't write {where}: {what}\n")
        return EXIT_CANT_WRITE
    return damage.status()


def _spelling(name: str) -> Callable[[Record], str]:
    if name != _OTLP:
        return line_format(name)
    from otel.otlp_json import line

    return partial(line, version=VERSION, host=socket.gethostname())


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    """A file that only this user may read, as the journal; JSON is UTF-8 whatever the locale."""
    if path is None or str(path) == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        yield sys.stdout
        return
    # O_EXCL: what is there already was not asked to be lost.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        yield file
