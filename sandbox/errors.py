"""Errors of the sandbox: what this host lacks, or what was asked that can't be enforced."""

from __future__ import annotations


class SandboxError(Exception):
    """The base that nobody raises."""


class FenceUnavailable(SandboxError):
    """This host can't build the fence. `cause` names what refused, `fix` what to type."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(f"{cause}; {fix}")
        self.cause = cause
        self.fix = fix


class PlanRefused(SandboxError):
    """A combination of paths that can't be enforced as asked. Nothing was started."""


class FenceBroken(SandboxError):
    """Something was possible inside the finished sandbox that must not be. Nothing was executed."""


class LaunchFailed(SandboxError):
    """The fence was built but the command's monitor did not come up: our own failure."""


class ProfileRefused(SandboxError):
    """A profile says what means nothing, or can't be enforced. `name` is one that isn't known."""

    def __init__(self, what: str, *, name: str | None = None) -> None:
        super().__init__(what)
        self.name = name
