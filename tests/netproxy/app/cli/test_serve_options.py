"""What may be said together, and that other hosts are never let in by one word alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproxy.app.cli.serve_options import BEYOND, parse_serve
from netproxy.app.listening import ListenAddress
from netproxy.app.settings import Ask
from netproxy.config import Limits

HERE = "127.0.0.1:3128"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as left:
        parse_serve(list(words))
    assert left.value.code == 64
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said.removeprefix("netproxy serve: ")


def test_defaults() -> None:
    options = parse_serve(["--listen", HERE])
    assert options.listen == (ListenAddress(host="127.0.0.1", port=3128),)
    assert (options.socks, options.health, options.metrics) == ((), None, None)
    assert options.token_file is None
    assert options.drain_seconds == Limits().drain_seconds
    assert options.gateway.command == ()


def test_it_takes_what_run_takes_without_a_command() -> None:
    words = """--allow a.test --deny b.test --allow-private 10.0.0.0/8 --resolve a.test=10.0.0.1
        --ask never --config c --profile ci --no-project --audit-dir /a
        --otlp http://127.0.0.1:4318 --session s --drain 0.5 --token-file t
        --health [::1]:1 --socks 127.0.0.1:1080"""
    options = parse_serve(["--listen", HERE, *words.split()])
    gateway = options.gateway
    assert len(gateway.rules) == 2
    assert (gateway.profile, gateway.session, gateway.ask) == ("ci", "s", Ask.NEVER)
    assert (gateway.no_project, gateway.audit_directory) == (True, Path("/a"))
    assert gateway.resolve == {"a.test": ("10.0.0.1",)}
    assert options.drain_seconds == 0.5
    assert options.token_file == Path("t").absolute()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to listen on: --listen 127.0.0.1:3128"),
        (("--health", HERE), "nothing to listen on"),
        (("--listen", "localhost:3128"), "'localhost' is not an IP address to listen on"),
        (("--listen", "3128"), "'3128' is not ADDRESS:PORT"),
        (("--listen", HERE, "--listen", HERE), f"{HERE} is there twice"),
        (("--listen", HERE, "--socks", f"ci@{HERE}"), f"{HERE} is there twice"),
        (("--listen", HERE, "--health", HERE), f"{HERE} is there twice"),
        (("--listen", HERE, "--health", "ci@[::1]:1"), "--health has no profile"),
        (("--listen", HERE, "--metrics", "ci@[::1]:1"), "--metrics has no profile"),
        (("--listen", HERE, "--metrics", HERE), f"{HERE} is there twice"),
        (("--listen", HERE, "--metrics", "0.0.0.0:9"), "0.0.0.0:9 is open to other hosts"),
        (("--listen", f"ci@{HERE}", "--token-file", "t"), "which profile a token has"),
        (("--listen", HERE, "--on-denial", "cancel"), "unknown option --on-denial"),
        (("--listen", HERE, "--no-sandbox"), "unknown option --no-sandbox"),
        (("--listen", HERE, "--ask", "never", "--inbox", "127.0.0.1:1"), "so there is no --inbox"),
        (("--listen", HERE, "curl"), "curl"),
        (("--listen", HERE, "--drain", "-1"), "--drain"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    assert said in refused(capsys, *words)


@pytest.mark.parametrize("where", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1"])
@pytest.mark.parametrize("flag", ["--listen", "--socks", "--health"])
def test_other_hosts_need_two_words(
    capsys: pytest.CaptureFixture[str], flag: str, where: str
) -> None:
    words = [flag, where, *(["--listen", HERE] if flag == "--health" else [])]
    assert BEYOND in refused(capsys, *words)
    assert BEYOND in refused(capsys, *words, "--token-file", "t")
    assert "takes a --token-file" in refused(capsys, *words, BEYOND)
    parse_serve([*words, BEYOND, "--token-file", "t"])
