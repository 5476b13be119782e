"""`netproxy approvals`: whatever is said is said by its exit status, too."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from approvals.errors import StoreUnavailable
from approvals.model import Asking, Budget, Scope, Status, Verdict
from netproxy.app.cli import approvals_command
from netproxy.app.cli.approvals import VERBS, main
from netproxy.app.cli.gateways import Gateway, Silent
from tests.support.approvals import ASKING, KEY, answer, grant
from tests.support.control_gateways import ControlGateway, control_gateway
from tests.support.inbox import FakeInbox, question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "netproxy"


@pytest.fixture
def gateway(folder: Path) -> Iterator[ControlGateway]:
    asked = FakeInbox(
        replace(question("a-AAAA1111"), widest_scope=Scope.ALWAYS),
        question("a-BBBB2222", asking("files.pythonhosted.org")),
        question("a-CCCC3333", asking("static.pythonhosted.org")),
    )
    with control_gateway(folder, asked) as made:
        yield made


def asking(host: str) -> Asking:
    return replace(ASKING, key=replace(KEY, host=host), group="pythonhosted.org")


class Said:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Said:
        try:
            status = main(list(words))
        except SystemExit as left:
            status = int(left.code or 0)
        return Said(status, *capsys.readouterr())

    return run


@pytest.mark.usefixtures("gateway")
def test_the_questions_as_rows_and_as_json(say: Any) -> None:
    rows = say("list").out.splitlines()
    assert rows[0].split() == ["ID", "WAITS", "LEFT", "DESTINATION", "COMMAND"]
    assert rows[1].split()[:4] == ["AA1111", "1", "15:00", "https://pypi.org:443"]
    told = say("list", "--json").documents
    assert [each["approval_id"] for each in told] == ["a-AAAA1111", "a-BBBB2222", "a-CCCC3333"]
    assert told[0]["gateway"] == "control.sock"


@pytest.mark.parametrize("room", [40, 60, 80])
def test_on_a_terminal_a_long_name_shows_whose_it_is(
    folder: Path, say: Any, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """`accounts.example.com.….evil.test` is not `accounts.example.com`."""
    monkeypatch.setattr(approvals_command, "columns", lambda: room)
    name = "accounts.example.com." + "a" * 60 + ".evil.test"
    with control_gateway(folder, FakeInbox(question("a-AAAA1111", asking(name)))):
        heading, row = say("list").out.splitlines()
    assert "evil.test:443" in row
    assert "accounts" not in row
    assert len(heading) <= room
    assert len(row) <= room


def test_without_a_gateway_it_says_where_it_looked(folder: Path, say: Any) -> None:
    for verb in ("list", "grants", "sessions", "decisions"):
        said = say(verb)
        assert (said.status, said.out) == (69, "")
        assert str(folder) in said.err
    assert say("approve", "a-AAAA1111").status == 69


def test_one_that_does_not_answer_is_told_from_none(folder: Path, say: Any) -> None:
    """Stopped by Ctrl-Z, for one: nobody accepts."""
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(folder / "control.sock"))
        stopped.listen(0)
        with pytest.raises(Silent):
            Gateway(folder, "control.sock", 0.05).ask("GET", "/v1/approvals")
        # That of before stands in its queue, which has no more room.
        every = [say("list"), say("login"), say("token", "list"), say("token", "revoke", "ci")]
    for said in every:
        assert (said.status, said.out) == (69, "")
        assert "control.sock: a gateway of yours does not answer; stopped?" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["show", "AAAA"],
        ["approve", "AAAA"],
        ["deny", "AAAA"],
        ["grants"],
        ["revoke", "AAAA"],
        ["watch"],
        ["decisions"],
        ["sessions"],
        ["login"],
        ["token", "list"],
        ["token", "add", "ci"],
        ["token", "revoke", "ci"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("home", ["", "relative/x"])
@pytest.mark.usefixtures("homeless")
def test_without_a_home_it_says_so(
    words: list[str], home: str, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway of theirs would say so, too, and not take a folder below the working directory."""
    monkeypatch.setenv("HOME", home)
    said = say(*words)
    told = f"netproxy approvals {words[0]}: HOME is not set, and this user has no home folder\n"
    assert (said.status, said.out, said.err) == (78, "", told)


def test_all_gateways_are_asked_and_each_gets_its_own_answer(folder: Path, say: Any) -> None:
    first = FakeInbox(question("a-AAAA1111"))
    second = FakeInbox(question("a-BBBB2222"))
    with control_gateway(folder, first), control_gateway(folder, second):
        assert len(say("list", "--json").documents) == 2
        assert say("deny", "2222").status == 0
    assert first.decided == []
    assert [approval_id for approval_id, _ in second.decided] == ["a-BBBB2222"]


@pytest.mark.parametrize(
    ("words", "expected", "sentence"),
    [
        ((), {"scope": Scope.ONCE}, "for the request that waits now"),
        (("--once",), {"scope": Scope.ONCE}, "for the request that waits now"),
        (("--run",), {"scope": Scope.RUN}, "until the run ends"),
        (("--session",), {"scope": Scope.SESSION}, "until the session ends"),
        (("--for", "1h"), {"scope": Scope.TIME, "seconds": 3600.0}, "for 1 h, until "),
        (("--always", "--yes"), {"scope": Scope.ALWAYS}, "for good, by a rule"),
        (
            ("--run", "--connections", "3", "--bytes", "20M"),
            {"budget": Budget(connections=3, bytes=20_000_000)},
            "until the run ends, for 3 connections and 20 MB",
        ),
        (("--comment", "for the build"), {"comment": "for the build"}, "allowed: "),
    ],
)
def test_a_yes_says_how_far_it_reaches(
    words: tuple[str, ...],
    expected: dict[str, object],
    sentence: str,
    gateway: ControlGateway,
    say: Any,
) -> None:
    said = say("approve", "a-AAAA1111", *words)
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("allowed: https://pypi.org:443 ")
    assert sentence in said.out
    ((_, given),) = gateway.inbox.decided
    assert given.verdict is Verdict.ALLOW
    assert {name: getattr(given, name) for name in expected} == expected
    assert given.channel == "cli"


@pytest.mark.parametrize(
    ("words", "expected", "sentence"),
    [
        ((), {"scope": Scope.ONCE, "cancel": True}, "once; the command is stopped"),
        (("--continue",), {"cancel": False}, "once; the command goes on"),
        (("--session", "--stop"), {"scope": Scope.SESSION, "cancel": True}, "until the session"),
        (("--always", "--yes"), {"scope": Scope.ALWAYS}, "for good, by a rule"),
    ],
)
def test_a_no_says_what_becomes_of_the_command(
    words: tuple[str, ...],
    expected: dict[str, object],
    sentence: str,
    gateway: ControlGateway,
    say: Any,
) -> None:
    said = say("deny", "1111", *words)
    assert said.status == 0
    assert sentence in said.out
    ((_, given),) = gateway.inbox.decided
    assert {name: getattr(given, name) for name in expected} == expected


def test_a_group_is_answered_together(gateway: ControlGateway, say: Any) -> None:
    said = say("approve", "2222", "--group", "--session")
    assert said.status == 0
    assert len(said.out.splitlines()) == 2
    assert [given for given, _ in gateway.inbox.decided] == ["a-BBBB2222", "a-CCCC3333"]


@pytest.mark.parametrize(
    ("number", "words"), [(150, ()), (30, ("--comment", "\u00fc" * 2000))], ids=["many", "long"]
)
def test_a_group_of_any_size_is_answered_in_portions(
    folder: Path, say: Any, number: int, words: tuple[str, ...]
) -> None:
    """The API takes 64 answers, and 64 KiB, at once; `max_pending` may be higher than that."""
    asked = (question(f"a-{n:04}XX", asking(f"h{n}.test")) for n in range(number))
    with control_gateway(folder, FakeInbox(*asked)) as made:
        said = say("deny", "0007XX", "--group", *words)
    assert (said.status, said.err) == (0, "")
    assert len(said.out.splitlines()) == number
    assert len({given for given, _ in made.inbox.decided}) == number


def test_of_a_group_each_is_told(
    gateway: ControlGateway, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is answered by somebody else, between the look and the answer."""
    inbox = gateway.inbox
    decide_all = inbox.decide_all

    async def late(answers: Any) -> Any:
        inbox.resolve("a-CCCC3333", Status.DENIED, answer(Verdict.DENY, reviewer="bob"))
        return await decide_all(answers)

    monkeypatch.setattr(inbox, "decide_all", late)
    said = say("approve", "2222", "--group")
    assert said.status == 65
    assert "bob (fake) was faster" in said.out
    assert "allowed: https://files.pythonhosted.org:443" in said.out


def test_a_rule_is_not_written_without_being_asked_back(gateway: ControlGateway, say: Any) -> None:
    said = say("approve", "1111", "--always")
    assert said.status == 64
    assert "--yes" in said.err
    assert gateway.inbox.decided == []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("approve",), 64),
        (("approve", "1111", "--run", "--session"), 64),
        (("approve", "1111", "--for", "1"), 64),
        (("approve", "1111", "--for", "0s"), 64),
        (("approve", "1111", "--bytes", "-1", "--run"), 64),
        (("approve", "1111", "--connections", "0", "--run"), 64),
        (("approve", "1111", "--connections", "3"), 64),
        (("approve", "nothing"), 66),
        (("approve", "1"), 66),
        (("approve", "a-"), 66),
        (("deny", "1111", "--stop", "--continue"), 64),
        (("revoke", "g-nothing"), 66),
        (("show", "a-nothing"), 66),
        (("decisions", "--limit", "0"), 64),
        (("list", "--jsn"), 64),
        (("lst",), 64),
        ((), 64),
        (("--help",), 0),
    ],
)
def test_exit_statuses(
    words: tuple[str, ...], status: int, gateway: ControlGateway, say: Any
) -> None:
    assert say(*words).status == status
    assert gateway.inbox.decided == []


def test_an_id_that_fits_two_is_not_guessed(folder: Path, say: Any) -> None:
    inbox = FakeInbox(question("a-AAAA1111"), question("a-BBBB1111"))
    with control_gateway(folder, inbox):
        assert say("approve", "1111").status == 64
        assert say("approve", "b1111").status == 0
    assert [given for given, _ in inbox.decided] == ["a-BBBB1111"]


def test_who_comes_second_is_told_who_won(
    gateway: ControlGateway, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = gateway.inbox
    decide = inbox.decide

    async def late(approval_id: str, given: Any) -> Any:
        inbox.resolve(approval_id, Status.DENIED, answer(Verdict.DENY, reviewer="bob"))
        return await decide(approval_id, given)

    monkeypatch.setattr(inbox, "decide", late)
    said = say("approve", "1111")
    assert (said.status, said.out) == (65, "")
    assert said.err == "netproxy approvals approve: bob (fake) was faster\n"


def test_a_store_that_is_down_is_a_matter_of_time(gateway: ControlGateway, say: Any) -> None:
    gateway.inbox.broken = StoreUnavailable("disk full")
    said = say("approve", "1111")
    assert said.status == 75
    assert "nothing was changed" in said.err


def test_a_scope_that_is_not_offered_is_not_sent(folder: Path, say: Any) -> None:
    narrow = replace(question("a-AAAA1111"), widest_scope=Scope.ONCE)
    inbox = FakeInbox(narrow)
    with control_gateway(folder, inbox):
        said = say("approve", "1111", "--session")
    assert said.status == 64
    assert "may be answered for: once" in said.err


def test_a_process_of_the_run_itself_is_refused(folder: Path, say: Any) -> None:
    inbox = FakeInbox(question("a-AAAA1111"))
    with control_gateway(folder, inbox, is_own=lambda _: True) as made:
        for words in (("list",), ("approve", "a-AAAA1111"), ("grants",)):
            assert say(*words).status == 77
        assert {event.attributes()["approval.id"] for event in made.sink.events} == {None}
    assert inbox.decided == []


def test_grants_are_listed_and_revoked(gateway: ControlGateway, say: Any) -> None:
    held = replace(grant(), grant_id="g-ZZZZ9999", budget=Budget(connections=3), used_connections=1)
    gateway.do(lambda: gateway.inbox.hold(held))
    rows = say("grants").out.splitlines()
    assert rows[1].split()[:2] == ["ZZ9999", "allow"]
    assert "1 of 3 connections" in rows[1]
    assert say("grants", "--json").documents[0]["grant_id"] == "g-ZZZZ9999"
    said = say("revoke", "9999", "--comment", "a mistake")
    assert (said.status, said.out) == (0, "revoked: allow https://pypi.org:443\n")
    ((_, _, channel, comment),) = gateway.inbox.revoked
    assert (channel, comment) == ("cli", "a mistake")
    assert say("grants").out == "nothing is allowed or denied by a reviewer now\n"


def test_what_is_over_is_listed_and_shown(gateway: ControlGateway, say: Any) -> None:
    gateway.do(
        lambda: gateway.inbox.resolve(
            "a-AAAA1111", Status.DENIED, replace(answer(Verdict.DENY), comment="not here")
        )
    )
    rows = say("decisions").out.splitlines()
    assert rows[1].split()[0] == "AA1111"
    assert "denied" in rows[1]
    shown = say("show", "1111").out
    assert "denied at" in shown
    assert "by anna (fake), deny once: not here" in shown
    assert say("show", "1111", "--json").documents[0]["approval"]["status"] == "denied"
    assert say("decisions", "--json").documents[0]["approval_id"] == "a-AAAA1111"


@pytest.mark.usefixtures("gateway")
def test_one_that_stands_is_shown_with_what_is_known(say: Any) -> None:
    shown = say("show", "a-BBBB2222").out
    for text in ("https://files.pythonhosted.org:443", "pip install requests", "1 waits, 15:00"):
        assert text in shown


@pytest.mark.usefixtures("gateway")
def test_who_is_served(say: Any) -> None:
    assert say("sessions", "--json").documents[0]["run"] == "r-1"


def test_tokens_are_made_listed_and_revoked(folder: Path, say: Any) -> None:
    with control_gateway(folder, store=folder / "approvals.db"):
        made = say("token", "add", "bot", "--may", "read,decide", "--for", "1h")
        assert made.out.startswith("npx_"), made.err
        assert "for bot: decide, read, until " in made.err
        assert say("token", "add", "bot").status == 65
        rows = say("token", "list").out.splitlines()
        assert rows[1].split()[1:3] == ["bot", "decide,read"]
        told = say("token", "list", "--json").documents[0]
        assert "token" not in told
        assert say("token", "revoke", told["token_id"][-6:]).out == "revoked: bot\n"
        assert say("token", "list").out == "no token is good now\n"
        assert say("token", "revoke", "bot").err.endswith("there is no token 'bot'\n")
        assert say("token", "add", "bot").status == 0
        assert say("token", "revoke", "bot").out == "revoked: bot\n"
        assert say("token", "add", "x", "--may", "everything").status == 64
        assert say("token").status == 64


@pytest.mark.usefixtures("gateway")
def test_what_a_gateway_has_not_is_said(say: Any) -> None:
    for words, missing in ((("token", "list"), "store"), (("login",), "--inbox")):
        said = say(*words)
        assert (said.status, said.out) == (69, "")
        assert missing in said.err


def test_every_verb_explains_itself(say: Any) -> None:
    for verb in VERBS:
        said = say(verb, "--help")
        assert said.status == 0
        assert said.out.startswith(f"usage: netproxy approvals {verb}")


def test_the_api_s_document(say: Any) -> None:
    document = say("openapi").out
    assert json.loads(document)["openapi"] == "3.1.0"
    assert document.isascii(), "any terminal and file can take it"


def test_one_word_too_many_is_no_option(say: Any) -> None:
    said = say("approve", "a-AAAA1111", "a-BBBB2222")
    assert (said.status, said.out) == (64, "")
    assert said.err == (
        "netproxy approvals approve: 'a-BBBB2222' is one word too many "
        "(see netproxy approvals approve --help)\n"
    )
