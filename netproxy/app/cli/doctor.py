"""`netproxy doctor`: what this host can and can't enforce. Exit 0 only when `run` will work."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from netproxy.app.cli.printing import write
from netproxy.app.cli.usage import UsageParser
from netproxy.app.footing import unfit
from netproxy.errors import InvalidSettings
from otel import visible
from otel.values import asdict
from sandbox.inside import is_inside
from sandbox.probe import Check, check_host

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netproxy.app.settings import Settings
    from sandbox.proof import Proof


def main(arguments: list[str]) -> int:
    """Print one line a check, or a JSON array. Returns 0, or 1 when `run` would refuse."""
    parser = UsageParser(prog="netproxy doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="a JSON array instead of lines")
    parser.add_argument(
        "--probe", action="store_true", help="only what is tried in a sandbox at each start"
    )
    options = parser.parse_args(arguments)
    checks, proof = _checks()
    if options.probe and proof is not None:
        return _show_proof(proof, as_json=options.json)
    if options.json:
        write(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        write(_render(checks))
    return 0 if _is_fit(checks) else 1


def _checks() -> tuple[list[Check], Proof | None]:
    footing = _check_footing()
    if not footing.ok:  # the others would stumble over the same
        return [_check_python(), footing], None
    # Inside a run nothing of ours is started, so nothing of ours has to be there.
    ours = [] if is_inside() else _check_ours()
    host, proof = check_host()
    return [_check_python(), footing, *host, *ours, _check_terminal()], proof


def _show_proof(proof: Proof, *, as_json: bool) -> int:
    """Each attempt and the kernel's answer. Returns 0, or 1 when something got through."""
    if as_json:
        told = {
            "held": proof.held,
            "duration_us": proof.duration_us,
            "attempts": [asdict(attempt) for attempt in proof.attempts],
        }
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return 0 if proof.held else 1
    width = max(len(attempt.name) for attempt in proof.attempts)
    for attempt in proof.attempts:
        mark = "held" if attempt.held else "OPEN"
        sys.stdout.write(f"{mark}  {attempt.name:{width}}  {attempt.answer}\n")
    verdict = "The sandbox holds" if proof.held else "The sandbox does NOT hold"
    milliseconds = proof.duration_us / 1000
    sys.stdout.write(f"{verdict}: {len(proof.attempts)} attempts in {milliseconds:.1f} ms.\n")
    return 0 if proof.held else 1


def _is_fit(checks: Sequence[Check]) -> bool:
    return all(check.ok for check in checks if check.required)


def _render(checks: Sequence[Check]) -> str:
    lines = [_line(check) for check in checks]
    verdict = (
        "netproxy run will work here." if _is_fit(checks) else "netproxy run will refuse here."
    )
    return "\n".join([*lines, verdict])


def _line(check: Check) -> str:
    mark = "ok  " if check.ok else ("FAIL" if check.required else "note")
    fix = f"; {check.fix}" if check.fix else ""
    return f"{mark}  {check.name}: {check.detail}{fix}"


def _check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(name="python", ok=True, required=True, detail=f"{version} at {sys.executable}")


def _check_footing() -> Check:
    """What a run needs of the process that starts it: also a doctor has it, or not."""
    why = unfit()
    if why is None:
        return Check(name="process", ok=True, required=True, detail="folder, files and streams")
    cause, _, fix = why.partition("; ")
    return Check(name="process", ok=False, required=True, detail=cause, fix=fix)


def _check_ours() -> list[Check]:
    from netproxy.app.home import home_of

    try:
        home = home_of(os.environ)
    except InvalidSettings as invalid:  # nothing of ours has a place then
        return [_unusable(invalid)]
    return [*_check_settings(), _check_control(home), _check_leftovers(home)]


def _check_settings() -> list[Check]:
    """Whether a run here could use them, and the journal that they name."""
    from netproxy.app.cli.run_options import RunOptions
    from netproxy.app.settings import load_settings

    try:
        settings = load_settings(RunOptions(), os.environ)
    except InvalidSettings as invalid:
        return [_unusable(invalid)]
    files = ", ".join(visible(str(source.path)) for source in settings.sources)
    said = f"from {files}" if files else "no file of settings: the defaults hold"
    return [Check(name="settings", ok=True, required=True, detail=said), _check_journal(settings)]


def _unusable(invalid: InvalidSettings) -> Check:
    return Check(
        name="settings",
        ok=False,
        required=True,
        detail="; ".join(map(visible, invalid.problems)),
        fix="no run begins until that is mended",
    )


def _check_journal(settings: Settings) -> Check:
    from netproxy.app.trail import try_journal
    from otel import AuditError, KeyUnusable

    missing: list[str] = []
    fix = "choose a folder of yours with --audit-dir, or [audit] directory"
    try:
        try_journal(settings, warn=missing.append)
    except (AuditError, OSError) as error:
        return Check(
            name="audit journal",
            ok=False,
            required=True,
            detail=visible(str(error)),
            fix="or choose another with [audit] key" if isinstance(error, KeyUnusable) else fix,
        )
    said = "; but ".join([f"in {visible(str(settings.audit_directory))}", *map(visible, missing)])
    return Check(name="audit journal", ok=True, required=True, detail=said)


def _check_control(home: Path) -> Check:
    from netproxy.app.control_socket import ControlRefused, control_folder, open_control

    folder = control_folder(os.environ, home)
    try:
        open_control(folder).close()
    except ControlRefused as refused:
        return Check(
            name="control socket",
            ok=False,
            required=False,
            detail=str(refused),
            fix="without one, netproxy approvals reaches no gateway",
        )
    return Check(name="control socket", ok=True, required=False, detail=f"in {folder}")


def _check_terminal() -> Check:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        return Check(
            name="terminal",
            ok=False,
            required=False,
            detail=f"/dev/tty: {error.strerror}: questions can't be asked here",
            fix="answer elsewhere (netproxy approvals watch), or what no rule allows is refused",
        )
    return Check(name="terminal", ok=True, required=False, detail="questions come on /dev/tty")


def _check_leftovers(home: Path) -> Check:
    """Mount points in the workspace here: a run that was killed with its janitor leaves them."""
    from netproxy.app.file_rules import sweep_workspace
    from sandbox.repository import obeyed_everywhere

    place = os.path.realpath(home)
    obeyed = obeyed_everywhere(place, os.environ)
    removed = sweep_workspace(os.path.realpath("."), place, obeyed)
    said = (
        f"removed what a killed run left: {', '.join(removed)}" if removed else "none left behind"
    )
    return Check(name="mount points", ok=True, required=False, detail=said)
