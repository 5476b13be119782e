"""Where a rule or a setting was written: the layer, the file, the line. Pure.

Short in what a client may see (`config.toml:12`, no folders), whole for whoever mends it.
"""

from __future__ import annotations

from enum import StrEnum

from otel.values import dataclass


class Layer(StrEnum):
    """Who said it, weakest first. What the managed file says, nobody can loosen."""

    DEFAULTS = "defaults"
    USER = "user"
    PROJECT = "project"
    COMMAND_LINE = "command line"
    MANAGED = "managed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One place. Line and column count from 1; both are None on the command line."""

    layer: Layer
    file: str | None = None  # as it was opened; None for the command line and the defaults
    line: int | None = None
    column: int | None = None
    key: str = ""  # "profiles.dev.network.allow[3]", "--allow #1"
    bundle: str | None = None  # the bundle that the rule came out of

    @property
    def place(self) -> str:
        """`/home/me/.config/netproxy/config.toml:12:5 KEY`, or `--allow #1`: for problems."""
        if self.file is None:
            return self.key or str(self.layer)
        return f"{self.file}:{self.line}:{self.column} {self.key}".rstrip()

    def __str__(self) -> str:
        """`config.toml:12`, `--allow #1`: for labels, which clients see, too."""
        if self.file is None:
            return self.key or str(self.layer)
        name = self.file.rpartition("/")[2]
        via = f" @{self.bundle}" if self.bundle else ""
        return f"{name}:{self.line}{via}"


# What a parser gives a rule before its reader knows where the text stands.
NOWHERE = Origin(layer=Layer.DEFAULTS)
