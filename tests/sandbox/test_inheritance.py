"""What the command gets of its caller's variables: names decide, in a fixed order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.inheritance import EnvironmentPolicy, Inherit, inherited, is_among


def left(
    parent: dict[str, str], *, fenced: bool = True, usable: tuple[str, ...] = (), **policy: Any
) -> dict[str, str]:
    asked = EnvironmentPolicy(**policy)
    return dict(inherited(parent, asked, fenced=fenced, usable=usable).variables)


def names(*given: str, fenced: bool = True, **policy: Any) -> set[str]:
    return set(left(dict.fromkeys(given, "x"), fenced=fenced, **policy))


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "OPENAI_API_KEY", "APIKEY", "STRIPE_KEYS",
        "GITHUB_TOKEN", "npm_config_//registry.npmjs.org/:_authToken", "TOKEN_FILE", "NPM_TOKEN",
        "PGPASSWORD", "MYSQL_PWD", "DB_PASS", "KEY_PASSPHRASE", "sudo_passwd", "NPM_CONFIG__AUTH",
        "GOOGLE_APPLICATION_CREDENTIALS", "CLIENT_SECRET", "SENTRY_DSN", "GITHUB_PAT", "CI_JOB_JWT",
        "AZURE_STORAGE_CONNECTION_STRING", "DOCKER_AUTH_CONFIG", "OP_SESSION_my",
        "XDG_SESSION_COOKIE",
    ],
)  # fmt: skip
def test_a_name_of_a_secret_is_left_out(name: str) -> None:
    assert names(name) == set()
    assert names(name, fenced=False) == set()
    assert names(name, named=(name,)) == {name}
    assert names(name, default_excludes=False) == {name}


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "TERM", "PWD", "OLDPWD", "HOME", "EDITOR", "KEYBOARD_LAYOUT", "XKB_DEFAULT_LAYOUT",
        "TOKENIZERS_PARALLELISM", "PYTHONHASHSEED", "PIP_INDEX_URL", "NODE_OPTIONS", "AUTHOR",
        "GIT_AUTHOR_NAME", "SSH_ASKPASS", "LD_LIBRARY_PATH", "BYPASS", "COMPASS", "MONKEYS_ISLAND",
    ],
)  # fmt: skip
def test_what_only_looks_like_one_is_given(name: str) -> None:
    assert names(name) == {name}


@pytest.mark.parametrize(
    "name",
    [
        "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY", "DISPLAY",
        "XDG_RUNTIME_DIR", "DOCKER_HOST", "NOTIFY_SOCKET", "VSCODE_GIT_IPC_HANDLE", "LD_PRELOAD",
        "LD_AUDIT",
    ],
)  # fmt: skip
def test_what_leads_nowhere_inside_is_given_only_where_there_is_no_fence(name: str) -> None:
    assert names(name) == set()
    assert names(name, fenced=False) == {name}
    assert names(name, default_excludes=False) == {name}


@pytest.mark.parametrize(
    "value",
    ["/run/x.sock", "unix:///run/x.sock", "unix:path=/run/x.sock,guid=7", "unix:/run/x.sock"],
)
def test_a_socket_that_can_be_reached_is_named(value: str) -> None:
    parent = {"DOCKER_HOST": value, "SSH_AUTH_SOCK": "/run/other"}
    assert left(parent, usable=("/run/x.sock",)) == {"DOCKER_HOST": value}


def test_the_gateways_own_come_by_their_very_name_only() -> None:
    own = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_EXPORTER", "CREDENTIALS_DIRECTORY")
    assert names(*own, default_excludes=False) == set()
    assert names(*own, named=own[:1]) == {own[0]}


def test_nobody_says_what_netproxy_says() -> None:
    parent = {"NETPROXY": "1", "netproxy_run": "r-9"}
    said = {"NETPROXY_HTTP": "a.test:1"}
    assert left(parent, named=("NETPROXY",), said=said, values=said, default_excludes=False) == {}


def test_how_much_there_is_to_choose_from() -> None:
    given = ("PATH", "LC_ALL", "lang", "EDITOR")
    assert names(*given, inherit=Inherit.CORE) == {"PATH", "LC_ALL", "lang"}
    assert names(*given, inherit=Inherit.NONE) == set()


def test_the_order() -> None:
    """Excludes come before `set`, `include_only` after it, the command line last."""
    found = inherited(
        {"A_TOKEN": "1", "A_B": "2", "A_C": "3", "D": "4", "E_TOKEN": "5"},
        EnvironmentPolicy(
            exclude=("a_b",),
            values={"A_TOKEN": "set", "A_B": "set", "X": "set"},
            include_only=("A_*",),
            named=("E_TOKEN", "MISSING"),
            said={"A_C": "said", "Y": "said"},
        ),
        fenced=True,
    )
    assert found.variables == {
        "A_TOKEN": "set", "A_B": "set", "A_C": "said", "E_TOKEN": "5", "Y": "said",
    }  # fmt: skip
    assert found.explicit == {"A_TOKEN", "A_B", "A_C", "E_TOKEN", "Y"}


@pytest.mark.parametrize(
    ("pattern", "name", "wanted"),
    [
        ("A", "a", True), ("A", "AB", False), ("*", "", True), ("A*", "A", True),
        ("*A", "BA", True), ("A*A", "A", False), ("A*B*C", "AXBYC", True), ("A*B*C", "AXYC", False),
        ("*B*", "AC", False), ("A*B*B", "AB", False), ("A**B", "AB", True), ("A*", "B", False),
        ("*A", "AB", False),
        ("A?", "AB", False),
    ],
)  # fmt: skip
def test_a_pattern(pattern: str, name: str, wanted: bool) -> None:
    assert is_among(name, (pattern,)) is wanted


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=3), max_size=9))
def test_nothing_is_made_up(parent: dict[str, str]) -> None:
    """Whatever is given is the caller's, with the caller's value."""
    assert left(parent).items() <= parent.items()
