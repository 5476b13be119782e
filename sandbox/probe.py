"""What this host can enforce: asked of the host itself, by building a real fence. Never guessed."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from otel.values import dataclass
from sandbox.capture import Capture
from sandbox.errors import FenceUnavailable, SandboxError
from sandbox.host import find_bwrap, program_paths
from sandbox.inside import is_inside
from sandbox.launch import Launch
from sandbox.linux import landlock
from sandbox.linux.kernel import read_sysctls
from sandbox.linux.seccomp import is_supported
from sandbox.model import Right, Rule, SandboxSpec
from sandbox.plan import make_plan
from sandbox.process import Fence, version_of
from sandbox.streams import Streams

if TYPE_CHECKING:
    from sandbox.proof import Proof

# Something that everybody has, and that no probe misses.
_HIDDEN = ("/var",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that this host can or can't do."""

    name: str
    ok: bool
    required: bool  # whether `netproxy run` needs it
    detail: str
    fix: str | None = None


def check_host() -> tuple[tuple[Check, ...], Proof | None]:
    """Every check, cheap ones first, and what was tried in the sandbox, if one could be built.

    Takes about 0.1 s; starts and ends one sandbox.
    """
    if is_inside():
        said = "this is inside a netproxy run: a run here joins it, under its rules"
        return (Check(name="sandbox", ok=True, required=True, detail=said),), None
    fence, proof = _try_fence()
    checks = (
        _check_kernel(),
        _check_bwrap(),
        _check_namespaces(),
        fence,
        _check_landlock(),
        _check_capture(),
    )
    return checks, proof


def _check_kernel() -> Check:
    machine = platform.machine()
    supported = sys.platform == "linux" and is_supported(machine)
    return Check(
        name="kernel",
        ok=supported,
        required=True,
        detail=f"{platform.system()} {platform.release()} on {machine}",
        fix=None if supported else "a Linux on x86_64 or aarch64 is needed for the kernel filter",
    )


def _check_bwrap() -> Check:
    try:
        path = find_bwrap(os.environ.get("PATH", ""))
    except FenceUnavailable as missing:
        return Check(
            name="bubblewrap", ok=False, required=True, detail=missing.cause, fix=missing.fix
        )
    return Check(name="bubblewrap", ok=True, required=True, detail=f"{version_of(path)} at {path}")


def _check_namespaces() -> Check:
    """The settings alone; whether they suffice, the fence tells."""
    settings = read_sysctls()
    detail = ", ".join(f"{name}={value}" for name, value in sorted(settings.items()))
    return Check(
        name="namespace settings",
        ok=True,
        required=False,
        detail=detail or "none of the settings that restrict user namespaces exists here",
    )


def _try_fence() -> tuple[Check, Proof | None]:
    try:
        proof = _prove()
    except SandboxError as error:
        fix = error.fix if isinstance(error, FenceUnavailable) else None
        cause = error.cause if isinstance(error, FenceUnavailable) else str(error)
        return Check(name="sandbox", ok=False, required=True, detail=cause, fix=fix), None
    if proof.held:
        detail = f"built one; all {len(proof.attempts)} attempts to get out of it failed"
    else:
        detail = f"it does not hold: {', '.join(each.name for each in proof.surprises)}"
    return Check(name="sandbox", ok=proof.held, required=True, detail=detail), proof


def _launch(*command: str, capture: Capture = Capture.OFF) -> Launch:
    """Return what a sandbox like any run's starts with."""
    return Launch(
        command=command,
        environment={"PATH": os.defpath},
        directory="/",
        streams=Streams(terminals=(), path=None),
        plan=make_plan(
            SandboxSpec(
                working_directory="/",
                rules=(Rule(right=Right.READ, path="/"), Rule(right=Right.PRIVATE, path="/tmp")),  # noqa: S108  # the sandbox's own
                program=program_paths(sys.path),
                hidden=_HIDDEN,
            )
        ),
        machine=platform.machine(),
        capture=capture,
    )


def _prove() -> Proof:
    """Let it prove itself. No command is executed in it."""
    launch = _launch("true", capture=Capture.AUTO)
    fence = Fence(launch, bwrap=find_bwrap(os.environ.get("PATH", "")))
    try:
        listeners = fence.complete(fence.listeners())
        try:
            proof = fence.prove(listeners)
        finally:
            listeners.close()
    finally:
        fence.abandon()
    assert proof is not None, "there is a sandbox"
    return proof


def _check_landlock() -> Check:
    found = landlock.version()
    return Check(
        name="landlock",
        ok=found > 0,
        required=False,
        detail=f"version {found}, a second belt beside the mounts"
        if found
        else "this kernel has none, or an old one: the mounts hold alone",
    )


def _check_capture() -> Check:
    """By doing it, in a sandbox in which nothing is executed."""
    try:
        fence = Fence(
            _launch("true", capture=Capture.ONLY), bwrap=find_bwrap(os.environ.get("PATH", ""))
        )
        try:
            fence.complete(fence.listeners()).close()
        finally:
            fence.abandon()
    except SandboxError as error:
        fix = error.fix if isinstance(error, FenceUnavailable) else None
        cause = error.cause if isinstance(error, FenceUnavailable) else str(error)
        return Check(name="capture", ok=False, required=False, detail=cause, fix=fix)
    return Check(
        name="capture",
        ok=True,
        required=False,
        detail="programs that ignore the proxy are captured, and decided like all others",
    )
