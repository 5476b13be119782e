"""`netproxy audit prune`: take away finished journal files that settings allow to go."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.audit_command import EXIT_BROKEN, parser
from netproxy.app.cli.printing import write
from netproxy.app.cli.run_options import RunOptions
from netproxy.app.settings import load_settings
from netproxy.app.trail import retention_rules
from otel import AuditError, Evidence, Journal, JournalBroken, visible
from otel.folders import writer_names
from otel.lock import is_live
from otel.pruning import candidates, prune

if TYPE_CHECKING:
    from netproxy.app.settings import Settings
    from otel.retention import Rules

_DESCRIPTION = """\
Remove the oldest finished files of every chain that no gateway writes now, as far as
[audit] retain_days and max_bytes allow: exported by every required sink, signed,
unchanged since, and covered by a checkpoint that is exported, too. Each removal is
recorded and signed before the file goes. A file named hold in the audit directory
forbids all of it. A running gateway does the same by itself."""


def main(arguments: list[str]) -> int:
    """Print what goes and why the next one stays. Status 1 where a chain can't be used."""
    made = parser("prune", _DESCRIPTION)
    made.add_argument("--config", type=Path, metavar="FILE", help="in place of the user's file")
    made.add_argument("--dry-run", action="store_true", help="say it, and remove nothing")
    options = made.parse_args(arguments)
    settings = load_settings(RunOptions(config=options.config), os.environ)
    directory: Path = options.audit_dir or settings.audit_directory
    try:
        names = writer_names(directory)
    except OSError as error:
        raise JournalBroken(f"no audit journal in {directory}: {error.strerror}") from error
    rules = retention_rules(settings)
    if not rules.bounds:
        write("nothing is ever removed: neither retain_days nor max_bytes is set in [audit]")
        return 0
    done = [_writer(directory, name, settings, rules, dry=options.dry_run) for name in names]
    return 0 if all(done) else EXIT_BROKEN


def _writer(directory: Path, writer: str, settings: Settings, rules: Rules, *, dry: bool) -> bool:
    """Say what becomes of one writer's files, and do it. False where that fails."""
    try:
        found = list(candidates(directory, writer, rules, now_ns=time.time_ns()))
        going = [each.segment for each in found if each.kept is None]
        is_used = is_live(directory / writer)
        if going and not dry and not is_used:
            going = _remove(directory, writer, settings, rules)
    except (AuditError, OSError) as error:
        sys.stderr.write(f"netproxy audit prune: {writer}: {visible(str(error))}\n")
        return False
    verb = "left to its gateway" if is_used else "would be removed" if dry else "removed"
    for segment in going:
        write(f"{writer}/{segment}: {verb}")
    for each in found:
        if each.kept is not None:
            write(f"{writer}/{each.segment}: kept, {each.kept}")
    return True


def _remove(directory: Path, writer: str, settings: Settings, rules: Rules) -> list[str]:
    evidence = Evidence.of(directory, settings.evidence, strict=True, warn=_never)
    evidence.is_visit = True
    journal = Journal.open(directory, keeper=evidence, writer=writer)
    try:
        return prune(evidence, rules)
    finally:
        journal.close()


def _never(_text: str) -> None:
    """A strict opening raises in place of a warning."""
