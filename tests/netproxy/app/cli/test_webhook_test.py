"""`netproxy webhook test` says in a line what came of it, and what to do."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from standardwebhooks.webhooks import Webhook

from approvals.webhook.signing import secret_text
from netproxy.app.cli.webhook_test import main
from tests.support.loops import PATIENCE_SECONDS
from tests.support.receivers import Receiver, receiver, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

type Say = Callable[..., tuple[int, str, str]]

SECRET = secret_text(b"k" * 32)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config" / "netproxy"
    folder.mkdir(parents=True)
    (folder / "out").write_text(SECRET + "\n")
    (folder / "out").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            found = main([*arguments])
        except SystemExit as left:
            found = int(str(left.code))
        captured = capsys.readouterr()
        return found, captured.out, captured.err

    return run


@contextmanager
def serving(*answers: bytes) -> Iterator[Receiver]:
    """A receiver in a loop of its own: the command has the test's thread."""
    loop = asyncio.new_event_loop()
    found: list[Receiver] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        async with receiver(*answers) as hook:
            found.append(hook)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait(PATIENCE_SECONDS)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
        loop.close()


def endpoint(config: Path, url: str, more: str = 'allow_private = ["127.0.0.0/8"]') -> None:
    (config / "config.toml").write_text(f"""
[[approvals.webhook]]
name = "ops"
url = "{url}"
secret_file = "{config}/out"
{more}
""")


def test_a_ping_that_arrives_is_one_that_anybodys_library_verifies(config: Path, say: Say) -> None:
    with serving(status(204)) as hook:
        endpoint(config, hook.url())
        code, out, err = say("ops")
    assert (code, err) == (0, "")
    assert out.startswith(f"ops: delivered to http://127.0.0.1:{hook.port} in ")
    assert "/hook" not in out, "a path may be a secret"
    (got,) = hook.got
    told = Webhook(SECRET).verify(got.body, dict(got.headers))
    assert (told["type"], told["data"]) == ("endpoint.ping", {"schema": 1})


def test_an_endpoint_that_is_in_no_settings_yet(config: Path, say: Say) -> None:
    with serving() as hook:
        words = ("--url", hook.url(), "--secret-file", str(config / "out"))
        assert say(*words, "--allow-private", "127.0.0.1")[0] == 0
        code, _, err = say(*words)
        assert (code, "is not https" in err) == (78, True)
    assert len(hook.got) == 1


@pytest.mark.parametrize(
    ("answer", "what", "hint"),
    [
        (status(401, body=b"bad\x1b[2J"), "401, and only 2xx is success", "needs the line of its"),
        (status(404), "404", "nothing is at that path"),
        (status(500), "500", "trouble of its own"),
        (status(302, "Location: /x"), "redirects are not followed", "where it really is"),
        (status(410), "410", "never again"),
        (b"SMTP ready\r\n\r\n", "broken", "does not speak HTTP"),
    ],
)
def test_a_ping_that_fails_says_what_to_do(
    config: Path, say: Say, answer: bytes, what: str, hint: str
) -> None:
    with serving(answer) as hook:
        endpoint(config, hook.url())
        code, out, _ = say("ops")
        assert code == 1
        assert out.startswith("ops: not delivered to http://127.0.0.1")
        assert what in out
        assert hint in out
        assert "\x1b" not in out
        code, out, _ = say("ops", "--json")
    found = json.loads(out)
    assert (code, found["delivered"], found["endpoint"]) == (1, False, "ops")
    assert hint in found["hint"]


def test_where_it_may_not_go_the_setting_that_allows_it_is_named(config: Path, say: Say) -> None:
    endpoint(config, "https://169.254.169.254/", more="")
    code, out, _ = say("ops")
    assert code == 1
    assert "169.254.169.254 (cloud metadata)" in out
    assert "allow_private" in out


def test_bad_usage_and_bad_settings(config: Path, say: Say) -> None:
    endpoint(config, "https://hooks.example.org/")
    code, _, err = say("op")
    assert code == 64
    assert "'op' is not among the endpoints (ops), did you mean ops?" in err
    assert say()[0] == say("ops", "--url", "https://x/")[0] == say("--url", "https://x/")[0] == 64
    (config / "out").chmod(0o644)
    code, _, err = say("ops")
    assert code == 78
    assert "chmod 600" in err
    words = ("--url", "https://a:b@x/", "--secret-file", str(config / "out"))
    assert "has a user name" in say(*words, "--config", "/dev/null")[2]
