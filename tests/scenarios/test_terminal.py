"""At a terminal: keys, sizes, job control and questions, as without us until something is asked."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.at_terminal import Terminal
from tests.support.runs import Netproxy
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person

# The reviewer is deaf for half a second after a question appears; a person is slower.
READING_SECONDS = 1.0


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def at_terminal(netproxy: Netproxy, *options: str, command: list[str]) -> Terminal:
    words = ("run", "--audit-dir", str(netproxy.audit), *options, "--", *command)
    return Terminal(
        netproxy.argv(*words), cwd=netproxy.workspace, environment=netproxy.environment()
    )


def shell(netproxy: Netproxy) -> Terminal:
    """An interactive shell, for job control."""
    terminal = Terminal(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=netproxy.workspace,
        environment=netproxy.environment(
            {"TERM": "dumb", "PS1": "$ ", "NP": " ".join(netproxy.argv())}
        ),
    )
    terminal.see(r"\$ ")
    return terminal


def answer(terminal: Terminal, key: str) -> None:
    """Read the question, then press one key."""
    terminal.see("left to answer")
    time.sleep(READING_SECONDS)
    terminal.press(key)


def test_the_command_has_a_terminal_of_its_own_with_our_size(person: Person, base: Path) -> None:
    with at_terminal(
        Netproxy(person, base),
        "--ask",
        "never",
        command=["sh", "-c", "stty size; tty; stty size </dev/tty"],
    ) as terminal:
        terminal.see(r"30 100\r\n/dev/pts/\d+\r\n30 100\r\n")
        assert terminal.wait() == 0


def test_a_resize_reaches_the_command(netproxy: Netproxy) -> None:
    script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    with at_terminal(netproxy, "--ask", "never", command=["sh", "-c", script]) as terminal:
        terminal.see("ready")
        terminal.resize((40, 120))
        terminal.see("40 120")
        assert terminal.wait() == 0


def test_ctrl_c_reaches_the_command_and_only_that(netproxy: Netproxy) -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    with at_terminal(netproxy, "--ask", "never", command=["sh", "-c", script]) as terminal:
        terminal.see("ready")
        terminal.press(b"\x03")
        terminal.see("caught")
        assert terminal.wait() == 5


def test_an_interrupted_command_ends_as_in_a_shell(netproxy: Netproxy) -> None:
    # Not a shell: dash loses a SIGINT that comes between its fork and its exec.
    with at_terminal(netproxy, "--ask", "never", command=["cat"]) as terminal:
        terminal.press("ready\n")
        terminal.see("ready.*ready")
        terminal.press(b"\x03")
        assert terminal.wait() == 130


def test_ctrl_z_stops_the_job_and_fg_goes_on(netproxy: Netproxy) -> None:
    with shell(netproxy) as terminal:
        terminal.press(
            f"$NP run --audit-dir {netproxy.audit} --ask never -- "
            'sh -c \'echo rea""dy; read x; echo "<$x>"\'\n'
        )
        terminal.see("ready")
        terminal.press(b"\x1a")
        terminal.see(r"Stopped.*\$ ")
        terminal.press('echo in""between\n')
        terminal.see(r"inbetween\r\n\$ ")
        terminal.press("fg\n")
        terminal.see("fg.*run")
        terminal.press("word\n")
        terminal.see("<word>")
        terminal.see(r"\$ ")
        terminal.press("echo status=$?\n")
        terminal.see("status=0")


def test_a_background_job_works_and_waits_for_the_terminal(netproxy: Netproxy) -> None:
    run = f"$NP run --audit-dir {netproxy.audit} --ask never --"
    with shell(netproxy) as terminal:
        terminal.press(f'{run} sh -c \'echo by""itself\' & wait; echo don""e\n')
        terminal.see("byitself.*done")
        terminal.press(f"{run} sh -c 'read x; echo \"<$x>\"' &\n")
        terminal.see(r"\[1\]")
        for _ in range(200):
            terminal.press("jobs\n")
            if b"Stopped" in terminal.rest():
                break
        terminal.see("Stopped")
        terminal.press("fg\n")
        terminal.see("fg.*run")
        terminal.press("word\n")
        terminal.see("<word>")


def test_in_a_pipeline_the_pipes_are_the_commands(netproxy: Netproxy) -> None:
    with shell(netproxy) as terminal:
        run = f"$NP run --audit-dir {netproxy.audit} --ask never --"
        terminal.press(f"echo some | {run} tr a-z A-Z | sed s/O/0/\n")
        terminal.see("S0ME")
        terminal.see(r"\$ ")


def test_the_terminal_is_given_back_as_it_was(netproxy: Netproxy) -> None:
    with shell(netproxy) as terminal:
        terminal.press("stty -a | md5sum\n")
        before = terminal.see(r"([0-9a-f]{32})").group(1)
        terminal.see(r"\$ ")
        terminal.press(
            f"$NP run --audit-dir {netproxy.audit} --ask never -- "
            "sh -c 'stty raw -echo; kill -9 $$'\n"
        )
        terminal.see(r"\$ ")
        terminal.press("stty -a | md5sum\n")
        assert terminal.see(r"([0-9a-f]{32})").group(1) == before


def asked(netproxy: Netproxy, site: Site, script: str, *options: str) -> Terminal:
    return at_terminal(netproxy, *named("site.test"), *options, command=["sh", "-c", script])


def test_a_question_is_answered_with_one_key(person: Person, base: Path) -> None:
    netproxy = Netproxy(person, base)
    with Site() as site:
        url = f"http://site.test:{site.port}/"
        with asked(netproxy, site, f"curl -sS {url}; echo status=$?") as terminal:
            shown = terminal.see("(.*)left to answer").group(1).decode()
            assert f"site.test:{site.port}" in shown.replace("\r\n", "")
            assert "curl -sS" in shown
            assert "no rule" in shown
            time.sleep(READING_SECONDS)
            terminal.press("o")
            terminal.see("hello\r\nstatus=0")
            assert terminal.wait() == 0
    (reviewed,) = netproxy.events("netproxy.approval.reviewed")
    (decision,) = netproxy.decisions()
    assert reviewed["approval.id"] == decision["approval.id"]
    assert (decision["network.policy.reason"], decision["network.policy.override"]) == (
        "approved",
        True,
    )


def test_a_no_ends_the_command(netproxy: Netproxy) -> None:
    with Site() as site:
        script = f"curl -sS http://site.test:{site.port}/; sleep 30"
        with asked(netproxy, site, script) as terminal:
            answer(terminal, "d")
            assert terminal.wait() == 77
            terminal.see("denied_by_reviewer")
        assert site.visits == []


def test_a_command_that_is_ended_in_the_middle_of_a_line_does_not_run_into_ours(
    netproxy: Netproxy,
) -> None:
    script = "printf half; curl -sS http://site.test/; sleep 30"
    with at_terminal(netproxy, "--ask", "never", command=["sh", "-c", script]) as terminal:
        terminal.see(r"half\r?\nnetproxy run: stopped the command: http://site\.test")
        assert terminal.wait() == 77


def test_a_no_may_let_the_command_go_on(netproxy: Netproxy) -> None:
    with Site() as site:
        url = f"http://site.test:{site.port}/"
        script = f"curl -sS -o /dev/null -w '%{{http_code}}' {url}; echo on"
        with asked(netproxy, site, script) as terminal:
            answer(terminal, "c")
            terminal.see("403on")
            assert terminal.wait() == 0


def test_enter_and_typed_ahead_keys_answer_nothing(netproxy: Netproxy) -> None:
    with Site() as site:
        script = f"echo ready; sleep 0.5; curl -sS http://site.test:{site.port}/"
        with asked(netproxy, site, script) as terminal:
            terminal.see("ready")
            terminal.press("ooo\nsss\n")
            terminal.see("left to answer")
            time.sleep(READING_SECONDS)
            terminal.press("\n")
            terminal.see("Press one of")
            assert site.visits == []
            terminal.press("d")
            assert terminal.wait() == 77
        assert site.visits == []


def test_an_answer_for_the_session_is_remembered(netproxy: Netproxy) -> None:
    with Site() as site:
        url = f"http://site.test:{site.port}/"
        with asked(netproxy, site, f"curl -sS {url} {url}; curl -sS {url}") as terminal:
            answer(terminal, "s")
            terminal.see("hello.*hello.*hello")
            assert terminal.wait() == 0
    assert len(netproxy.events("netproxy.approval.requested")) == 1
    reasons = [decision["network.policy.reason"] for decision in netproxy.decisions()]
    assert reasons == ["approved", "allowed_by_grant", "allowed_by_grant"]


def test_three_calls_at_once_are_two_questions_and_another_port_a_third(
    netproxy: Netproxy,
) -> None:
    """a:443, b:443, a:443 at once; then a:80."""
    with Site() as tunnelled, Site() as plain:
        first, second = tunnelled.port, plain.port
        script = f"""
for host in a b a; do curl -sSp http://$host.test:{first}/ & done; wait
curl -sSp http://a.test:{second}/
"""
        words = [*named("a.test", "b.test")]
        with at_terminal(netproxy, *words, command=["sh", "-c", script]) as terminal:
            for _ in range(3):
                answer(terminal, "s")
                terminal.see("allowed")
            assert terminal.wait() == 0
            assert terminal.screen.count(b"hello") == 4
    asked_for = [
        (event["server.address"], event["server.port"], event["network.transport.protocol"])
        for event in netproxy.events("netproxy.approval.requested")
    ]
    assert sorted(asked_for[:2]) == [("a.test", first, "https"), ("b.test", first, "https")]
    assert asked_for[2:] == [("a.test", second, "https")]


FULL_SCREEN = """
import subprocess, sys, time
def out(text): sys.stdout.write(text); sys.stdout.flush()
out("\\033[?1049h\\033[?25l\\033[2JPAINTED")
asking = subprocess.Popen(["curl", "-sS", "-o", "/dev/null", sys.argv[1]])
while asking.poll() is None:
    out("TICK ")
    time.sleep(0.1)
out("TICK ")
out("\\033[?25h\\033[?1049l")
"""


def test_a_full_screen_program_and_the_question_do_not_disturb_each_other(
    netproxy: Netproxy,
) -> None:
    with Site() as site:
        command = [sys.executable, "-I", "-c", FULL_SCREEN, f"http://site.test:{site.port}/"]
        with at_terminal(netproxy, *named("site.test"), command=command) as terminal:
            terminal.see("PAINTED")
            left = terminal.see(r"\x1b\[\?1049l").end()
            terminal.see("left to answer")
            time.sleep(1.0)
            asked = terminal.rest()
            assert b"TICK" not in terminal.screen[left:], "its output is held while we ask"
            assert b"\x1b[?1049h" not in asked
            terminal.press("o")
            terminal.see(r"\x1b\[\?1049h")
            terminal.see("TICK")
            assert terminal.wait() == 0
        assert site.visits == ["/"]


def test_without_a_terminal_nobody_can_be_asked(netproxy: Netproxy) -> None:
    done = netproxy.run(
        command=["sh", "-c", "curl -s -o /dev/null -w '%{http_code}' http://x.test/; echo on"]
    )
    assert (done.status, done.out) == (0, "403on\n")
    (decision,) = netproxy.decisions()
    assert decision["network.policy.reason"] == "approval_unavailable"
