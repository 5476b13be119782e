"""The command line of `run`: ours up to the command, and the command untouched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.cli.run_options import BundleUse, RunOptions, parse_run
from netproxy.app.settings import Ask
from netproxy.model import OnDenial
from netproxy.policy.rules import Effect, Rule

EVERYTHING = [
    "--allow", "example.org:443", "--deny=**.tracker.example", "--allow", "*.example.net",
    "--allow-private", "10.0.0.0/8", "--config", "/etc/x.toml", "--profile", "dev",
    "--ask", "never", "--on-denial", "block", "--session", "review-1",
    "--timeout", "1.5", "--audit-dir", "/var/a",
    "--otlp", "http://127.0.0.1:4318", "--audit-mode", "strict",
    "--write", "/srv/a", "--write", "b", "--no-sandbox",
    "--resolve", "a.test=10.0.0.1", "--resolve", "A.test=::1", "--resolve", "b.test=10.0.0.2",
]  # fmt: skip


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        parse_run(arguments)
    captured = capsys.readouterr()
    assert caught.value.code == 64
    assert captured.out == ""
    assert captured.err.startswith("netproxy run: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_every_option() -> None:
    options = parse_run([*EVERYTHING, "--", "curl", "-v"])
    assert [rule.label for rule in options.rules if isinstance(rule, Rule)] == [
        "example.org:443 (--allow #1)",
        "**.tracker.example (--deny #1)",
        "*.example.net (--allow #2)",
    ]
    assert [str(block) for block in options.allow_private] == ["10.0.0.0/8"]
    assert options.config == Path("/etc/x.toml")
    assert (options.profile, options.session) == ("dev", "review-1")
    assert (options.ask, options.on_denial) == (Ask.NEVER, OnDenial.BLOCK)
    assert options.timeout_seconds == 1.5
    assert options.audit_directory == Path("/var/a")
    assert options.otlp == "http://127.0.0.1:4318"
    assert options.audit_mode == "strict"
    assert options.sandbox.write == (Path("/srv/a"), Path.cwd() / "b")
    assert options.sandbox.no_sandbox
    assert options.resolve == {"a.test": ("10.0.0.1", "::1"), "b.test": ("10.0.0.2",)}
    assert options.command == ("curl", "-v")


def test_nothing_but_a_command() -> None:
    assert parse_run(["true"]) == RunOptions(command=("true",))


def test_a_bundle_is_named_and_not_yet_known() -> None:
    options = parse_run(["--allow", "a.test", "--allow", "@python", "--deny", "@evil", "true"])
    assert [use for use in options.rules if isinstance(use, BundleUse)] == [
        BundleUse(effect=Effect.ALLOW, name="@python", key="--allow #2"),
        BundleUse(effect=Effect.DENY, name="@evil", key="--deny #1"),
    ]


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        pytest.param(["--", "curl", "--allow", "x"], ("curl", "--allow", "x"), id="after --"),
        pytest.param(["curl", "--allow", "x"], ("curl", "--allow", "x"), id="first word"),
        pytest.param(["curl", "--", "x"], ("curl", "--", "x"), id="the command's own --"),
        pytest.param(["--", "--", "x"], ("--", "x"), id="two --"),
        pytest.param(["--", "--help"], ("--help",), id="a command that looks like an option"),
        pytest.param(["--ask", "never", "-"], ("-",), id="a dash"),
        pytest.param(["sh", "-c", "a; b $(c) 'd'"], ("sh", "-c", "a; b $(c) 'd'"), id="shell text"),
        pytest.param(["echo", "", " "], ("echo", "", " "), id="empty words"),
    ],
)
def test_the_command_is_passed_on_as_it_is(arguments: list[str], command: tuple[str, ...]) -> None:
    assert parse_run(arguments).command == command


@given(st.lists(st.text(), min_size=1))
def test_whatever_follows_the_two_dashes_is_the_command(command: list[str]) -> None:
    assert parse_run(["--allow", "example.org", "--", *command]).command == tuple(command)


def test_two_calls_share_nothing() -> None:
    parse_run(["--allow", "example.org", "true"])
    assert parse_run(["true"]).rules == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no command given"),
        (["--allow", "example.org"], "no command given"),
        (["--"], "no command given"),
        (["--alow", "example.org", "true"], "unknown option --alow, did you mean --allow?"),
        (["--al=x", "true"], "unknown option --al"),
        (["-x", "true"], "unknown option -x"),
        (["--ask", "never", "--inbox", "127.0.0.1:1", "true"], "so there is no --inbox"),
        (["--allow"], "--allow: expected one argument"),
        (["--allow", "--", "true"], "--allow: expected one argument"),
        (["--allow", "a b", "true"], "holds ' '"),
        (["--allow", "*.com", "true"], "did you mean *.example.com?"),
        (["--allow", "a.test:0", "true"], "port '0'"),
        (["--deny", "http//a.test", "true"], "did you mean http://a.test?"),
        (["--allow-private", "10.0.0.1/8", "true"], "did you mean 10.0.0.0/8?"),
        (["--allow-private", "0.0.0.0/0", "true"], "name the local block"),
        (["--ask", "nevr", "true"], "did you mean never?"),
        (["--on-denial", "blok", "true"], "did you mean block?"),
        (["--timeout", "0", "true"], "'0' is not a number of seconds above 0"),
        (["--timeout", "1e9", "true"], "'1e9' is not a number of seconds above 0, as 90 or 0.5"),
        (["--timeout", "-1", "true"], "'-1' is not a number"),
        (["--timeout", "inf", "true"], "'inf' is not a number"),
        (["--timeout", "1e3", "true"], "'1e3' is not a number"),
        (["--session", "a b", "true"], "'a b' is not a label"),
        (["--session", "\x1b[2J", "true"], "is not a label"),
        (["--config", "", "true"], "'' is not a path"),
        (["--resolve", "a.test", "true"], "is not HOST=ADDRESS"),
        (["--resolve", "a.test=b.test", "true"], "'b.test' is not an IP address"),
        (["--resolve", "1.2.3.4=::1", "true"], "only names are looked up"),
        (["--resolve", "a b=::1", "true"], "holds ' '"),
        (["--otlp", "127.0.0.1:4318", "true"], "expected a URL such as"),
        (["--otlp", "http://u:p@a.test", "true"], "must not carry credentials"),
        (["--no-sandbox=1", "true"], "--no-sandbox"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_one_line_and_64(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(arguments, capsys)


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_run(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for word in EVERYTHING:
        if word.startswith("--"):
            assert word.split("=")[0] in said


def test_nothing_heavy_is_imported_before_a_file_needs_it() -> None:
    """`netproxy run --ask never -- true` has 250 ms in all."""
    heavy = {"pydantic", "idna", "tomllib", "logging", "asyncio", "subprocess", "requests"}
    program = (
        "import sys\n"
        "from netproxy.app.cli.run_options import parse_run\n"
        "from netproxy.app.settings import load_settings\n"
        "options = parse_run(['--allow', 'example.org', '--', 'true'])\n"
        "load_settings(options, {'HOME': '/nonexistent'}).policy(now=0)\n"
        f"print(sorted({heavy!r} & set(sys.modules)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
