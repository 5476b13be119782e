"""W3C Trace Context: whose trace a run belongs to, and what is put into its tracestate. Pure.

`traceparent` and `tracestate` come from the environment of `netproxy run`, so from whoever starts
it. What can't be read is left out, as the recommendation says (sections 3.2 and 3.3); what the
operator configures is refused instead, in one line. Neither is ever sent to an origin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel.errors import TelemetryRefused
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# So much is read of an environment: the longest value that a header may have is far shorter.
_READ = 8192
# Section 3.3.1.1: at most 32 members. A vendor should pass on 512 characters in all, and what has
# to go first are members of more than 128.
_MEMBERS: Final = 32
_LONGEST: Final = 128
_TOGETHER: Final = 512

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# Level 1, which every implementation takes: level 2 lets any key begin with a digit.
_KEY = re.compile(r"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}")
_VALUE = re.compile(r"[ -+\--<>-~]{0,255}[!-+\--<>-~]")
# Of a value that is made of fields, `name:value;name:value`.
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.*/-]+")
_FIELD_VALUE = re.compile(r"[!-+\--:<>-~]+")
_SAMPLED: Final = 1
_BOUND: Final = 1 << 64

type State = tuple[tuple[str, str], ...]
type Upsert = str | Mapping[str, str]  # a whole value, or fields of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The span that the caller of a run was in."""

    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16
    is_sampled: bool
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrace:
    """The span of a run: its ids are known before any library is loaded."""

    trace_id: str
    span_id: str
    is_sampled: bool
    state: State
    parent: Parent | None

    def environment(self) -> dict[str, str]:
        """What tells the command and its children where they belong."""
        flags = _SAMPLED if self.is_sampled else 0
        told = {"TRACEPARENT": f"00-{self.trace_id}-{self.span_id}-{flags:02x}"}
        if self.state:
            told["TRACESTATE"] = spelled(self.state)
        return told


def read_parent(traceparent: str | None, tracestate: str | None) -> Parent | None:
    """The caller's span, if there is one that can be read."""
    match = _PARENT.fullmatch((traceparent or "")[:_READ].strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Parent(
        trace_id=trace_id,
        span_id=span_id,
        is_sampled=bool(int(flags, 16) & _SAMPLED),
        state=read_state(tracestate or ""),
    )


def read_state(text: str) -> State:
    """The members of a tracestate; one that is malformed discards all of them."""
    members: dict[str, str] = {}
    for part in (piece.strip(" \t") for piece in text[:_READ].split(",")):
        if not part:
            continue  # empty members are allowed
        key, _, value = part.partition("=")
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value) or key in members:
            return ()
        members[key] = value
    return tuple(members.items()) if len(members) <= _MEMBERS else ()


def begin(
    parent: Parent | None, *, ratio: float, upserts: Mapping[str, Upsert], chance: bytes
) -> RunTrace:
    """Begin the span of a run; `chance` are 24 random bytes.

    A parent's word on sampling holds. Without one it is decided by the trace's id, the way that the
    SDK's ratio sampler does, so that the spans of one trace have one fate.
    """
    # An id of zeros is none. It comes once in 2^64 times.
    trace_id = parent.trace_id if parent else f"{int.from_bytes(chance[:16]) or 1:032x}"
    is_drawn = int(trace_id, 16) % _BOUND < round(ratio * _BOUND)
    return RunTrace(
        trace_id=trace_id,
        span_id=f"{int.from_bytes(chance[16:24]) or 1:016x}",
        is_sampled=parent.is_sampled if parent else is_drawn,
        state=upserted(parent.state if parent else (), upserts),
        parent=parent,
    )


def upserted(state: State, upserts: Mapping[str, Upsert]) -> State:
    """Put configured members in front, and keep the others as far as they fit.

    Of a member that is given by fields the others stay: `a:1;b:2` with `b` = 3 is `a:1;b:3`.
    """
    before = dict(state)
    members = {
        key: said if isinstance(said, str) else _with_fields(before.get(key, ""), said)
        for key, said in upserts.items()
    }
    # With fields of others they may have grown beyond what is allowed: then only ours are left.
    alone = {key: _with_fields("", said) for key, said in upserts.items()}
    ours = {key: text if _fits(key, text) else alone[key] for key, text in members.items()}
    if len(spelled(ours.items())) > _TOGETHER:
        ours = alone
    others = [(key, value) for key, value in state if key not in ours]
    kept = _bounded([*ours.items(), *others], len(ours)) if ours else [*state]
    return tuple(kept)


def spelled(state: Iterable[tuple[str, str]]) -> str:
    """A tracestate as it is sent."""
    return ",".join(f"{key}={value}" for key, value in state)


def check_upserts(upserts: Mapping[str, Upsert]) -> None:
    """Raise `TelemetryRefused`, in one line, for members that nobody would take."""
    for key, said in upserts.items():
        if not _KEY.fullmatch(key):
            raise TelemetryRefused(
                f"{key[:40]!r} is not a tracestate key: lower-case letters, digits and _ - * /, "
                "and a letter first"
            )
        if not isinstance(said, str):
            _check_fields(key, said)
        value = _with_fields("", said)
        if not _VALUE.fullmatch(value):
            raise TelemetryRefused(
                f"{key}: a value is printable ASCII without comma and =, and ends in no blank"
            )
        if not _fits(key, value):
            raise TelemetryRefused(f"{key}: a member has at most {_LONGEST} characters")
    whole = spelled((key, _with_fields("", said)) for key, said in upserts.items())
    if len(whole) > _TOGETHER:
        raise TelemetryRefused(f"together they have {len(whole)} of {_TOGETHER} characters")
    if len(upserts) > _MEMBERS:
        raise TelemetryRefused(f"there are {len(upserts)} of {_MEMBERS} members")


def _check_fields(key: str, fields: Mapping[str, str]) -> None:
    if not fields:
        raise TelemetryRefused(f"{key}: names no field")
    for name, value in fields.items():
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise TelemetryRefused(
                f"{key}: {name[:40]!r} is not a field name:value without blanks, commas, = and ;"
            )


def _with_fields(value: str, said: Upsert) -> str:
    """A value with these fields in place of those of the same name."""
    if isinstance(said, str):
        return said
    fields = dict(piece.partition(":")[::2] for piece in value.split(";") if piece)
    return ";".join(
        f"{name}:{text}" if text or name in said else name
        for name, text in {**fields, **said}.items()
    )


def _fits(key: str, value: str) -> bool:
    return len(key) + 1 + len(value) <= _LONGEST


def _bounded(members: list[tuple[str, str]], ours: int) -> list[tuple[str, str]]:
    """Drop others until all fit: first the long ones, then those from the end."""
    kept = members[:_MEMBERS] if len(members) > _MEMBERS else members
    if len(spelled(kept)) > _TOGETHER:
        kept = [*kept[:ours], *(member for member in kept[ours:] if _fits(*member))]
    while len(spelled(kept)) > _TOGETHER and len(kept) > ours:
        kept = kept[:-1]
    return kept
