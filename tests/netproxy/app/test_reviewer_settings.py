"""Endpoints, programs and rules that answer: read whole, and each problem with its place."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from approvals import Key, Scope, Verdict
from approvals.config import AutoRule, CommandSettings, WebhookSettings
from netproxy.app.approval_settings import ApprovalSettings, Surface, chosen_approvals
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, REPLY = (bytes([number]) * 32 for number in (1, 2, 3))


def spelled(secret: bytes) -> str:
    return f"whsec_{base64.b64encode(secret).decode()}"


class Home:
    """A user's home folder, with secrets in the folder that commands can't see."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / ".config" / "netproxy"
        self.config.mkdir(parents=True)
        self.secret("out", f"# new\n{spelled(FIRST)}\n\n{spelled(SECOND)}\n")
        self.secret("in", spelled(REPLY))

    def secret(self, name: str, text: str) -> None:
        path = self.config / name
        path.write_text(text)
        path.chmod(0o600)

    def read(self, text: str) -> tuple[ApprovalSettings, list[str]]:
        state = self.path / "state"
        surface = Surface(environ={}, home=self.path, state=state, problems=[])
        document = load(text, "config.toml", layer=Layer.USER)
        return chosen_approvals(document, None, None, surface), surface.problems

    def problem(self, text: str) -> str:
        _, (found,) = self.read(text)
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


WEBHOOK = """\
[[approvals.webhook]]
name = "desk"
url = "https://desk.test/hook"
secret_file = "~/.config/netproxy/out"
"""


def test_an_endpoint_with_everything(home: Home) -> None:
    found, problems = home.read(
        WEBHOOK + 'reply_secret_file = "~/.config/netproxy/in"\nallow_private = ["10.0.0.0/8"]\n'
        'max_scope = "once"\nmay_assert = ["anna"]\ntimeout_seconds = 5\n'
    )
    assert not problems
    assert found.webhooks == (
        WebhookSettings(
            name="desk",
            url="https://desk.test/hook",
            secrets=(FIRST, SECOND),
            reply_secrets=(REPLY,),
            allow_private=("10.0.0.0/8",),
            may_assert=("anna",),
            widest_scope=Scope.ONCE,
            timeout_seconds=5,
        ),
    )


@pytest.mark.parametrize(
    ("url", "what"),
    [
        pytest.param("http://desk.test/", "is not https", id="plain"),
        pytest.param("http://127.0.0.1:1/", "is not https", id="plain and not opened"),
        pytest.param("ftp://desk.test/", "does not begin with https://", id="another scheme"),
        pytest.param("https:///hook", "has no host", id="no host"),
        pytest.param("https://a:b@desk.test/", "has a user name", id="credentials"),
        pytest.param("https://desk.test/#x", "has a fragment", id="fragment"),
        pytest.param("https://desk.test:99999/", "is not a URL", id="no port"),
        pytest.param("https://desk.test/a b", "has characters", id="a space"),
    ],
)
def test_an_address_that_no_question_is_sent_to(home: Home, url: str, what: str) -> None:
    found = home.problem(WEBHOOK.replace("https://desk.test/hook", url))
    assert found.startswith("config.toml:3:1 approvals.webhook[0].url: ")
    assert what in found


def test_an_endpoint_needs_a_store_that_outlives_the_gateway(home: Home) -> None:
    found = home.problem(f'[approvals]\nstore = "memory"\n{WEBHOOK}')
    assert found.startswith("config.toml:2:1 approvals.store: is memory")


def test_plain_http_is_for_a_loopback_that_was_opened(home: Home) -> None:
    text = WEBHOOK.replace("https://desk.test/hook", "http://127.0.0.1:8080/hook")
    assert home.read(text + 'allow_private = ["127.0.0.0/8"]\n')[1] == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("", "holds no whsec_ line", id="empty"),
        pytest.param("whsec_c2hvcnQ=", "line 1: a secret has 24 to 64 bytes", id="short"),
        pytest.param("hunter2", "line 1: a secret begins with whsec_", id="no prefix"),
    ],
)
def test_secrets_that_are_none_are_told_without_a_word_of_them(
    home: Home, text: str, what: str
) -> None:
    home.secret("out", text)
    found = home.problem(WEBHOOK)
    assert found.startswith(f"config.toml:4:1 approvals.webhook[0].secret_file: {what}")
    assert not text or text not in found


def test_a_secret_file_that_others_read_is_refused(home: Home) -> None:
    (home.config / "out").chmod(0o644)
    assert home.problem(WEBHOOK).endswith("others may open it: chmod 600")


def test_each_direction_has_secrets_of_its_own(home: Home) -> None:
    found = home.problem(WEBHOOK + 'reply_secret_file = "~/.config/netproxy/out"\n')
    assert "reply_secret_file: holds a secret of secret_file" in found


def test_a_program(home: Home) -> None:
    text = "[[approvals.command]]\nname = 'bot'\nargv = ['/opt/bot', '-v']\nenvironment = ['A']\n"
    found, problems = home.read(text)
    assert not problems
    assert found.commands == (
        CommandSettings(
            name="bot",
            argv=("/opt/bot", "-v"),
            widest_scope=Scope.SESSION,
            environment=("A",),
        ),
    )
    what = "config.toml:3:1 approvals.command[0].argv: 'bot' is not the absolute path of a program"
    assert home.problem(text.replace("/opt/bot", "bot")) == what


AUTO = """\
[[approvals.auto]]
name = "docs"
hosts = ["*.docs.test:443", "10.0.0.0/8:5432", "socks5-tcp://git.test:22"]
verdict = "allow"
hours = "08:00-18:00"
days = ["mon", "fri"]
limit = 3
reason = "read-only"
"""


def rule(home: Home, text: str = AUTO) -> AutoRule:
    found, problems = home.read(text)
    assert not problems
    (only,) = found.rules
    return only


def test_a_rule(home: Home) -> None:
    found = rule(home)
    assert (found.name, found.verdict, found.scope) == ("docs", Verdict.ALLOW, Scope.ONCE)
    assert (found.hours, found.days, found.limit) == ((480, 1080), frozenset({0, 4}), 3)
    assert (found.cancel, found.seconds, found.reason) == (None, None, "read-only")


@pytest.mark.parametrize(
    ("host", "protocol", "port", "fits"),
    [
        ("a.docs.test", "https", 443, True),
        ("a.docs.test", "https", 80, False),
        ("docs.test", "https", 443, False),
        ("10.1.2.3", "tcp", 5432, True),
        ("git.test", "socks5-tcp", 22, True),
        ("git.test", "tcp", 22, False),
    ],
)
def test_its_hosts_match_as_a_rule_of_the_policy_does(
    home: Home, host: str, protocol: str, port: int, *, fits: bool
) -> None:
    key = Key(session="s", host=host, protocol=protocol, port=port)
    assert rule(home).matches(key) is fits


def test_a_denial_without_a_port_is_for_every_port(home: Home) -> None:
    text = '[[approvals.auto]]\nname = "x"\nhosts = ["a.test"]\nverdict = "deny"\n'
    key = Key(session="s", host="a.test", protocol="tcp", port=9)
    assert rule(home, text).matches(key)
    assert not rule(home, text.replace("deny", "allow")).matches(key)


def test_a_rule_that_is_read_again_is_the_same(home: Home) -> None:
    assert rule(home) == rule(home)


@pytest.mark.parametrize("more", ["scope = 'time'", "seconds = 60"])
def test_a_time_needs_its_seconds(home: Home, more: str) -> None:
    assert home.problem(AUTO + more).endswith('scope = "time" and seconds go together')


def test_a_name_is_given_once(home: Home) -> None:
    found = home.problem(AUTO + AUTO)
    assert found == "config.toml:10:1 approvals.auto[1].name: docs is there twice"
