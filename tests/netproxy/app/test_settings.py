"""Where each setting comes from, which layer wins, and that nothing unclear starts a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from approvals import Scope
from netproxy.app.approval_settings import ApprovalSettings
from netproxy.app.cli.run_options import RunOptions, parse_run
from netproxy.app.project import read
from netproxy.app.settings import (
    MANAGED_FILE,
    Ask,
    Settings,
    check_project,
    load_settings,
)
from netproxy.app.trust import TrustStore
from netproxy.config import ChosenLimits
from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Reason, Verdict
from netproxy.policy.origin import Layer
from netproxy.policy.spec import Mode
from otel import EvidenceSettings, OtlpSettings
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

[limits]
connections_per_run = 10
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def settings(home: Path, *arguments: str, **environ: str) -> Settings:
    options = parse_run([*arguments, "--", "true"])
    work = home / "work"
    work.mkdir(exist_ok=True)
    return load_settings(
        options,
        {"HOME": str(home), **environ},
        managed_file=home / "requirements.toml",
        managed_owner=os.getuid(),
        directory=work,
    )


def endpoint(found: Settings) -> str | None:
    (sink,) = found.sinks or (None,)
    assert sink is None or isinstance(sink, OtlpSettings)
    return sink.endpoint if sink else None


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
    assert (found.approvals, found.resolve_seconds) == (
        ApprovalSettings(store=home / ".local/state/netproxy/approvals.db"),
        10,
    )
    assert found.audit_directory == home / ".local/state/netproxy/audit"
    assert (found.sinks, found.timeout_seconds, found.session_name) == ((), None, None)
    assert (found.resolver_hosts, found.sandbox.write_paths, found.sandbox.no_sandbox) == (
        {},
        (),
        False,
    )


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
    assert (found.approvals.config().hold_seconds, found.resolve_seconds) == (7, 2)
    assert found.limits == ChosenLimits(connections_per_run=10)
    assert found.audit_directory == home / "audit"
    assert endpoint(found) == "http://collector.test:4318/v1/logs"
    assert found.resolver_hosts == {"a.test": ("10.0.0.1",), "b.test": ("10.0.0.2",)}
    assert [str(path) for path in found.sandbox.write_paths] == ["/srv/cache", f"{home}/.cache"]


def test_how_the_journal_is_kept(home: Path) -> None:
    assert settings(home).evidence == EvidenceSettings()
    write(
        home,
        "[audit]\nkey = '~/keys/a.pem'\nsegment_bytes = 1048576\nsegment_seconds = 3600\n"
        "retain_days = 90\nmax_bytes = 2097152\n",
    )
    assert settings(home).evidence == EvidenceSettings(
        key=home / "keys/a.pem",
        segment_bytes=1048576,
        segment_seconds=3600,
        retain_days=90,
        max_bytes=2097152,
    )


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
    assert [str(path) for path in found.sandbox.write_paths] == [
        "/srv/cache",
        f"{home}/.cache",
        "/srv/more",
    ]
    assert (found.timeout_seconds, found.session_name, found.sandbox.no_sandbox) == (5, "s", True)


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
            f"profile 'deb': {path} has no such profile, did you mean dev?",
        )

    def test_a_name_without_a_file(self, home: Path) -> None:
        assert problems(home, "--profile", "dev") == ("profile 'dev': there is no settings file",)

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


def default_places(found: Settings) -> list[str]:
    """Where each layer says what holds without a rule, weakest first."""
    return [each.default.origin.place for each in found.layers if each.default is not None]


class TestAsk:
    def test_never_turns_a_question_into_a_no(self, home: Path) -> None:
        found = settings(home, "--ask", "never")
        assert (found.ask, found.spec.default) == (Ask.NEVER, Verdict.DENY)
        assert default_places(found) == ["--ask never"]
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

    @pytest.mark.usefixtures("no_override")
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


def managed(home: Path, text: str) -> Path:
    path = home / "requirements.toml"
    path.write_text(text)
    return path


class TestManaged:
    """As root would find it: the file belongs to whoever runs this, and that is said."""

    def test_its_denials_come_first_and_its_ceiling_holds(self, home: Path) -> None:
        managed(home, "[network]\ndeny = ['b.test']\nallow = ['**.a.test']\n")
        found = settings(home, "--allow", "x.a.test", "--deny", "x.test")
        assert [rule.label for rule in found.spec.rules] == [
            "b.test (requirements.toml:2)",
            "x.a.test (--allow #1)",
            "x.test (--deny #1)",
        ]
        policy = found.policy(now=0)
        assert policy.judge(to("y.a.test:443"), "CONNECT", Memory()).verdict is Verdict.ASK
        said = policy.judge(to("c.test:443"), "CONNECT", Memory())
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED)

    def test_every_violation_is_told_at_once(self, home: Path) -> None:
        path = managed(
            home,
            "[network]\nallow = ['a.test']\non_denial = 'cancel'\nmay_ask = false\n"
            "[sandbox]\nrequired = true\n",
        )
        user = write(home, "[profiles.p.network]\ndefault = 'ask'\nallow = ['b.test']\n")
        flags = ("--on-denial", "block", "--no-sandbox", "--ask", "terminal")
        outside = f"is outside what {path}:2:1 network.allow lets anybody allow"
        may_ask = f"{path}:4:1 network.may_ask"
        assert problems(home, *flags) == (
            f"{user}:3:10 profiles.p.network.allow[0]: b.test {outside}",
            f"{user}:2:1 profiles.p.network.default: 'ask', but {may_ask} forbids it",
            f"--on-denial: 'block', but {path}:3:1 network.on_denial demands cancel",
            f"--no-sandbox: {path}:6:1 sandbox.required demands a sandbox",
            f"--ask terminal: {may_ask} forbids to ask",
        )

    def test_where_asking_is_forbidden_and_nobody_said_ask_it_is_a_no(self, home: Path) -> None:
        managed(home, "[network]\nmay_ask = false\n")
        found = settings(home)
        assert found.spec.default is Verdict.DENY
        (place,) = default_places(found)
        assert place.endswith("network.may_ask")

    def test_what_a_yes_may_be_good_for(self, home: Path) -> None:
        usual = settings(home).approvals
        assert (usual.widest_scope, usual.longest_seconds) == (None, None)
        managed(home, "[approvals]\nmax_scope = 'once'\nmax_seconds = 60\n")
        config = settings(home).approvals.config()
        assert (config.widest_scope, config.grant_seconds) == (Scope.ONCE, 60)

    def test_a_mistake_in_it_stops_everybody(self, home: Path) -> None:
        path = managed(home, "[network]\nmay_aks = false\n")
        assert problems(home)[0].startswith(f"{path}:2:1 network.may_aks: unknown key, did you")

    def test_its_place_is_fixed(self) -> None:
        assert str(MANAGED_FILE) == "/etc/netproxy/requirements.toml"


class TestProject:
    def trusted(self, home: Path, text: str) -> Path:
        path = home / "work" / "netproxy.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        TrustStore(home / ".local/state/netproxy").add(path, read(path).digest)
        return path

    def test_its_rules_stand_between_the_users_and_the_command_lines(self, home: Path) -> None:
        write(home, "[profiles.p.network]\nallow = ['**.a.test']\n")
        self.trusted(home, "[profiles.q.network]\nallow = ['x.a.test']\ndeny = ['b.test']\n")
        found = settings(home, "--deny", "c.test")
        assert [str(rule.origin) for rule in found.spec.rules] == [
            "config.toml:2",
            "netproxy.toml:2",
            "netproxy.toml:3",
            "--deny #1",
        ]
        assert [source.layer for source in found.sources] == [Layer.USER, Layer.PROJECT]

    def test_it_can_be_left_out(self, home: Path) -> None:
        self.trusted(home, "[profiles.q.network]\ndeny = ['b.test']\n")
        assert settings(home, "--no-project").spec.rules == ()

    def test_each_file_chooses_its_own_profile(self, home: Path) -> None:
        """A project can't drop the user's denials by naming another profile."""
        write(
            home,
            "default_profile = 'a'\n[profiles.a.network]\ndeny = ['a.test']\n"
            "[profiles.b.network]\ndeny = ['b.test']\n",
        )
        self.trusted(home, "[profiles.c.network]\ndeny = ['c.test']\n")
        assert [str(rule) for rule in settings(home).spec.rules] == ["a.test", "c.test"]
        by_name = settings(home, "--profile", "b").spec.rules
        assert [str(rule) for rule in by_name] == ["b.test", "c.test"]
        of_project = settings(home, "--profile", "c").spec.rules
        assert [str(rule) for rule in of_project] == ["a.test", "c.test"]

    def test_it_widens_only_what_its_user_gives_to_projects(self, home: Path) -> None:
        path = self.trusted(home, "[profiles.q.network]\nallow = ['b.test', 'c.test']\n")
        user = write(home, "[projects]\nallow = ['b.test']\n")
        given = f"is more than the user allows by rules or by {user}:1:1 projects"
        assert problems(home) == (f"{path}:2:20 profiles.q.network.allow[1]: c.test {given}",)

    def test_the_managed_file_bounds_it_too(self, home: Path) -> None:
        path = self.trusted(home, "[profiles.q.network]\nallow = ['b.test']\n")
        write(home, "[projects]\nallow = ['b.test']\n")
        managed_file = managed(home, "[network]\nallow = ['a.test']\n")
        outside = f"is outside what {managed_file}:2:1 network.allow lets anybody allow"
        assert problems(home) == (f"{path}:2:10 profiles.q.network.allow[0]: b.test {outside}",)

    def test_it_is_checked_before_it_is_trusted(self, home: Path) -> None:
        path = home / "work" / "netproxy.toml"
        path.parent.mkdir()
        path.write_text("[profiles.q.network]\nallow = ['b.test']\n")
        none = home / "requirements.toml"
        with pytest.raises(InvalidSettings, match="more than the user allows"):
            check_project(read(path), RunOptions(), {"HOME": str(home)}, managed_file=none)
        write(home, "[projects]\nallow = ['b.test']\n")
        found = check_project(read(path), RunOptions(), {"HOME": str(home)}, managed_file=none)
        assert [profile.name for profile in found] == ["q"]
        assert [str(rule) for profile in found for rule in profile.wider] == ["b.test"]


class TestBundles:
    def test_a_flag_may_name_one_of_the_users(self, home: Path) -> None:
        write(home, "[bundles]\npython = ['pypi.org:443', 'files.test']\n")
        found = settings(home, "--allow", "@python")
        assert [rule.label for rule in found.spec.rules] == [
            "pypi.org:443 (config.toml:2 @python)",
            "files.test (config.toml:2 @python)",
        ]
        assert {rule.origin.layer for rule in found.spec.rules} == {Layer.COMMAND_LINE}

    def test_an_unknown_one_is_an_error(self, home: Path) -> None:
        write(home, "[bundles]\npython = ['pypi.org:443']\n")
        assert problems(home, "--allow", "a.test", "--allow", "@pyton") == (
            "--allow #2: there is no bundle 'pyton', did you mean python?",
        )


def test_without_home_the_password_database_knows(home: Path) -> None:
    found = load_settings(
        parse_run(["--config", os.devnull, "true"]), {}, managed_file=home / "requirements.toml"
    )
    assert found.audit_directory.is_absolute()
