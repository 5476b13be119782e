"""`netproxy doctor`: what this host can and can't enforce. Exit 0 only when `run` will work."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netproxy.app.cli.usage import UsageParser
from netproxy.app.footing import unfit
from otel.values import asdict
from sandbox.inside import is_inside
from sandbox.probe import Check, check_host

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        sys.stdout.write(json.dumps([asdict(check) for check in checks], indent=2) + "\n")
    else:
        sys.stdout.write(_render(checks))
    return 0 if _is_fit(checks) else 1


def _checks() -> tuple[list[Check], Proof | None]:
    footing = _check_footing()
    if not footing.ok:  # the others would stumble over the same
        return [_check_python(), footing], None
    # Inside a run nothing of ours is started, so nothing of ours has to be there.
    ours = [] if is_inside() else [_check_journal(), _check_control(), _check_leftovers()]
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
    return "\n".join([*lines, verdict]) + "\n"


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


def _check_journal() -> Check:
    from netproxy.app.places import audit_directory
    from otel import AuditError, Journal

    directory = audit_directory(os.environ, Path.home())
    try:
        Journal.open(directory).close()
    except (AuditError, OSError) as error:
        return Check(
            name="audit journal",
            ok=False,
            required=True,
            detail=str(error),
            fix="choose a folder of yours with --audit-dir",
        )
    return Check(name="audit journal", ok=True, required=True, detail=f"in {directory}")


def _check_control() -> Check:
    from netproxy.app.control_socket import ControlRefused, control_folder, open_control

    folder = control_folder(os.environ, Path.home())
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


def _check_leftovers() -> Check:
    """Mount points in the workspace here: a run that was killed with its janitor leaves them."""
    from netproxy.app.file_rules import sweep_workspace

    here, home = os.path.realpath("."), os.path.realpath(Path.home())
    removed = sweep_workspace(here, home)
    said = (
        f"removed what a killed run left: {', '.join(removed)}" if removed else "none left behind"
    )
    return Check(name="mount points", ok=True, required=False, detail=said)
