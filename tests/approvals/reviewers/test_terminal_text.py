from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.model import Answer, Question, Resolution, Scope, Status, Verdict
from approvals.reviewers.columns import width
from approvals.reviewers.terminal_text import (
    Look,
    Scene,
    answered_text,
    ended_text,
    help_text,
    look,
    question_text,
    status_text,
    waiting_text,
)
from tests.support.approvals import ASKING, KEY, answer

PLAIN = Look(columns=80, moves=False, colours=False)


def question(
    host: str = "pypi.org", *, unicode_host: str | None = None, **changes: object
) -> Question:
    asked = replace(ASKING, key=replace(KEY, host=host), unicode_host=unicode_host)
    asked = replace(asked, **changes)  # type: ignore[arg-type]  # fields by name, from the test's row
    return Question(approval_id="a-01", asking=asked, created_at=0.0, expires_at=900.0)


NOW = datetime(2026, 1, 2, 17, 40).astimezone().timestamp()  # where the test runs
SCENE = Scene(now=NOW)


def shown(
    asked: Question, style: Look = PLAIN, scene: Scene = SCENE, *, details: bool = False
) -> str:
    return question_text(asked, style, scene, details=details)


def test_a_question_shows_all_that_a_reviewer_needs() -> None:
    text = shown(question())
    for fact in (
        "host       pypi.org",
        "port       443",
        "protocol   HTTPS tunnel (CONNECT)",
        "command    pip install requests",
        "directory  /home/anna/project",
        "why        no rule matches pypi.org:443",
        "for good   --allow https://pypi.org:443",
        "d  deny, and stop the command",
        "c  deny, and let the command continue",
        "o  allow once: only the requests that wait now",
        "s  allow for the rest of this session",
        "Enter alone answers nothing. Ctrl-C: the same as d.",
    ):
        assert fact in text
    assert "shown as" not in text


def test_a_denial_that_does_not_stop_the_command_says_so() -> None:
    text = shown(question(stops_on_denial=False))
    assert "d  deny; the command continues" in text
    assert "c  deny" not in text
    assert "Ctrl-C: deny, and stop the command." in text


def test_a_yes_that_ends_early_says_when() -> None:
    brief = replace(question(), grant_seconds=90.0)
    lines = shown(brief, Look(columns=200, moves=False, colours=False)).splitlines()
    (timed,) = [line for line in lines if "90 s at most" in line]
    assert timed.startswith("  s  allow for the rest of this session")
    assert "  h  allow for 90 s, until 17:41" in lines


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "1 hour, until 18:40"),
        (1200.0, "20 min, until 18:00"),
        (9e9, "1 hour, until 18:40"),
    ],
)
def test_an_hour_says_until_when(seconds: float | None, said: str) -> None:
    assert f"  h  allow for {said}\n" in shown(replace(question(), grant_seconds=seconds))


def test_always_is_offered_where_a_rule_can_be_written_and_says_what_it_is() -> None:
    able = replace(question(), widest_scope=Scope.ALWAYS, writes_rules=True)
    assert "  A  allow always: a rule in your policy, for every run from now on\n" in shown(able)
    assert "  N  deny always: a rule in your policy; stop the command\n" in shown(able)
    for unable in (question(), replace(able, writes_rules=False)):
        assert "always" not in shown(unable)


GROUP = tuple(question(f"h{number}.pythonhosted.org") for number in range(9))


def test_others_of_the_same_owner_are_counted_and_listed_before_one_key_answers_all() -> None:
    asked = question(group="pythonhosted.org")
    alone = shown(asked, scene=replace(SCENE, behind=9, group=GROUP))
    assert "  group      9 more of pythonhosted.org wait; g answers all of them together\n" in alone
    assert "  g  answer all of them together with it\n" in alone
    assert "h3.pythonhosted.org" not in alone
    together = shown(asked, scene=replace(SCENE, behind=9, group=GROUP, together=True))
    assert "  with it    YOUR ANSWER IS FOR THESE 9, TOO:\n" in together
    for each in GROUP:
        assert f"             {each.key.destination}\n" in together
    assert "  g  answer this one alone\n" in together
    assert "group" not in shown(asked).partition("host ")[2]


def test_of_more_than_are_listed_it_says_how_many_the_answer_is_not_for() -> None:
    asked = question(group="pythonhosted.org")
    scene = replace(SCENE, behind=50, group=GROUP, beyond=41)
    alone = shown(asked, scene=scene)
    assert "50 more of pythonhosted.org wait; g answers the first 9 of" in alone
    assert "  g  answer the first 9 of them together with it\n" in alone
    together = shown(asked, scene=replace(scene, together=True))
    assert "  with it    YOUR ANSWER IS FOR THESE 9, TOO:\n" in together
    assert "             and not for 41 more of them that wait\n" in together


def test_without_a_rule_that_would_help_none_is_named() -> None:
    assert "for good" not in shown(question(hint=None))


def test_an_international_name_is_shown_both_ways_with_a_warning_when_scripts_mix() -> None:
    honest = shown(question("xn--mnchen-3ya.de", unicode_host="münchen.de"))
    assert "host       xn--mnchen-3ya.de" in honest
    assert "shown as   münchen.de" in honest
    assert "WARNING" not in honest
    mixed = shown(question("xn--pple-43d.com", unicode_host="\u0430pple.com"))
    assert "WARNING: it mixes Cyrillic and Latin letters" in mixed


def test_details_show_what_the_short_form_cuts() -> None:
    long_command = "curl " + "x" * 1000
    short = shown(question(command=long_command))
    assert long_command not in joined(short)
    full = shown(question(command=long_command), details=True)
    assert long_command in joined(full)
    assert "a-01" in full
    assert "s-1" in full


def joined(text: str) -> str:
    """The rows' text without the margins that continue them."""
    return text.replace("\n" + " " * 13, "")


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_a_name_of_253_characters_can_be_read_to_its_end(columns: int) -> None:
    host = ".".join(["a" * 62] * 4) + ".x"
    style = replace(PLAIN, columns=columns)
    assert host in joined(shown(question(host), style))


@pytest.mark.parametrize("columns", [45, 80, 200])
def test_no_line_is_wider_than_the_window(columns: int) -> None:
    style = replace(PLAIN, columns=columns)
    asked = question("b" * 253, unicode_host="日" * 80, command="日本 " * 300)
    for line in shown(
        asked, style, replace(SCENE, behind=3, group=(asked,), together=True)
    ).splitlines():
        assert width(line) < columns
    for line in help_text(asked, style).splitlines():
        assert width(line) < columns
    status = status_text(asked, style, waiting=0, seconds_left=900)
    assert width(status.strip("\r\n")) < columns


HOSTILE = st.text(
    st.sampled_from("a.\x1b]0;[2J\x07\n\r\x9b\u202e\u2066\u200b\x00\u2028\ud800é日"), max_size=60
)


@given(HOSTILE)
def test_nothing_untrusted_reaches_the_terminal_unescaped(text: str) -> None:
    """Only our own line feeds, and no escape sequence at all without a capable terminal."""
    asked = question(
        text,
        unicode_host=text,
        command=text,
        directory=text,
        explanation=text,
        hint=text,
    )
    asked = replace(asked, asking=replace(asked.asking, group=text))
    grouped = replace(SCENE, group=(asked, asked), together=True)
    resolution = Resolution(approval_id="a", status=Status.WITHDRAWN, answer=None, explanation=text)
    by: Answer = answer(reviewer=text)
    written = (
        shown(asked, scene=grouped, details=True)
        + status_text(asked, PLAIN, waiting=1, seconds_left=1)
        + waiting_text(asked)
        + answered_text(asked, by, now=NOW, others=1)
        + ended_text(asked, resolution)
        + ended_text(asked, replace(resolution, answer=by))
    )
    assert all(c == "\n" or c.isprintable() for c in written)


def test_escape_sequences_are_ours_and_only_on_terminals_that_know_them() -> None:
    plain = shown(question(), look({"TERM": "dumb"}, 80))
    assert "\x1b" not in plain
    moving = look({"TERM": "xterm", "NO_COLOR": "1"}, 80)
    assert not re.search(r"\x1b\[[1-9][0-9;]*m", shown(question(), moving))
    assert "\x1b[1m" in shown(question(), look({"TERM": "xterm"}, 80))
    assert look({}, 80).moves is False


def test_what_was_painted_before_can_not_disguise_the_question() -> None:
    """Scroll region, margins, insert mode and character set are put back, the rest is cleared."""
    text = shown(question(), look({"TERM": "xterm"}, 80))
    start = text[: text.index("netproxy")]
    for sequence in ("\x1b[r", "\x1b[?69l", "\x1b[4l", "\x0f", "\x1b(B", "\x1b[0m", "\x1b[J"):
        assert sequence in start


@pytest.mark.parametrize(
    ("waiting", "said"),
    [(0, "nobody waits now (once: one retry)"), (1, "1 request waits"), (3, "3 requests wait")],
)
def test_the_status_line_says_who_waits_and_for_how_long(waiting: int, said: str) -> None:
    style = look({"TERM": "xterm"}, 100)
    text = status_text(question(), style, waiting=waiting, seconds_left=75.9)
    assert text.startswith("\rhttps://pypi.org:443  ")
    assert f"{said}, 1:15 left" in text
    assert "left" not in status_text(question(), PLAIN, waiting=waiting, seconds_left=75)


def test_the_status_line_shows_the_end_of_a_long_name() -> None:
    style = replace(look({"TERM": "xterm"}, 80))
    text = status_text(question("a" * 200 + ".evil.example"), style, waiting=1, seconds_left=75)
    assert ".evil.example:443" in text
    narrow = status_text(
        question("a" * 200), look({"TERM": "xterm"}, 41), waiting=1, seconds_left=75
    )
    assert "1 request waits" in narrow


@pytest.mark.parametrize(
    ("behind", "said"), [(1, "1 more question waits"), (4, "4 more questions wait")]
)
def test_questions_that_queue_are_counted(behind: int, said: str) -> None:
    assert said in shown(question(), scene=replace(SCENE, behind=behind))
    assert "more question" not in shown(question())


@pytest.mark.parametrize(
    ("verdict", "scope", "said"),
    [
        (Verdict.ALLOW, Scope.ONCE, "allowed once: https://pypi.org:443"),
        (Verdict.ALLOW, Scope.SESSION, "allowed for this session: https://pypi.org:443"),
        (Verdict.ALLOW, Scope.RUN, "allowed for this run: https://pypi.org:443"),
        (Verdict.ALLOW, Scope.ALWAYS, "allowed always: https://pypi.org:443"),
        (Verdict.DENY, Scope.ALWAYS, "denied always: https://pypi.org:443"),
        (Verdict.DENY, Scope.ONCE, "denied: https://pypi.org:443"),
        (Verdict.DENY, Scope.SESSION, "denied for this session: https://pypi.org:443"),
    ],
)
def test_the_closing_line_says_what_was_done(verdict: Verdict, scope: Scope, said: str) -> None:
    assert answered_text(question(), answer(verdict, scope), now=NOW) == f"\nnetproxy: {said}\n"


@pytest.mark.parametrize(
    ("resolution", "said"),
    [
        (None, "the question was withdrawn: "),
        (
            Resolution(approval_id="a", status=Status.GRANTED, answer=answer(), explanation="…"),
            "allowed once by anna (fake): ",
        ),
        (
            Resolution(
                approval_id="a",
                status=Status.EXPIRED,
                answer=None,
                explanation="nobody answered in time",
            ),
            "the question expired, nobody answered in time: ",
        ),
        (
            Resolution(
                approval_id="a",
                status=Status.WITHDRAWN,
                answer=None,
                explanation="the command ended",
            ),
            "the question was withdrawn, the command ended: ",
        ),
    ],
    ids=["unknown", "answered elsewhere", "expired", "withdrawn"],
)
def test_a_question_that_ends_without_a_key_says_why(
    resolution: Resolution | None, said: str
) -> None:
    assert said in ended_text(question(), resolution)


def test_the_closing_line_says_until_when_and_how_many_more() -> None:
    yes = replace(answer(scope=Scope.TIME), seconds=3600.0)
    said = answered_text(question(), yes, now=NOW, others=9)
    assert said == (
        "\nnetproxy: allowed for a time until 18:40: https://pypi.org:443 and 9 more of pypi.org\n"
    )
