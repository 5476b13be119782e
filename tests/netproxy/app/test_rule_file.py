"""A rule is appended whole or not at all, in place, and only where it will hold."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.rule_file import NotWritten, RuleFile, Wanted
from netproxy.app.settings import load_settings
from netproxy.model import Destination, OnDenial, Protocol, Reason, Verdict
from netproxy.policy.change import NothingRemembered

if TYPE_CHECKING:
    from pathlib import Path

WHERE = Destination("pypi.org", 443, Protocol.HTTPS)
HELD = """\
# mine
[profiles.dev.network]  # keep this
allow = ["a.test"]
"""
RULE = """\

[[profiles.dev.network.rules]]
host = "pypi.org"
ports = [443]
protocols = ["https"]
verdict = "allow"
reason = "approved by anna"
"""


def wanted(
    verdict: Verdict = Verdict.ALLOW,
    *,
    where: Destination = WHERE,
    on_denial: OnDenial | None = None,
) -> Wanted:
    return Wanted(
        destination=where, verdict=verdict, on_denial=on_denial, reason="approved by anna"
    )


class Home:
    """A user with settings, a managed file and a folder to work in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.work.mkdir()
        self.config = path / ".config" / "netproxy" / "config.toml"
        self.managed = path / "requirements.toml"

    def write(self, text: str = HELD) -> Path:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)
        return self.config

    def rules(self, *arguments: str, lock_seconds: float = 2.0) -> RuleFile:
        options = parse_run([*arguments, "--", "true"])
        self.load = partial(
            load_settings,
            options,
            {"HOME": str(self.path)},
            managed_file=self.managed,
            managed_owner=os.getuid(),
            directory=self.work,
        )
        named = options.config
        return RuleFile(
            named or self.config, self.load, is_own=named is None, lock_seconds=lock_seconds
        )

    def judged(self, where: Destination = WHERE) -> Reason:
        policy = self.load().policy(now=0)
        return policy.judge(where, "CONNECT", NothingRemembered()).reason


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def write(file: RuleFile, what: Wanted | None = None) -> bool:
    """Whether the file was made."""
    addition = file.prepare(what or wanted())
    assert addition is not None
    return addition.append()


def refusal(file: RuleFile, what: Wanted | None = None) -> str:
    with pytest.raises(NotWritten) as caught:
        write(file, what)
    return str(caught.value)


def test_it_is_appended_and_everything_else_stays(home: Home) -> None:
    path = home.write()
    path.chmod(0o640)
    before = path.stat()
    file = home.rules()
    assert home.judged() is Reason.NOT_ALLOWED
    assert write(file) is False
    after = path.stat()
    assert path.read_text() == HELD + RULE
    assert (after.st_ino, after.st_mode, after.st_uid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
    )
    assert home.judged() is Reason.ALLOWED_BY_RULE


def test_a_line_without_an_end_is_ended_first(home: Home) -> None:
    path = home.write(HELD.removesuffix("\n"))
    write(home.rules())
    assert path.read_text() == HELD.removesuffix("\n") + "\n" + RULE


def test_a_link_stays_one(home: Home) -> None:
    real = home.path / "dotfiles.toml"
    real.write_text(HELD)
    home.config.parent.mkdir(parents=True)
    home.config.symlink_to(real)
    write(home.rules())
    assert home.config.is_symlink()
    assert real.read_text() == HELD + RULE


def test_the_file_that_was_named_gets_it_and_no_other(home: Home) -> None:
    home.write()
    other = home.path / "other.toml"
    other.write_text(HELD)
    write(home.rules("--config", str(other)))
    assert other.read_text() == HELD + RULE
    assert home.config.read_text() == HELD


def test_without_a_file_one_is_made_and_everything_else_stays_the_default(home: Home) -> None:
    file = home.rules()
    before = home.load()
    assert file.is_writable
    assert write(file) is True
    assert home.config.stat().st_mode & 0o777 == 0o600
    assert home.config.parent.stat().st_mode & 0o777 == 0o700
    after = home.load()
    assert home.judged() is Reason.ALLOWED_BY_RULE
    assert (after.spec.mode, after.spec.default, after.approvals) == (
        before.spec.mode,
        before.spec.default,
        before.approvals,
    )


def test_a_file_that_was_named_is_never_made(home: Home) -> None:
    other = home.path / "other.toml"
    other.write_text(HELD)
    file = home.rules("--config", str(other))
    other.unlink()
    assert not file.is_writable
    assert "there is no such file" in refusal(file)
    assert not other.exists()


def test_an_empty_file_is_written_too(home: Home) -> None:
    home.write("")
    assert write(home.rules()) is False
    assert home.judged() is Reason.ALLOWED_BY_RULE


@pytest.mark.parametrize("verdict", [Verdict.ALLOW, Verdict.DENY])
def test_the_same_rule_is_not_written_twice(home: Home, verdict: Verdict) -> None:
    path = home.write()
    file = home.rules()
    write(file, wanted(verdict))
    once = path.read_text()
    assert file.prepare(wanted(verdict)) is None
    assert path.read_text() == once


def test_a_denial_says_what_becomes_of_the_command(home: Home) -> None:
    path = home.write()
    write(home.rules(), wanted(Verdict.DENY, on_denial=OnDenial.BLOCK))
    assert path.read_text().endswith('on_denial = "block"\n')
    assert home.judged() is Reason.DENIED_BY_RULE


def test_the_profile_that_holds_gets_it(home: Home) -> None:
    text = "default_profile = 'a'\n[profiles.a.network]\n[profiles.\"b c\".network]\n"
    path = home.write(text)
    write(home.rules("--profile", "b c"))
    assert '[[profiles."b c".network.rules]]' in path.read_text()
    assert home.judged() is Reason.ALLOWED_BY_RULE


def test_a_file_without_profiles_gets_the_only_one(home: Home) -> None:
    home.write("[audit]\nmode = 'strict'\n")
    write(home.rules())
    assert home.judged() is Reason.ALLOWED_BY_RULE


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("profiles = { dev = { network = {} } }\n", id="inline table"),
        pytest.param(
            "[profiles.dev.network]\nrules = [{ host = 'a.test', verdict = 'allow' }]\n",
            id="inline rules",
        ),
    ],
)
def test_a_shape_that_takes_no_more_tables_is_left_alone(home: Home, text: str) -> None:
    path = home.write(text)
    assert refusal(home.rules()).startswith(f"{path}:")
    assert path.read_text() == text


def test_what_the_managed_file_forbids_is_not_written(home: Home) -> None:
    path = home.write()
    home.managed.write_text("[network]\nallow = ['a.test']\n")
    assert f"is outside what {home.managed}" in refusal(home.rules())
    assert path.read_text() == HELD


def test_a_rule_that_another_one_overrules_is_not_written(home: Home) -> None:
    text = HELD + 'deny = ["**.pypi.org"]\n'
    path = home.write(text)
    assert refusal(home.rules()).endswith("other rules say otherwise, so it would not hold")
    assert path.read_text() == text


def test_a_file_with_a_mistake_is_left_alone(home: Home) -> None:
    path = home.write()
    file = home.rules()
    path.write_text(HELD + "mod = 'full'\n")
    assert "unknown key" in refusal(file)
    assert path.read_text() == HELD + "mod = 'full'\n"


def test_a_file_that_changes_while_it_is_read_is_left_alone(home: Home) -> None:
    path = home.write()
    addition = home.rules().prepare(wanted())
    assert addition is not None
    with path.open("a") as editor:
        editor.write("# one more\n")
    with pytest.raises(NotWritten, match="was changed meanwhile"):
        addition.append()
    assert path.read_text() == HELD + "# one more\n"


def test_what_is_given_up_changes_nothing_and_lets_others_in(home: Home) -> None:
    path = home.write()
    file = home.rules()
    addition = file.prepare(wanted())
    assert addition is not None
    addition.close()
    assert path.read_text() == HELD
    write(file)


def test_two_gateways_do_not_write_into_each_other(home: Home) -> None:
    path = home.write()
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert refusal(home.rules(lock_seconds=0.05)).endswith("somebody else keeps it locked")
    assert path.read_text() == HELD


def test_a_write_that_fails_midway_leaves_the_file_as_it_was(home: Home) -> None:
    path = home.write()
    file = home.rules()
    addition = file.prepare(wanted())
    assert addition is not None
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(HELD) + 20, usual[1]))
    try:
        with pytest.raises(NotWritten, match="no space left"):
            addition.append()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_text() == HELD


@pytest.mark.parametrize("kind", ["folder", "fifo", "link to nothing"])
def test_what_is_no_file_is_not_written(home: Home, kind: str) -> None:
    file = home.rules()
    home.config.parent.mkdir(parents=True)
    if kind == "folder":
        home.config.mkdir()
    elif kind == "fifo":
        os.mkfifo(home.config)
    else:
        home.config.symlink_to(home.path / "absent")
    assert not file.is_writable
    assert str(home.config) in refusal(file)
    assert not (home.path / "absent").exists()
