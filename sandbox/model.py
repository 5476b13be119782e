"""What is asked of the sandbox, and how a command ended. Values only."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


# Device and inode: which folder it is, wherever its name leads by now.
type Identity = tuple[int, int]


class Backend(StrEnum):
    """Who enforces the fence."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"  # proxy variables only: `--no-sandbox`, never chosen for the user


class Right(StrEnum):
    """What a rule gives the command at a path and below it."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    PRIVATE = "private"  # an empty folder of the run's own, in place of what is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a profile, applied to this host. `path` is absolute and free of symlinks.

    The longest path wins. At the same path the later `layer` does (a profile over what it extends,
    the command line over all), and within a layer the stricter right.
    """

    right: Right
    path: str
    layer: int = 0
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Something that has to stay as it is, or away. `content` is what a missing file then says."""

    path: str
    content: bytes | None = None  # None: where it is missing, a folder takes its place


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """The files as the command shall see them. Every path is absolute and free of symlinks.

    Where no rule holds nothing is seen. `hidden`, `program` and `protected` are netproxy's own, and
    no rule changes them: folders that nobody sees, what has to be readable to run at all, and files
    that are never writable (the policy).
    """

    working_directory: str
    rules: tuple[Rule, ...]
    hidden: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    # Of those that may be written, when they were looked at.
    identities: Mapping[str, Identity] = field(default_factory=dict)
    # Links that lead to something hidden or protected, and lie where we could change them.
    links: tuple[str, ...] = ()
    # Files that must seem to be the caller's own (see `sandbox.plan.Access.OWNED`).
    owned: tuple[str, ...] = ()
    # The hosts file, where the command shall find the loopback in it and nobody else: names are
    # looked up then, and captured by name. None: it stays as it is.
    hosts: str | None = None
    # Links of the host's, by what they lead to: where the folder around them is hidden.
    shortcuts: Mapping[str, str] = field(default_factory=dict)
    # What isn't there and must not be made; whoever starts the run makes it, empty and read-only.
    missing: tuple[Part, ...] = ()
    # What a person should know of all this: one line each.
    notes: tuple[str, ...] = ()
    # What isn't there, can't be kept out, and is worth a word when the command made it.
    unborn: tuple[str, ...] = ()


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
    """The command was ended by a signal. `unreported`: so was whoever would have told its end."""

    signal: int
    unreported: bool = False

    @property
    def status(self) -> int:
        """What a shell would report: 128+n. Ours, where nobody knows how the command ended."""
        ours = 125
        return ours if self.unreported else 128 + self.signal


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
