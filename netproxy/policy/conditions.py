"""What a rule may ask of a request beyond its destination: methods, paths, header fields.

Seeing these inside a tunnel takes inspection; until there is one, a rule that has a condition
refuses with `inspection_required` (`netproxy.policy.engine`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """All that is given must hold; within one list, one of it is enough. Empty: any."""

    methods: tuple[str, ...] = ()  # "GET"
    paths: tuple[str, ...] = ()  # "/v1/**"
    headers: tuple[tuple[str, str], ...] = ()  # ("x-team", "build-*"), the name in lower case

    def __str__(self) -> str:
        fields = (f"{name}: {value}" for name, value in self.headers)
        parts = (",".join(self.methods), ",".join(self.paths), ",".join(fields))
        return " ".join(part for part in parts if part)
