"""A program that answers: what it is told, what counts as a verdict, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest
import uvloop

from approvals.config import CommandSettings
from approvals.errors import NoOpinion, ReviewerUnavailable
from approvals.model import Answer, Scope, Verdict
from approvals.reviewers.command import CommandReviewer
from tests.support.inquiries import FakeInquiry
from tests.support.late_loops import JumpingLoop, jump
from tests.support.loops import PATIENCE_SECONDS, until

SHELL = "/bin/sh"
# Less than what is left behind would hold an answer up for.
FAR_TOO_LONG = 15.0


def settings(
    *argv: str, seconds: float = PATIENCE_SECONDS, widest: Scope = Scope.SESSION
) -> CommandSettings:
    return CommandSettings(
        name="bot",
        argv=argv,
        widest_scope=widest,
        environment=("EXTRA", "MY_PROXY", "NETPROXY_HTTP"),
        timeout_seconds=seconds,
    )


def reviewer(
    script: str, *, seconds: float = PATIENCE_SECONDS, widest: Scope = Scope.SESSION
) -> CommandReviewer:
    environ = {"PATH": os.environ["PATH"], "HOME": "/home/anna", "EXTRA": "1", "SECRET": "2"}
    environ |= {"https_proxy": "http://x", "MY_PROXY": "3", "NETPROXY_HTTP": "4"}
    return CommandReviewer(settings(SHELL, "-c", script, seconds=seconds, widest=widest), environ)


def ask(asked: CommandReviewer, inquiry: FakeInquiry | None = None) -> Answer:
    return asyncio.run(asked.review(inquiry or FakeInquiry()))


def failure(script: str, *, widest: Scope = Scope.SESSION) -> str:
    with pytest.raises(ReviewerUnavailable) as caught:
        ask(reviewer(script, widest=widest))
    return str(caught.value)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_it_reads_the_question_and_its_verdict_counts(run: object, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    inquiry = FakeInquiry(joined=2, waiting=2)
    script = f"""cat > {heard}; echo '{{"verdict":"allow","scope":"run","comment":"fine"}}'"""
    assert callable(run)
    found = run(reviewer(script).review(inquiry))
    assert isinstance(found, Answer)
    assert (found.verdict, found.scope, found.comment) == (Verdict.ALLOW, Scope.RUN, "fine")
    assert (found.reviewer, found.channel, found.seen_join_no) == ("command bot", "command", 2)
    assert inquiry.accepted == 1
    told = json.loads(heard.read_text())
    assert told["request"]["host"] == "pypi.org"
    assert told["request_digest"] == inquiry.question.digest
    assert (told["type"], told["schema"], told["waiting"]) == ("approval.requested", 1, 2)


def test_it_need_not_read_the_question() -> None:
    assert ask(reviewer("""echo '{"verdict":"deny"}'""")).verdict is Verdict.DENY


def test_it_gets_a_clean_place(tmp_path: Path) -> None:
    found = tmp_path / "found"
    ask(reviewer(f"""(env; pwd) > {found}; echo '{{"verdict":"deny"}}'"""))
    lines = set(found.read_text().splitlines())
    assert {"HOME=/home/anna", "EXTRA=1", "/"} <= lines
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME", "EXTRA"}


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("exit 3", "exit: bot ended with 3"),
        ("echo 'no\x1b[2J' >&2; exit 1", "exit: bot ended with 1: no\\u001b[2J"),
        ("""echo '{"verdict":"allow"}'; exit 1""", "exit: bot ended with 1"),
        ("kill -9 $$", "exit: bot ended with -9"),
        ("true", "invalid: bot: not JSON"),
        ("echo allow", "invalid: bot: not JSON"),
        ("""echo '{"verdict":"allow","verdict":"deny"}'""", "invalid: bot: a key is there twice"),
        ("""echo '{"verdict":"yes"}'""", "invalid: bot: verdict"),
        ("""echo '{"verdict":"allow"}{"verdict":"deny"}'""", "invalid: bot: not JSON"),
        ("""echo '{"verdict":"allow","scope":"session"}'""", "invalid: bot: it may say allow"),
        ("yes", "invalid: bot said more than"),
        ("yes >&2 & sleep 60 & exit 1", "exit: bot ended with 1"),
    ],
)
def test_whatever_is_no_verdict_is_no_opinion_of_its_own_kind(script: str, kind: str) -> None:
    assert failure(script, widest=Scope.RUN).startswith(kind)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ReviewerUnavailable, match="start: bot can't be run: no such file"):
        ask(CommandReviewer(settings("/no/such/program"), {}))


def test_it_may_abstain() -> None:
    with pytest.raises(NoOpinion):
        ask(reviewer("""echo '{"verdict":"abstain"}'"""))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(file: Path) -> None:
    pids = [int(line) for line in file.read_text().split()]
    assert pids
    asyncio.run(until(lambda: not any(map(alive, pids))))


def test_at_the_deadline_all_of_it_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def main() -> None:
        script = f"trap '' TERM; sleep 60 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
        asked = reviewer(script, seconds=300.0)
        task = asyncio.get_running_loop().create_task(asked.review(FakeInquiry()))
        await until(pids.exists)
        jump(300.0)
        with pytest.raises(ReviewerUnavailable, match=r"timeout: bot said nothing within 300 s"):
            await task

    began = time.monotonic()
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())
    assert time.monotonic() - began < FAR_TOO_LONG
    gone(pids)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_when_the_question_ends_otherwise_it_is_killed(run: object, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def main() -> None:
        script = f"sleep 60 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
        task = asyncio.get_running_loop().create_task(reviewer(script).review(FakeInquiry()))
        await until(pids.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert callable(run)
    run(main())
    gone(pids)


def test_what_it_leaves_behind_is_killed_and_does_not_hold_the_answer_up(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    script = f"""sleep 60 & echo $! > {pids}; echo '{{"verdict":"deny"}}'"""
    assert ask(reviewer(script)).verdict is Verdict.DENY
    assert time.monotonic() - began < FAR_TOO_LONG
    gone(pids)


def test_what_leaves_its_session_does_not_hold_the_answer_up() -> None:
    began = time.monotonic()
    assert ask(reviewer("""setsid sleep 30 & echo '{"verdict":"deny"}'""")).verdict is Verdict.DENY
    assert time.monotonic() - began < FAR_TOO_LONG


def test_no_shell_reads_its_words(tmp_path: Path) -> None:
    code = "import sys, json; print(json.dumps({'verdict': 'deny', 'comment': sys.argv[1]}))"
    asked = CommandReviewer(settings(sys.executable, "-c", code, f"$(touch {tmp_path}/x); *"), {})
    assert ask(asked).comment == f"$(touch {tmp_path}/x); *"
    assert not (tmp_path / "x").exists()
