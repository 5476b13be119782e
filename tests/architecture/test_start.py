"""What a start of `netproxy run` loads: time that is waited for before every command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Each would be felt, and none is needed without a settings file, a collector or a mistake.
LATER = {
    "aiohttp",
    "difflib",
    "email",
    "google.protobuf",
    "grpc",
    "http.client",
    "idna",
    "json.tool",
    "logging.config",
    "netproxy.policy.document",
    "opentelemetry",
    "otel.reader",
    "otel.ship",
    "otel.verification",
    "platform",
    "prometheus_client",
    "pydantic",
    "python_socks",
    "requests",
    "rich",
    "shutil",
    "sqlite3",
    "structlog",
    "tempfile",
    "tomllib",
    "urllib.request",
}
# Needed for connections only, or later: the command starts meanwhile (netproxy.app.reception).
AFTER_THE_COMMAND = {
    "approvals",
    "cryptography",
    "ctypes",
    "httptools",
    "netproxy.app.wiring",
    "netproxy.connection",
    "netproxy.protocol",
    "netproxy.transport",
}
BEFORE_THE_COMMAND = (
    "import netproxy.app.cli.run_options, netproxy.app.run, netproxy.app.reception, "
    "netproxy.app.supervisor, sandbox.command, sys; print(*sys.modules)"
)
OURS = ("netproxy", "approvals", "sandbox", "otel")
# The reader of plain responses has one of 2,700 characters, which took 10 ms to compile.
LONG_PATTERN = 200
NAMES_PATTERNS = """
import re, sys
compiled = re.compile
def noted(pattern, flags=0):
    name = sys._getframe(1).f_globals["__name__"]
    if len(pattern) > int(sys.argv[1]) and name.partition(".")[0] in sys.argv[2:]:
        print(name)
    return compiled(pattern, flags)
re.compile = noted
import netproxy.app.cli.run_options, netproxy.app.run, netproxy.app.wiring, sandbox.repository
assert "netproxy.protocol.plain_response" in sys.modules
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that a whole run of `true` imports."""
    return imported(tmp_path_factory.mktemp("audit"), "true")


def imported(audit: Path, *command: str) -> set[str]:
    """What a run imports, by what the interpreter says."""
    python = [sys.executable, "-X", "importtime", "-m", "netproxy"]
    done = subprocess.run(
        [*python, "run", "--ask", "never", "--audit-dir", str(audit), "--", *command],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_a_service_without_metrics_loads_nothing_of_them(tmp_path: Path) -> None:
    """What is switched off is free."""
    python = [sys.executable, "-X", "importtime", "-m", "netproxy"]
    with subprocess.Popen(
        [*python, "serve", "--listen", "127.0.0.1:0", "--audit-dir", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stderr is not None
        lines = []
        for line in service.stderr:
            lines.append(line)
            if "listening on" in line:
                service.terminate()
    modules = {line.rpartition("|")[2].strip() for line in lines}
    assert "netproxy.app.serving" in modules
    unwanted = ("opentelemetry", "prometheus_client", "grpc", "otel.metrics", "otel.tracing")
    assert [name for name in modules if name.startswith(unwanted)] == []


def test_it_was_a_real_start(loaded: set[str]) -> None:
    assert {"uvloop", "netproxy.app.run", "sandbox.process", "otel.journal"} <= loaded


def test_nothing_is_loaded_that_can_wait(loaded: set[str]) -> None:
    assert sorted(loaded & LATER) == []


def test_where_the_gateway_opens_neither(tmp_path: Path) -> None:
    """With nowhere to keep an answer: nobody is asked, so there are none."""
    modules = imported(tmp_path, "sleep", "0.3")
    assert "netproxy.app.wiring" in modules
    assert sorted(modules & {*LATER, "approvals.store.sqlite"}) == []


def test_what_can_wait_for_the_command_is_not_loaded_before_it_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_THE_COMMAND], capture_output=True, text=True, check=True
    )
    assert sorted(AFTER_THE_COMMAND & set(done.stdout.split())) == []


def test_no_long_pattern_is_compiled_before_there_is_something_to_match() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NAMES_PATTERNS, str(LONG_PATTERN), *OURS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
