"""Where each setting comes from, which layer wins, and that nothing unclear starts a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import (
    HOLD_SECONDS,
    MANAGED_FILE,
    Ask,
    Settings,
    load_settings,
)
from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Reason, Verdict
from netproxy.policy.spec import Mode
from tests.support.policies import Memory, to

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
default_profile = "dev"

[profiles.dev.network]
mode = "limited"
on_denial = "block"
allow = ["pypi.org:443"]
allow_private = ["10.0.0.0/8"]

[profiles.ci.network]
default = "deny"

[resolver]
hosts = { "a.test" = "10.0.0.1", "b.test" = "10.0.0.2" }
timeout_seconds = 2

[approvals]
hold_seconds = 7

[audit]
directory = "~/audit"
otlp = "http://collector.test:4318"

[sandbox]
write = ["/srv/cache", "~/.cache"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def settings(home: Path, *arguments: str, **environ: str) -> Settings:
    options = parse_run([*arguments, "--", "true"])
    return load_settings(
        options, {"HOME": str(home), **environ}, managed_file=home / "requirements.toml"
    )


def endpoint(found: Settings) -> str | None:
    return found.otlp.endpoint if found.otlp else None


def problems(home: Path, *arguments: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        settings(home, *arguments, **environ)
    return caught.value.problems


def write(home: Path, text: str) -> Path:
    path = home / ".config" / "netproxy" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_everybody_is_asked_and_denials_cancel(home: Path) -> None:
    found = settings(home)
    assert found.command == ("true",)
    assert (found.profile, found.spec.rules) == (None, ())
    assert (found.spec.mode, found.spec.default, found.ask) == (
        Mode.FULL,
        Verdict.ASK,
        Ask.TERMINAL,
    )
    assert found.spec.on_denial is OnDenial.CANCEL
    assert (found.hold_seconds, found.resolve_seconds) == (HOLD_SECONDS, 10)
    assert found.audit_directory == home / ".local/state/netproxy/audit"
    assert (found.otlp, found.timeout_seconds, found.session_name) == (None, None, None)
    assert (found.resolver_hosts, found.write_paths, found.no_sandbox) == ({}, (), False)


def test_the_users_file_is_read(home: Path) -> None:
    write(home, FILE)
    found = settings(home)
    assert (found.profile, found.spec.mode, found.spec.on_denial) == (
        "dev",
        Mode.LIMITED,
        OnDenial.BLOCK,
    )
    assert [rule.label for rule in found.spec.rules] == ["pypi.org:443 (config.toml:6)"]
    assert [str(block) for block in found.spec.allow_private.blocks] == ["10.0.0.0/8"]
    assert (found.hold_seconds, found.resolve_seconds) == (7, 2)
    assert found.audit_directory == home / "audit"
    assert endpoint(found) == "http://collector.test:4318/v1/logs"
    assert found.resolver_hosts == {"a.test": ("10.0.0.1",), "b.test": ("10.0.0.2",)}
    assert [str(path) for path in found.write_paths] == ["/srv/cache", f"{home}/.cache"]


def test_the_command_line_wins_and_rules_add_up(home: Path) -> None:
    write(home, FILE)
    found = settings(
        home, "--on-denial", "cancel", "--allow", "x.test", "--allow-private", "127.0.0.0/8",
        "--resolve", "a.test=10.9.9.9", "--audit-dir", "/a", "--otlp", "http://other.test",
        "--write", "/srv/more", "--timeout", "5", "--session", "s", "--no-sandbox",
    )  # fmt: skip
    assert found.spec.on_denial is OnDenial.CANCEL
    assert [str(rule.origin) for rule in found.spec.rules] == ["config.toml:6", "--allow #1"]
    assert [str(block) for block in found.spec.allow_private.blocks] == [
        "10.0.0.0/8",
        "127.0.0.0/8",
    ]
    assert found.resolver_hosts == {"a.test": ("10.9.9.9",), "b.test": ("10.0.0.2",)}
    assert str(found.audit_directory) == "/a"
    assert endpoint(found) == "http://other.test/v1/logs"
    assert [str(path) for path in found.write_paths] == [
        "/srv/cache",
        f"{home}/.cache",
        "/srv/more",
    ]
    assert (found.timeout_seconds, found.session_name, found.no_sandbox) == (5, "s", True)


def test_config_stands_in_place_of_the_users_file(home: Path) -> None:
    write(home, "this is not TOML")
    other = home / "other.toml"
    other.write_text('[profiles.x.network]\nallow = ["y.test"]\n')
    found = settings(home, "--config", str(other))
    assert [rule.label for rule in found.spec.rules] == ["y.test (other.toml:2)"]


def test_xdg_config_home_is_honoured(home: Path) -> None:
    path = home / "elsewhere" / "netproxy" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[profiles.x.network]\nmode = 'off'\n")
    assert settings(home, XDG_CONFIG_HOME=str(home / "elsewhere")).spec.mode is Mode.OFF


def test_a_file_that_appears_after_the_start_changes_nothing(home: Path) -> None:
    """The sandboxed command may write where the file would be: it is looked for once."""
    found = settings(home)
    policy = found.policy(now=0)
    write(home, "[profiles.x.network]\ndefault = 'allow'\n")
    assert policy.judge(to("evil.test:443"), "CONNECT", Memory()).verdict is Verdict.ASK
    assert found.policy(now=0).spec.default is Verdict.ASK


class TestProfile:
    def test_by_name(self, home: Path) -> None:
        write(home, FILE)
        found = settings(home, "--profile", "ci")
        assert (found.profile, found.spec.default, found.spec.rules) == ("ci", Verdict.DENY, ())

    def test_an_unknown_name_has_a_suggestion(self, home: Path) -> None:
        path = write(home, FILE)
        assert problems(home, "--profile", "deb") == (
            f"--profile 'deb': {path} has no such profile, did you mean dev?",
        )

    def test_a_name_without_a_file(self, home: Path) -> None:
        assert problems(home, "--profile", "dev") == ("--profile 'dev': there is no settings file",)

    def test_the_only_one_needs_no_name(self, home: Path) -> None:
        write(home, "[profiles.solo.network]\n")
        assert settings(home).profile == "solo"

    def test_of_several_none_is_guessed(self, home: Path) -> None:
        path = write(home, "[profiles.a]\n[profiles.b]\n")
        assert problems(home) == (
            f"{path}:1:1 default_profile: is missing: say which of a, b holds, or give --profile",
        )

    @pytest.mark.parametrize("profiles", ["[profiles.dev]\n", ""])
    def test_a_default_that_is_not_there(self, home: Path, profiles: str) -> None:
        path = write(home, f'default_profile = "dew"\n{profiles}')
        (problem,) = problems(home)
        assert problem.startswith(f"{path}:1:1 default_profile: there is no profile 'dew'")


class TestAsk:
    def test_never_turns_a_question_into_a_no(self, home: Path) -> None:
        found = settings(home, "--ask", "never")
        assert (found.ask, found.spec.default) == (Ask.NEVER, Verdict.DENY)
        said = found.policy(now=0).judge(to("a.test:443"), "CONNECT", Memory())
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED)

    def test_never_leaves_a_default_of_allow(self, home: Path) -> None:
        write(home, "[profiles.x.network]\ndefault = 'allow'\n")
        assert settings(home, "--ask", "never").spec.default is Verdict.ALLOW


class TestFiles:
    def test_a_named_file_must_be_there(self, home: Path) -> None:
        missing = home / "missing.toml"
        assert problems(home, "--config", str(missing)) == (f"{missing}: there is no such file",)

    def test_a_directory(self, home: Path) -> None:
        assert problems(home, "--config", str(home)) == (f"{home}: can't be read: is a directory",)

    def test_the_users_file_must_be_readable_if_it_is_there(self, home: Path) -> None:
        path = write(home, "")
        path.unlink()
        path.mkdir()
        assert problems(home) == (f"{path}: can't be read: is a directory",)

    @pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
    def test_permissions(self, home: Path) -> None:
        path = write(home, "")
        path.chmod(0)
        assert problems(home) == (f"{path}: can't be read: permission denied",)

    def test_another_encoding(self, home: Path) -> None:
        path = home / "latin.toml"
        path.write_bytes(b"a = 1\nb = '\xe9'\n")
        assert problems(home, "--config", str(path)) == (f"{path}:2:6 is not UTF-8 text",)

    def test_a_problem_in_the_file_has_its_place(self, home: Path) -> None:
        path = write(home, "[profiles.a.network]\nallow = ['*.com']\n")
        (problem,) = problems(home)
        assert problem.startswith(f"{path}:2:10 profiles.a.network.allow[0]: ")

    def test_relative_paths_have_no_meaning_in_a_file(self, home: Path) -> None:
        path = write(home, "[audit]\ndirectory = 'x'\n[sandbox]\nwrite = ['/a', '../b', '~c']\n")
        assert problems(home) == (
            f"{path}:2:1 audit.directory: 'x' is neither absolute nor below ~/",
            f"{path}:4:16 sandbox.write[1]: '../b' is neither absolute nor below ~/",
            f"{path}:4:24 sandbox.write[2]: '~c' is neither absolute nor below ~/",
        )


class TestManaged:
    def test_it_stops_us_until_it_is_supported(self, home: Path) -> None:
        """Ignoring constraints that somebody laid down would be a silent downgrade."""
        (home / "requirements.toml").write_text("")
        assert problems(home) == (
            f"{home / 'requirements.toml'}: managed settings are not supported yet",
        )

    def test_even_as_a_broken_link(self, home: Path) -> None:
        (home / "requirements.toml").symlink_to("/nonexistent")
        assert "not supported yet" in problems(home)[0]

    def test_a_place_that_cannot_be_looked_into_stops_us_too(self, home: Path) -> None:
        loop = home / "loop"
        loop.symlink_to(loop)
        with pytest.raises(InvalidSettings, match="can't be looked for"):
            load_settings(
                parse_run(["true"]), {"HOME": str(home)}, managed_file=loop / "requirements.toml"
            )

    def test_its_place_is_fixed(self) -> None:
        assert str(MANAGED_FILE) == "/etc/netproxy/requirements.toml"


def test_without_home_the_password_database_knows(home: Path) -> None:
    found = load_settings(
        parse_run(["--config", os.devnull, "true"]), {}, managed_file=home / "requirements.toml"
    )
    assert found.audit_directory.is_absolute()
