"""What is asked of the sandbox, and how a command ended. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


# Device and inode: which folder it is, wherever its name leads by now.
type Identity = tuple[int, int]


class Backend(StrEnum):
    """Who enforces the fence."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"  # proxy variables only: `--no-sandbox`, never chosen for the user


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """The files as the command shall see them. Every path is absolute and free of symlinks.

    `working_directory` becomes writable unless it is `/`, the home folder or above it; `writable`
    is what `--write` named. `hidden` are our own state and configuration folders, `protected` files
    and folders that stay readable but never writable (our program, the policy file).
    """

    working_directory: str
    home: str
    writable: tuple[str, ...]
    hidden: tuple[str, ...]
    protected: tuple[str, ...]
    # Of those that may be written, when they were looked at.
    identities: Mapping[str, Identity] = field(default_factory=dict)
    # Links that lead to something hidden or protected.
    links: tuple[str, ...] = ()
    # Files that must seem to be the caller's own (see `sandbox.plan.Access.OWNED`).
    owned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAddresses:
    """Where the run's own listeners are, as the command sees them: `host:port`."""

    http: str
    socks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The command ended by itself."""

    code: int

    @property
    def status(self) -> int:
        """What a shell would report."""
        return self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """The command was ended by a signal."""

    signal: int

    @property
    def status(self) -> int:
        """What a shell would report: 128+n."""
        return 128 + self.signal


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStarted:
    """The command could not be executed; `errno` of execve(2)."""

    errno: int

    @property
    def status(self) -> int:
        """What a shell would report: 127 for not found, 126 for not executable."""
        enoent = 2
        return 127 if self.errno == enoent else 126


type Ending = Exited | Signalled | NotStarted
