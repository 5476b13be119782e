"""What the caller's environment holds: can the command read what is not its own, or use it on us?

The defences: variables are chosen by name (`sandbox.inheritance`), and those of the command pass
nobody but the monitor, in a file that only it can read: bwrap and the monitor are started without
any. Each test was seen to fail without its defence; what bwrap and the monitor hold shows inside
only without the cover of /proc/1, stay_unreadable and Landlock, too.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.people import ROOT
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person

CANARY = "canary-4711"
_NAME = re.compile(r'"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+_?)"')
# Read by us, and as much the command's as ours; and what is no variable's name.
_SHARED = re.compile(
    r"XDG_(STATE|CONFIG)_HOME|NO_COLOR|GIT_.*|PIP_.*|GRPC_.*|CLOCK_.*"
    r"|CLIENT_CERTIFICATE"
)


def read_by_us() -> set[str]:
    """Every text that looks like a variable's name, in a file of ours that speaks of `environ`."""
    texts = [
        file.read_text()
        for package in ("netproxy", "approvals", "sandbox", "otel")
        for file in (ROOT / package).rglob("*.py")
    ]
    found = {name for text in texts if "environ" in text for name in _NAME.findall(text)}
    return {name for name in found if not _SHARED.fullmatch(name)}


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def value_for(name: str) -> str:
    """The canary, in a form with which a run still starts."""
    if name.endswith("_ENDPOINT"):
        return f"http://127.0.0.1:9/{CANARY}"
    if name.endswith("_HEADERS"):
        return f"authorization={CANARY}"
    if name.endswith("_EXPORTER"):
        return "none"
    return "4711" if name.endswith("_INTERVAL") else CANARY


def test_no_variable_that_we_read_is_the_commands(netproxy: Netproxy) -> None:
    """Not in its environment, not in that of a process that it sees, not in a command line."""
    names = read_by_us()
    assert {"OTEL_EXPORTER_OTLP_HEADERS", "NETPROXY_AUDIT_SINKS", "NOTIFY_SOCKET"} <= names
    # A proxy of the caller's, with a password: the gateway may use it, the command never sees it.
    proxies = ("http_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "PIP_PROXY")
    secrets = ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK")
    shows = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'"
    done = netproxy.run(
        "--ask",
        "never",
        command=["sh", "-c", shows],
        environment={
            **{name: value_for(name) for name in names},
            **dict.fromkeys(proxies, f"http://user:{CANARY}@127.0.0.1:9"),
            **dict.fromkeys(secrets, CANARY),
            "XDG_RUNTIME_DIR": str(netproxy.state),
            "PIP_INDEX_URL": "kept",
        },
    )
    assert done.status == 0, done.err
    assert "PIP_INDEX_URL=kept" in done.out
    assert CANARY not in done.out
    assert "XDG_RUNTIME_DIR" not in done.out
    (started,) = netproxy.events("netproxy.run.started")
    assert {"GITHUB_TOKEN", "SSH_AUTH_SOCK"} <= set(started["sandbox.environment.withheld"])
    assert CANARY not in str(started)


def test_what_the_caller_has_is_loaded_into_nothing_of_ours(netproxy: Netproxy) -> None:
    """ld.so writes a file for each program that is started with these variables."""
    told = netproxy.workspace / "told"
    variables = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(told), "LD_PRELOAD": "/nowhere/x.so"}
    words = ("--ask", "never", "--env", "LD_AUDIT=/nowhere/y.so")
    done = netproxy.run(*words, command=["env"], environment=variables)
    assert done.status == 0, done.err
    assert "LD_PRELOAD" not in done.out
    assert "LD_AUDIT=/nowhere/y.so" in done.out
    texts = [file.read_text() for file in netproxy.workspace.glob("told.*")]
    started = re.findall(r"initialize program: (\S+)", "".join(texts))
    names = [Path(name).name for name in started]
    assert "env" in names
    assert "bwrap" not in names
    # Our own start, which is the caller's; not the monitor's.
    assert len([name for name in names if name.startswith("python")]) <= 1


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def test_nobody_reads_the_commands_words_in_a_list_of_processes(netproxy: Netproxy) -> None:
    """A command line is everybody's to read (proc(5)), and bwrap's lives as long as the command."""
    words = ("--ask", "never", "--env", f"A={CANARY}", "--", "sh", "-c", "echo; cat", CANARY)
    process = subprocess.Popen(
        netproxy.argv("run", "--audit-dir", str(netproxy.audit), *words),
        cwd=netproxy.workspace,
        env=netproxy.environment({"B": CANARY}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"\n"
        seen = [Path("/proc", str(pid)) for pid in family(process.pid)]
        fences = [each for each in seen if b"--unshare-all" in (each / "cmdline").read_bytes()]
        assert fences
        for fence in fences:
            assert CANARY.encode() not in (fence / "cmdline").read_bytes()
            assert CANARY.encode() not in (fence / "environ").read_bytes()
    finally:
        process.communicate()
    assert process.returncode == 0


def test_ten_thousand_words_are_no_limit(ordinary: Person, base: Path) -> None:
    """bwrap takes 9,000, and counts those of its command (MAX_ARGS in bubblewrap.c)."""
    netproxy = Netproxy(ordinary, base)
    many = ["x" * 9] * 100_000
    done = netproxy.run("--ask", "never", command=["sh", "-c", "echo $#", "sh", *many])
    assert (done.status, done.out) == (0, "100000\n"), done.err


def test_what_the_kernel_does_not_take_is_said(ordinary: Person, base: Path) -> None:
    """One string has at most 128 KiB (MAX_ARG_STRLEN), all of them a quarter of the stack."""
    netproxy = Netproxy(ordinary, base)
    config = netproxy.workspace / "config.toml"
    config.write_text(f'[sandbox.environment]\nset = {{ LONG = "{"x" * 140_000}" }}\n')
    done = netproxy.run("--ask", "never", "--config", str(config), command=["true"])
    assert done.status == 126
    assert done.err.startswith(
        "netproxy run: true: its arguments and variables together are longer"
    )
