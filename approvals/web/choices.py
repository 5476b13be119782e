"""The answers that a page offers, each with a sentence of what it does. Pure.

Safest first, as they stand in the page and in the order of the Tab key. What a question's policy
doesn't allow is not offered; what is posted anyway the service refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Scope, Verdict
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from approvals.model import Question

_MINUTE, _HOUR = 60, 3600
# For how long a yes may be given by one button: a download, a sitting, a working day.
_TIMES = ((15 * _MINUTE, "15 minutes"), (_HOUR, "1 hour"), (8 * _HOUR, "8 hours"))
_STOP, _GO = "stop", "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One button."""

    verdict: Verdict
    scope: Scope
    label: str
    meaning: str  # the sentence under the label, up to the time in it
    cancel: bool = False
    seconds: float | None = None  # of TIME, from the answer on
    until: float | None = None  # seconds since the epoch, were it answered now
    rest: str = ""  # of the sentence, behind the time
    first: bool = False  # shown where there is room for few

    @property
    def value(self) -> str:
        """What the button posts: `deny.once.stop`, `allow.time.3600`."""
        end = _STOP if self.cancel else _GO
        if self.scope is Scope.TIME and self.seconds is not None:
            end = f"{self.seconds:.0f}"
        return f"{self.verdict}.{self.scope}.{end}"


def offered(
    questions: Sequence[Question], *, waiting: int, now: float, policy_file: str
) -> tuple[Choice, ...]:
    """What may be answered to these questions together; for one of them, a sequence of one.

    `policy_file`: which one an answer for always goes into.
    """
    scopes = [scope for scope in Scope if all(scope in each.scopes for each in questions)]
    always = all(Scope.ALWAYS in each.denial_scopes for each in questions)
    stops = any(each.asking.stops_on_denial for each in questions)
    longest = min((s for each in questions if (s := each.grant_seconds) is not None), default=None)
    what = _what(questions)
    return (
        *_denials(stops=stops, file=policy_file if always else None, what=what),
        *_allowances(
            scopes, _Yes(what=what, waiting=waiting, now=now, longest=longest, file=policy_file)
        ),
    )


def parse(value: str) -> Choice | None:
    """The choice that a button's value means; None for what no button posts."""
    verdict, _, rest = value.partition(".")
    scope, _, end = rest.partition(".")
    if verdict not in set(Verdict) or scope not in set(Scope):
        return None
    seconds = None
    if scope == Scope.TIME:
        if end not in {str(seconds) for seconds, _ in _TIMES}:
            return None
        seconds = float(end)
    elif end not in {_STOP, _GO}:
        return None
    return Choice(
        verdict=Verdict(verdict),
        scope=Scope(scope),
        label="",
        meaning="",
        cancel=end == _STOP,
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Yes:
    """What the sentences of a yes speak of."""

    what: str
    waiting: int
    now: float
    longest: float | None
    file: str


def _what(questions: Sequence[Question]) -> str:
    if len(questions) == 1:
        return "this host, protocol and port"
    return f"these {len(questions)} destinations and no others"


def _denials(*, stops: bool, file: str | None, what: str) -> Iterator[Choice]:
    no = Verdict.DENY
    asked = "The next try is asked about again."
    if stops:
        yield Choice(
            verdict=no,
            scope=Scope.ONCE,
            cancel=True,
            first=True,
            label="Deny and stop the command",
            meaning="Whoever waits is refused, and their command is ended.",
        )
    yield Choice(
        verdict=no,
        scope=Scope.ONCE,
        first=True,
        label="Deny, let it continue" if stops else "Deny",
        meaning=f"Whoever waits is refused{'; the command goes on' if stops else ''}. {asked}",
    )
    yield Choice(
        verdict=no,
        scope=Scope.SESSION,
        cancel=stops,
        first=not stops,
        label="Deny for this session",
        meaning=f"Refuses {what} until the session ends, without asking"
        + (", and ends the command." if stops else "."),
    )
    if file is not None:
        yield Choice(
            verdict=no,
            scope=Scope.ALWAYS,
            cancel=stops,
            label="Always deny",
            meaning=f"Writes a rule that refuses {what} into {file}.",
        )


def _allowances(scopes: Sequence[Scope], yes: _Yes) -> Iterator[Choice]:
    for scope in scopes:
        if scope is Scope.TIME:
            yield from _for_a_time(yes)
        else:
            yield _LASTING[scope](yes)


def _once(yes: _Yes) -> Choice:
    match yes.waiting:
        case 0:
            meaning = "Nobody waits any more: lets one retry through, if it comes soon."
        case 1:
            meaning = "Lets the request that waits through. The next one is asked about again."
        case many:
            meaning = f"Lets the {many} requests that wait through. The next is asked about again."
    return Choice(
        verdict=Verdict.ALLOW, scope=Scope.ONCE, label="Allow once", meaning=meaning, first=True
    )


def _lasts(scope: Scope, label: str, until: str, yes: _Yes, *, first: bool = False) -> Choice:
    text, waiting = f"Allows {yes.what} until {until}", f"; {_waiting(yes.waiting)}."
    if yes.longest is None:
        return Choice(
            verdict=Verdict.ALLOW, scope=scope, label=label, meaning=text + waiting, first=first
        )
    return Choice(
        verdict=Verdict.ALLOW,
        scope=scope,
        label=label,
        meaning=f"{text}, and at most until",
        until=yes.now + yes.longest,
        rest=waiting,
        first=first,
    )


def _run(yes: _Yes) -> Choice:
    return _lasts(Scope.RUN, "Allow for this run", "this run ends", yes)


def _session(yes: _Yes) -> Choice:
    return _lasts(Scope.SESSION, "Allow for this session", "the session ends", yes, first=True)


def _always(yes: _Yes) -> Choice:
    return Choice(
        verdict=Verdict.ALLOW,
        scope=Scope.ALWAYS,
        label="Always allow",
        meaning=f"Writes a rule that allows {yes.what}, with your name, into {yes.file}.",
    )


_LASTING = {Scope.ONCE: _once, Scope.RUN: _run, Scope.SESSION: _session, Scope.ALWAYS: _always}


def _for_a_time(yes: _Yes) -> Iterator[Choice]:
    for seconds, name in _TIMES:
        if yes.longest is None or seconds <= yes.longest:
            yield Choice(
                verdict=Verdict.ALLOW,
                scope=Scope.TIME,
                seconds=float(seconds),
                until=yes.now + seconds,
                label=f"Allow for {name}",
                meaning=f"Allows {yes.what} until",
                rest=f" or the end of the session; {_waiting(yes.waiting)}.",
            )


def _waiting(waiting: int) -> str:
    if not waiting:
        return "nobody waits now"
    return "1 request waits" if waiting == 1 else f"{waiting} requests wait"
