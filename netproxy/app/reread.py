"""What has become of the settings since they were read: the part of a reload that takes time.

Reads, checks and compiles, and changes nothing: what it finds, `netproxy.app.reload` records and
puts into force, all or nothing. It runs in a thread, so it holds nothing that others change.
"""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netproxy.app.file_watch import (
    EMPTY,
    MISSING,
    NOT_A_FILE,
    REPLACED,
    TOO_LARGE,
    FileWatch,
    State,
    file_lines,
    is_content,
    source_states,
)
from netproxy.errors import InvalidSettings
from otel.events import ConfigRejected, PolicyLoaded
from otel.values import dataclass, fields, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from netproxy.app.settings import Settings
    from netproxy.policy.engine import Host, Policy
    from netproxy.policy.spec import PolicySpec

    type States = Mapping[Path, State]

# An editor that writes in place, or a copy that is still going on, is done by then; what is not is
# half a file, and half a file may say less than the whole.
_SETTLE_SECONDS = 0.1
# How long the loop may wait for the interpreter while rules are compiled beside it. The usual 5 ms
# are paid for every system call of the loop: twenty of them would take a tenth of a second.
_TURN_SECONDS = 0.0005
_ERRORS = 20  # so many lines of problems are recorded
_CHANGES = 50  # and so many of what changed

# A field of `Settings` that is not here can't change in a running gateway.
_LIVE = frozenset({"layers", "profile", "sources", "spec", "user_profile", "warnings"})
# How a file calls what `Settings` calls otherwise.
_KEYS = {
    "audit_directory": "audit.directory",
    "audit_mode": "audit.mode",
    "evidence": "audit",
    "stall_seconds": "audit.stall_seconds",
    "max_unexported_bytes": "audit.max_unexported_bytes",
    "sinks": "audit.sink",
    "resolve_seconds": "resolver.timeout_seconds",
    "resolver_hosts": "resolver.hosts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is in force, and the files that it came from. `rejected`: what they held since."""

    settings: Settings
    policy: Policy
    digest: str
    states: States
    rejected: States | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What could be in force from now on, as soon as `event` is on record."""

    held: Held
    event: PolicyLoaded
    late: tuple[str, ...] = ()  # what changed as well, but takes effect at the next start


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What the files say can't be used."""

    states: States
    event: ConfigRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The files hold what is in force (again)."""

    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """This host's addresses changed; nothing else did."""

    held: Held


type Finding = Renewed | Rejected | Settled | Moved | None


class Reread:
    """Looks for a reason to replace what is held. From one thread at a time."""

    def __init__(  # noqa: PLR0913 what can change, and how long that takes
        self,
        watch: FileWatch,
        load: Callable[[], Settings],
        own_host: Callable[[], Host],
        *,
        beside: Collection[Path] = (),
        unmade: Collection[Path] = (),
        now: Callable[[], float] = time.time,
        settle_seconds: float = _SETTLE_SECONDS,
    ) -> None:
        """`load` reads all settings anew; `now` is the wall clock, in seconds since the epoch.

        `beside` are watched files that are no settings, but decide which of them count. `unmade`
        are those that count only when they are taken out of it: then it was us who made them.
        """
        self._watch = watch
        self._beside = frozenset(beside)
        self._unmade = unmade
        self._load = load
        self._own_host = own_host
        self._now = now
        self._settle_seconds = settle_seconds

    def look(self, held: Held, waiting: Renewed | None = None, *, thorough: bool) -> Finding:
        """Compare with what the files hold, the time, and this host's addresses.

        `waiting` was found before, and could not be recorded yet. `thorough`: somebody says that
        the files have changed, and are whole.
        """
        states = self._look(thorough=thorough)
        if waiting is not None and states == waiting.held.states:
            return waiting
        if states == held.states:
            if held.rejected is not None:
                return Settled(held=replace(held, rejected=None))
        elif states != held.rejected or thorough:
            return self._read(held, states) if thorough or self._is_settled(states) else None
        return self._renewed_by_time(held) or self._moved(held)

    def _is_settled(self, states: States) -> bool:
        time.sleep(self._settle_seconds)
        return self._look(thorough=True) == states

    def _look(self, *, thorough: bool) -> States:
        states = self._watch.look(thorough=thorough)
        # Copied in one step: the loop takes files out of it.
        unmade = tuple(self._unmade)
        return {**states, **dict.fromkeys(unmade, MISSING)} if unmade else states

    def _read(self, held: Held, states: States) -> Finding:
        refused = {
            path: state
            for path, state in states.items()
            if not is_content(state) and state != held.states[path] and path not in self._beside
        }
        if refused:
            lines = [f"{path}: {_SAID.get(state, state)}" for path, state in refused.items()]
            return _rejected(held, states, next(iter(refused.values())), lines)
        with _giving_way():
            return self._loaded(held, states)

    def _loaded(self, held: Held, states: States) -> Finding:
        try:
            settings = self._load()
        except InvalidSettings as invalid:
            return _rejected(held, states, "invalid", invalid.problems)
        except Exception as broken:  # noqa: BLE001 a defect in reading must not end the reloading
            return _rejected(held, states, type(broken).__name__, [str(broken)])
        read = source_states(settings.sources)
        if others := _others(read, held, states, self._unmade):
            return _rejected(held, states, "other_files", others)
        if any(states[path] != state for path, state in read.items()):
            return None  # it changed once more while it was read: the next look sees that
        return self._compared(held, settings, states)

    def _compared(self, held: Held, settings: Settings, states: States) -> Finding:
        new = self._renewed(held, settings, states)
        is_same = source_states(held.settings.sources) == source_states(settings.sources)
        if is_same and new.held.digest == held.digest:
            return Settled(held=replace(held, states=states, rejected=None))
        return new

    def _renewed(self, held: Held, settings: Settings, states: States) -> Renewed:
        policy = settings.policy(now=self._now(), host=held.policy.host)
        new = Held(settings=settings, policy=policy, digest=policy.digest, states=states)
        event = PolicyLoaded(
            digest=new.digest,
            rules=policy.rule_count,
            source="files",
            files=file_lines(source_states(settings.sources)),
            previous_digest=held.digest,
            summary=changes(held.settings.spec, settings.spec),
        )
        return Renewed(held=new, event=event, late=_late(held.settings, settings))

    def _renewed_by_time(self, held: Held) -> Renewed | None:
        """Compile anew when a rule has expired; also after the machine slept through that."""
        now, due = self._now(), held.policy.next_change
        if due is None or now < due:
            return None
        with _giving_way():
            policy = held.settings.policy(now=now, host=held.policy.host)
        expired = [
            rule for rule in held.settings.spec.rules if due <= (rule.expires_at or 0) <= now
        ]
        event = PolicyLoaded(
            digest=held.digest,
            rules=policy.rule_count,
            source="expiry",
            files=file_lines(source_states(held.settings.sources)),
            previous_digest=held.digest,
            summary=_bounded([f"- {rule.effect.value} {rule.canonical}" for rule in expired]),
        )
        return Renewed(held=replace(held, policy=policy), event=event)

    def _moved(self, held: Held) -> Moved | None:
        host = self._own_host()
        # No address at all is no answer: those from before hold on.
        if host == held.policy.host or not host.addresses.blocks:
            return None
        return Moved(held=replace(held, policy=replace(held.policy, host=host)))


_SAID = {
    MISSING: "is gone",
    EMPTY: "is empty",
    NOT_A_FILE: "is not a regular file",
    TOO_LARGE: "is too large for settings",
    REPLACED: "was replaced in a folder that the command can write, so it counts at the next start",
    State("EACCES"): "may no longer be read",
}


@contextmanager
def _giving_way() -> Iterator[None]:
    """Let the loop have the interpreter often, and nobody look for garbage among new rules."""
    collects, turn = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        if collects:
            gc.freeze()  # what was compiled stays: looking through it would stop the loop
            gc.enable()


def _others(read: States, held: Held, states: States, unmade: Collection[Path]) -> list[str]:
    """Say what was read besides the files that were there at the start, and what no longer is."""
    before = source_states(held.settings.sources)
    come = [path for path in read if path not in states or path in unmade]
    gone = [path for path in before if path not in read]
    return [
        *(f"{path}: was not there at the start, so it counts at the next one" for path in come),
        *(f"{path}: is not trusted any more; it counts until the next start" for path in gone),
    ]


def _rejected(held: Held, states: States, error: str, lines: Iterable[str]) -> Rejected:
    event = ConfigRejected(
        digest=held.digest,
        error_type=error,
        files=file_lines(states),
        errors=tuple(lines)[:_ERRORS],
    )
    return Rejected(states=states, event=event)


def changes(before: PolicySpec, after: PolicySpec) -> tuple[str, ...]:
    """What is no longer said, then what is said now."""
    old, new = _statements(before), _statements(after)
    gone = [f"- {line}" for line in old if line not in new]
    come = [f"+ {line}" for line in new if line not in old]
    return _bounded(gone + come)


def _statements(spec: PolicySpec) -> dict[str, None]:
    """Everything that a policy says, in order and without repetition."""
    said = (
        f"default {spec.default.value}",
        f"mode {spec.mode}",
        f"on_denial {spec.on_denial}",
        f"sni {spec.sni}",
        *(f"allow_private {block}" for block in spec.allow_private.blocks),
        *(f"ceiling {rule.canonical}" for rule in spec.ceiling or ()),
        *(f"{rule.effect.value} {rule.canonical}" for rule in spec.rules),
    )
    return dict.fromkeys(said)


def _bounded(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= _CHANGES:
        return tuple(lines)
    return (*lines[: _CHANGES - 1], f"and {len(lines) - _CHANGES + 1} more")


def _late(before: Settings, after: Settings) -> tuple[str, ...]:
    """What the files say otherwise now, and a running gateway can't change."""
    names = (field.name for field in fields(before) if field.name not in _LIVE)
    changed = (name for name in names if getattr(before, name) != getattr(after, name))
    return tuple(sorted(_KEYS.get(name, name) for name in changed))
