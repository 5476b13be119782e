"""Bad input gets one clear line and the right status, and nothing is started."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.usage import UsageParser
from tests.support.people import Person, ordinary_user
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from pathlib import Path

USAGE, CONFIG, OURS = 64, 78, 125


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--alow", "a.test", "--", "touch", "started"], "did you mean --allow?"),
        (["--ask", "nevr", "--", "touch", "started"], "did you mean never?"),
        (["--allow", "*.com", "--", "touch", "started"], "*.com"),
        (["--allow", "a.test:99999", "--", "touch", "started"], "99999"),
        (["--allow", "htps://a.test", "--", "touch", "started"], "https"),
        (["--allow-private", "10.0.0.0/99", "--", "touch", "started"], "10.0.0.0/99"),
        (["--timeout", "soon", "--", "touch", "started"], "soon"),
        (["--resolve", "a.test", "--", "touch", "started"], "--resolve"),
        (["--write", "/no/such/folder", "--", "touch", "started"], "no such"),
        (["--otlp", "ftp://x", "--", "touch", "started"], "expected a URL"),
        (["--ask", "never"], "no command"),
        (["--ask", "never", "--"], "no command"),
        ([], "no command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_usage(netproxy: Netproxy, words: list[str], said: str) -> None:
    done = netproxy("run", *words)
    assert done.status == USAGE, done.err
    assert said in done.err
    assert done.err.count("\n") == 1, done.err
    assert done.out == ""
    assert not (netproxy.workspace / "started").exists()


def test_help_can_be_read_where_output_is_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    with pytest.raises(SystemExit) as left:
        UsageParser(prog="netproxy x", usage="netproxy x FILE\u2026").parse_args(["--help"])
    assert left.value.code == 0
    screen.seek(0)
    assert screen.readline() == "usage: netproxy x FILE\\u2026\n"


def test_an_unknown_verb_names_the_nearest(netproxy: Netproxy) -> None:
    done = netproxy("rnu", "--", "true")
    assert (done.status, done.err) == (
        USAGE,
        "netproxy: unknown verb 'rnu', did you mean run?\n",
    )


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("policy check", CONFIG),
        ("policy explain a.test", CONFIG),
        ("trust", CONFIG),
        ("trust --remove", CONFIG),
        ("webhook test x", CONFIG),
        ("audit prune", CONFIG),
        ("serve --listen 127.0.0.1:0", CONFIG),
        ("serve --listen 127.0.0.1:0 --config x", USAGE),
        ("run -- true", OURS),
        ("run --config x -- true", OURS),
        ("run --unix x -- true", OURS),
    ],
)
def test_a_working_directory_that_is_gone(netproxy: Netproxy, words: str, status: int) -> None:
    gone = netproxy.person.owns(netproxy.workspace / "gone")
    shell = ["sh", "-c", f'rmdir {gone}; exec "$@"', "sh", *netproxy.argv(*words.split())]
    done = subprocess.run(
        shell,
        cwd=gone,
        env=netproxy.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr  # what `policy check` finds is its answer
    assert (done.returncode, said.count("\n")) == (status, 1), said
    assert "the working directory is gone; change to one that is there" in said


BAD_FILES = {
    "unknown key": ("[profiles.a.network]\nalow = []\n", ":2:1", "did you mean"),
    "bad rule": ('[profiles.a.network]\nallow = ["*.com"]\n', ":2:", "*.com"),
    "bad value": ('[profiles.a.network]\ndefault = "aks"\n', ":2:", "ask"),
    "not toml": ("[profiles\n", ":1:", ""),
    "bad method": (
        "[[profiles.a.network.rules]]\nhost='a.test'\nverdict='allow'\nmethods=['GET /']\n",
        ":4:",
        "GET /",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_its_line(netproxy: Netproxy, name: str) -> None:
    text, place, said = BAD_FILES[name]
    file = netproxy.workspace / "policy.toml"
    file.write_text(text)
    done = netproxy("run", "--config", str(file), "--", "touch", "started")
    assert done.status == CONFIG, done.err
    assert f"policy.toml{place}" in done.err
    assert said in done.err
    assert not (netproxy.workspace / "started").exists()


def test_all_problems_of_a_file_are_said_at_once(netproxy: Netproxy) -> None:
    file = netproxy.workspace / "policy.toml"
    file.write_text('[profiles.a.network]\nalow = []\nallow = ["*.com", "a b"]\n')
    done = netproxy("run", "--config", str(file), "--", "true")
    assert done.status == CONFIG
    assert done.err.count("policy.toml:") == 3, done.err


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_file_that_cannot_be_used(person: Person, base: Path, kind: str) -> None:
    netproxy = Netproxy(person, base)
    file = netproxy.workspace / "policy.toml"
    match kind:
        case "folder":
            file.mkdir()
        case "binary":
            file.write_bytes(b"\xff\xfe")
    refused(netproxy, file)


def test_a_file_that_may_not_be_read(base: Path, me: Person) -> None:
    """Root may read everything."""
    netproxy = Netproxy(ordinary_user(base) if me.uid == 0 else me, base)
    file = netproxy.workspace / "policy.toml"
    file.write_text("")
    file.chmod(0)
    refused(netproxy, file)


def refused(netproxy: Netproxy, file: Path) -> None:
    """In one line, and before anything is started."""
    done = netproxy("run", "--config", str(file), "--", "touch", "started")
    assert done.status == CONFIG, done.err
    assert "policy.toml" in done.err
    assert done.err.count("\n") == 1
    assert not (netproxy.workspace / "started").exists()


def test_a_config_that_appears_after_the_start_is_not_read(netproxy: Netproxy) -> None:
    """The command plants what would allow everything, then tries."""
    place = netproxy.config / "netproxy"
    script = f"""
mkdir -p {place}
echo 'profiles.x.network.default = "allow"' > {place}/config.toml
curl -s -o /dev/null -w '%{{http_code}}' http://x.test/
"""
    done = netproxy.run(
        "--ask", "never", "--write", str(netproxy.config), command=["sh", "-c", script]
    )
    assert done.status == 77
    (decision,) = netproxy.decisions()
    assert decision["network.policy.reason"] == "not_allowed"


def test_a_journal_that_cannot_be_opened_stops_the_run(netproxy: Netproxy) -> None:
    netproxy.audit.chmod(0o777)
    done = netproxy.run("--ask", "never", command=["touch", "started"])
    assert done.status == OURS
    assert str(netproxy.audit) in done.err
    assert done.err.count("\n") == 1
    assert not (netproxy.workspace / "started").exists()


def test_where_user_namespaces_are_forbidden_the_cause_is_named(me: Person, base: Path) -> None:
    """In a user namespace whose own limit is 0; the host's setting is not touched."""
    netproxy = Netproxy(me, base)
    netproxy.person = type(me)(
        name=me.name,
        uid=me.uid,
        home=me.home,
        prefix=(
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
            'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"',
            "sh",
        ),
    )
    done = netproxy.run("--ask", "never", command=["touch", "started"])
    assert done.status == OURS
    assert "user.max_user_namespaces" in done.err
    assert done.err.count("\n") == 1
    assert not (netproxy.workspace / "started").exists()
    doctor = netproxy("doctor")
    assert doctor.status == 1
    assert "max_user_namespaces" in doctor.out
