"""`netproxy audit report`: a period on one HTML page that needs nothing else."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.audit_export_state import sink_states
from netproxy.app.audit_page import Check, Report, page
from netproxy.app.audit_summary import Summary
from netproxy.app.cli.audit_command import Damage, add_period, journal, parser, period
from netproxy.app.cli.audit_verify import verdict_lines
from otel import read, verify, visible

if TYPE_CHECKING:
    from otel import Verdict

_DESCRIPTION = """\
Write a period as one HTML page: what was asked and decided, for whom, and whether the
trail holds. It has no script and loads nothing; open it in a browser, print it, mail it."""


def main(arguments: list[str]) -> int:
    """Read the period, check all chains, write the page."""
    made = parser("report", _DESCRIPTION)
    add_period(made)
    made.add_argument("--output", type=Path, metavar="FILE", required=True, help="- for stdout")
    options = made.parse_args(arguments)
    directory, damage, summary = journal(options), Damage(), Summary()
    span = period(made, options)
    for record in read(directory, damage.report, span=span):
        summary.add(record)
    now = time.time()
    text = page(
        Report(
            summary=summary,
            checks=[_check(verdict) for verdict in verify(directory)],
            sinks=sink_states(directory, now_ns=int(now * 1e9)),
            directory=str(directory),
            period=_period(summary, options.since, options.until),
            made_at=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}Z",
        )
    )
    return _write(options.output, text) or damage.status()


def _check(verdict: Verdict) -> Check:
    _, completeness, *findings = verdict_lines(verdict)
    return Check(
        writer=verdict.writer,
        records=verdict.records,
        holds=verdict.holds,
        is_well=verdict.is_well,
        told=completeness.strip(),
        findings=tuple(finding.strip() for finding in findings),
    )


def _period(summary: Summary, since: str | None, until: str | None) -> str:
    if summary.first is None or summary.last is None:
        return f"{since or 'the beginning'} to {until or 'now'}"
    first, last = (f"{text[:10]} {text[11:19]}Z" for text in (summary.first, summary.last))
    return f"{first} to {last}"


def _write(output: Path, text: str) -> int:
    """Write for this user only: what a command reached is nobody else's business."""
    content = text.encode()  # as the page says, whatever the locale
    if str(output) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return 0
    try:
        _put(output, content)
    except OSError as error:
        shown = visible(str(output), limit=200)
        sys.stderr.write(f"netproxy audit report: {shown}: {error.strerror}\n")
        return os.EX_CANTCREAT
    return 0


def _put(output: Path, content: bytes) -> None:
    """In place of a file that is there: that one may be others' to read, or open in their hands."""
    with suppress(FileNotFoundError):
        kind = output.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise OSError(errno.ELOOP, "a symbolic link; name the file itself, or - for stdout")
        if not stat.S_ISREG(kind):  # a device or a pipe: nothing to be replaced
            with output.open("wb") as file:
                file.write(content)
            return
    descriptor, beside = tempfile.mkstemp(prefix=".netproxy-", dir=output.parent)  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(beside).rename(output)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise
