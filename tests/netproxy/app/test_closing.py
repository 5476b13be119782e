"""The last line names destination, reason, and the smallest thing that would allow it."""

from __future__ import annotations

import signal

import pytest

from netproxy.app.called_off import CalledOff
from netproxy.app.closing import closing_line, status_of
from netproxy.app.supervisor import EXIT_DENIED, EXIT_TIMED_OUT, Denial, Outcome
from netproxy.model import Decision, Destination, Protocol, Reason, Source
from sandbox.errors import LaunchFailed, PlanRefused
from sandbox.limits import Limit
from sandbox.model import Exited, NotStarted, Signalled

_TOO_LONG = (
    "build: its arguments and variables together are longer than the kernel takes (execve(2)); "
    "give it fewer variables with --inherit-env core, or its arguments in a file"
)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (KeyboardInterrupt(), 130),
        (CalledOff(15), 143),
        (PlanRefused("no"), 64),
        (LaunchFailed("no"), 125),
    ],
)
def test_what_a_failure_of_ours_comes_to(failure: BaseException, status: int) -> None:
    assert status_of(failure) == status


def line(outcome: Outcome) -> str | None:
    return closing_line(outcome, command="build", timeout_seconds=2.5)


def denied(reason: Reason, *, hint: str | None = None, rule: str | None = None) -> str:
    decision = Decision(
        allowed=False,
        source=Source.BASELINE_POLICY,
        reason=reason,
        message="no rule matches a.test:443",
        hint=hint,
        rule=rule,
    )
    where = Destination(host="a.test", port=443, protocol=Protocol.HTTPS)
    denial = Denial(destination=where, decision=decision, connection_id="c-1")
    said = line(Outcome(status=EXIT_DENIED, ending=None, denial=denial))
    assert said is not None
    return said


def test_a_missing_rule_comes_with_the_flag() -> None:
    assert denied(Reason.NOT_ALLOWED, hint="--allow https://a.test:443") == (
        "stopped the command: https://a.test:443 was refused (not_allowed): "
        "no rule matches a.test:443; to allow it: --allow https://a.test:443"
    )


def test_a_reviewers_sentence_is_joined_without_its_full_stop() -> None:
    decision = Decision(
        allowed=False,
        source=Source.REVIEWER,
        reason=Reason.DENIED_BY_REVIEWER,
        message="It was denied by ada.",
        hint="--allow a.test",
    )
    where = Destination(host="a.test", port=80, protocol=Protocol.HTTP)
    denial = Denial(destination=where, decision=decision, connection_id="c-1")
    said = line(Outcome(status=EXIT_DENIED, ending=None, denial=denial))
    assert said is not None
    assert said.endswith("It was denied by ada; to allow it: --allow a.test")


def test_a_deny_rule_is_named_because_no_flag_beats_it() -> None:
    said = denied(Reason.DENIED_BY_RULE, rule="**.test (config.toml:3)")
    assert said.endswith("; to allow it, remove the rule **.test (config.toml:3)")


def test_without_a_way_out_none_is_promised() -> None:
    assert "to allow" not in denied(Reason.METHOD_NOT_ALLOWED)


def test_time_ran_out() -> None:
    said = line(Outcome(status=EXIT_TIMED_OUT, ending=None, timed_out=True))
    assert said == "stopped the command: it did not end within 2.5 s (--timeout)"


@pytest.mark.parametrize(
    ("errno", "said"),
    [(2, "build: command not found"), (13, "build: cannot be executed"), (7, _TOO_LONG)],
)
def test_a_command_that_did_not_start(errno: int, said: str) -> None:
    ending = NotStarted(errno=errno)
    assert line(Outcome(status=ending.status, ending=ending)) == said


def test_a_sandbox_that_was_killed() -> None:
    ending = Signalled(signal=9, unreported=True)
    assert ending.status == 125
    said = line(Outcome(status=ending.status, ending=ending))
    assert said == "the sandbox was killed, or its monitor: everything in it has ended with it"


@pytest.mark.parametrize(
    "ending", [Exited(code=0), Exited(code=127), Exited(code=77), Signalled(signal=9)]
)
def test_the_commands_own_end_needs_no_line(ending: Exited | Signalled) -> None:
    assert line(Outcome(status=ending.status, ending=ending)) is None


def test_a_limit_that_ended_the_command_is_named() -> None:
    limits = (Limit(name="memory", amount=1 << 20), Limit(name="cpu-seconds", amount=5))
    ending = Signalled(signal=signal.SIGXCPU)

    said = closing_line(
        Outcome(status=152, ending=ending), command="build", timeout_seconds=None, limits=limits
    )

    assert said == (
        "a program of the command reached --limit cpu-seconds=5 and was ended "
        "(seconds of CPU time for each process)"
    )
