"""What this host can enforce: asked of the host itself, by building a real fence. Never guessed."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.capture import Capture
from sandbox.config import HTTP_PORT
from sandbox.errors import FenceUnavailable, SandboxError
from sandbox.host import find_bwrap, program_paths
from sandbox.inside import is_inside
from sandbox.launch import Launch
from sandbox.linux import attempts
from sandbox.linux.kernel import read_sysctls
from sandbox.linux.seccomp import is_supported
from sandbox.model import Right, Rule, SandboxSpec
from sandbox.plan import make_plan
from sandbox.process import Fence, interpreter, version_of
from sandbox.streams import Streams

_ATTEMPTS = str(Path(attempts.__file__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that this host can or can't do."""

    name: str
    ok: bool
    required: bool  # whether `netproxy run` needs it
    detail: str
    fix: str | None = None


def check_host() -> tuple[Check, ...]:
    """Every check, cheap ones first. Takes about 0.1 s; starts and ends one sandbox."""
    if is_inside():
        said = "this is inside a netproxy run: a run here joins it, under its rules"
        return (Check(name="sandbox", ok=True, required=True, detail=said),)
    return (
        _check_kernel(),
        _check_bwrap(),
        _check_namespaces(),
        _check_fence(),
        _check_capture(),
    )


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


def _check_fence() -> Check:
    try:
        status = asyncio.run(_try_everything())
    except SandboxError as error:
        fix = error.fix if isinstance(error, FenceUnavailable) else None
        cause = error.cause if isinstance(error, FenceUnavailable) else str(error)
        return Check(name="sandbox", ok=False, required=True, detail=cause, fix=fix)
    names = [name for name, _ in attempts.ATTEMPTS]
    if status == 0:
        detail = f"built one; inside it these failed, as they must: {', '.join(names)}"
    elif status <= len(names):
        detail = f"inside it {names[status - 1]} was possible"
    else:
        detail = f"the proxy could not be reached from inside (status {status})"
    return Check(name="sandbox", ok=status == 0, required=True, detail=detail)


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
            )
        ),
        machine=platform.machine(),
        capture=capture,
    )


async def _try_everything() -> int:
    """Run the attempts in a sandbox like any run's; its exit status tells."""
    launch = _launch(interpreter(), "-I", "-S", "-B", _ATTEMPTS, str(HTTP_PORT))
    fence = Fence(launch, bwrap=find_bwrap(os.environ.get("PATH", "")))
    try:
        listeners = fence.listeners()
    except BaseException:
        fence.abandon()
        raise
    with listeners.http, listeners.socks:
        command = await fence.release()
        ending = await command.ended
        await command.finish(kill=True)
    return ending.status


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
