"""codex's network tables come over with every difference said, and never allow more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidSettings
from netproxy.policy.imports.codex import read
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode
from tests.support.other_lists import DESTINATIONS, entries
from tests.support.other_tools import allowed, codex_allows, policies
from tests.support.policies import to

if TYPE_CHECKING:
    from netproxy.policy.imports.common import Entry, Imported

FILES = Path(__file__).with_name("files")


def table(domains: dict[str, str], *said: str) -> str:
    lines = ["[permissions.dev.network]", *(said or ("enabled = true",))]
    lines += ["[permissions.dev.network.domains]"]
    lines += [f"{quoted(pattern)} = {quoted(does)}" for pattern, does in domains.items()]
    return "\n".join(lines)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def imported(domains: dict[str, str], *said: str) -> Imported:
    return read(table(domains, *said), "config.toml")


def entry(pattern: str, said: str = "allow") -> Entry:
    (found,) = imported({pattern: said}).entries
    return found


def test_the_sample_file() -> None:
    found = read((FILES / "codex.toml").read_text(), "config.toml")
    assert found.default_profile == "workspace"
    assert [profile.name for profile in found.profiles] == ["base", "workspace"]
    policy = policies(found)["workspace"]
    for host in ("api.openai.com:443", "localhost:80", "127.0.0.1:443", "pypi.org:8443"):
        assert allowed(policy, to(host)), host
    for host in (
        "openai.com:443",
        "api.github.com:443",
        "evil.example:443",
        "pypi.org:443",
        "10.0.0.1:443",
        "bad1.example.org:443",
        "bad1.x.example.org:443",
    ):
        assert not allowed(policy, to(host)), host


def test_a_managed_file() -> None:
    found = read((FILES / "requirements.toml").read_text(), "requirements.toml")
    policy = policies(found)["managed"]
    assert allowed(policy, to("api.github.com:443"))
    assert not allowed(policy, to("gist.github.com:443"))
    assert "may_ask = false" in found.profiles[0].notes[0]


@given(
    domains=st.dictionaries(entries, st.sampled_from(["allow", "allow", "deny"]), max_size=8),
    tcp=st.booleans(),
    udp=st.booleans(),
)
def test_it_never_allows_more_than_theirs(domains: dict[str, str], tcp: bool, udp: bool) -> None:
    said = (
        "enabled = true",
        f"enable_socks5 = {str(tcp).lower()}",
        f"enable_socks5_udp = {str(udp).lower()}",
    )
    policy = policies(imported(domains, *said))["dev"]
    more = [asked for asked in DESTINATIONS if allowed(policy, asked)]
    assert [a for a in more if not codex_allows(domains, a, tcp=tcp, udp=udp)] == []


@pytest.mark.parametrize(
    ("theirs", "host", "port"),
    [
        ("api.example.org", "api.example.org", None),
        (" API.Example.org. ", "api.example.org", None),
        ("*.example.org", "*.example.org", None),
        ("**.example.org", "**.example.org", None),
        ("api-*.example.org", "api-*.example.org", None),
        ("*", "*", None),
        ("example.org:8443", "example.org", 8443),
        ("[2606:4700::1]:443", "[2606:4700::1]", 443),
        ("2606:4700::1", "[2606:4700::1]", None),
        ("127.0.0.1", "127.0.0.1", None),
    ],
)
def test_what_an_allow_becomes(theirs: str, host: str, port: int | None) -> None:
    found = entry(theirs)
    assert (found.host, found.port) == (host, port)
    assert ("theirs: every port" in found.notes) is (port is None)


def test_stars_that_cross_dots_and_local_wildcards_are_said() -> None:
    assert "theirs: * crosses dots" in entry("api-*.example.org").notes
    assert "here no wildcard opens local names" in entry("*.corp.internal").notes


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("m\u00fcnchen.example", "clients send 'xn--mnchen-3ya.example'"),
        ("2606:4700:0::1", "never matches it in its usual spelling"),
        ("::ffff:8.8.8.8", "never matches it in its usual spelling, '8.8.8.8'"),
    ],
)
def test_what_theirs_never_matches_is_left_out(theirs: str, why: str) -> None:
    found = entry(theirs)
    assert found.host is None
    assert not found.is_failed
    assert why in found.notes[0]


@pytest.mark.parametrize(
    "theirs", ["10.0.0.0/8", "{a,b}.example.org", "a?.example.org", "*.com", "**", "x.localhost"]
)
def test_what_no_rule_can_say_is_counted(theirs: str) -> None:
    found = entry(theirs)
    assert found.host is None
    assert found.is_failed


@pytest.mark.parametrize(
    ("theirs", "host"),
    [
        ("evil.example", "evil.example"),
        ("evil.example:80", "evil.example"),
        ("**.evil.example", "**.evil.example"),
        ("a*.evil.example", "*.evil.example"),
        ("{a,b}.evil.example", "*.evil.example"),
        ("xn--\u00fc.example", None),
    ],
)
def test_what_a_deny_becomes(theirs: str, host: str | None) -> None:
    found = entry(theirs, "deny")
    assert (found.effect, found.host, found.is_failed) == (Effect.DENY, host, False)


@pytest.mark.parametrize("theirs", ["evil.*", "*evil*", "?", "*.ru"])
def test_a_deny_without_a_rule_takes_the_allows_that_it_may_touch(theirs: str) -> None:
    found = imported({theirs: "deny", "x.ru": "allow", "*": "allow"})
    assert [each.host for each in found.entries] == [None, None, None]
    assert found.failed == 3


def test_a_rule_that_stands_twice_is_written_once() -> None:
    found = imported({"example.org": "allow", "EXAMPLE.org": "allow"})
    assert [each.host for each in found.entries] == ["example.org", None]
    assert found.entries[1].notes == ("stands above already",)


INHERITED = """\
default_permissions = "leaf"
[permissions.root.network]
enabled = true
mode = "limited"
domains = { "a.example" = "allow", "b.example" = "deny" }
[permissions.middle]
extends = "root"
[permissions.leaf]
extends = "middle"
[permissions.leaf.network]
domains = { "c.example" = "allow", "b.example" = "allow" }
"""


def test_what_a_profile_extends_is_part_of_it() -> None:
    leaf = read(INHERITED, "config.toml").profiles[1]
    assert leaf.mode is Mode.LIMITED
    said = [(each.theirs, each.effect.value) for each in leaf.entries]
    assert said == [("a.example", "allow"), ("b.example", "allow"), ("c.example", "allow")]


def test_a_builtin_parent_has_no_lists() -> None:
    text = '[permissions.dev]\nextends = ":workspace"\n' + table({"a.example": "allow"})
    assert len(read(text, "config.toml").entries) == 1


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        (("enabled = true",), Mode.FULL),
        (("enabled = true", 'mode = "limited"'), Mode.LIMITED),
        (("enabled = false",), Mode.OFF),
        (('mode = "full"',), Mode.OFF),
    ],
)
def test_the_mode(said: tuple[str, ...], mode: Mode) -> None:
    assert imported({}, *said).profiles[0].mode is mode


def test_earlier_tables_are_read() -> None:
    text = (
        '[network_proxy]\nenabled = true\n[network_proxy.policy]\nallowed_domains = ["a.example"]'
    )
    (profile,) = read(text, "config.toml").profiles
    assert [str(each) for each in profile.protocols or ()] == ["http", "https"]
    (profile,) = read('[network]\ndenied_domains = ["b.example"]', "config.toml").profiles
    assert (profile.mode, profile.entries[0].host) == (Mode.OFF, "b.example")


def test_keys_that_mean_something_else_are_said() -> None:
    said = ("enabled = true", "allow_local_binding = true", "colour = 1", 'mode = "limited"')
    more = ("[permissions.dev.network.unix_sockets]", '"/x" = "allow"')
    text = table({}, *said) + "\n" + "\n".join(more)
    notes = " | ".join(read(text, "config.toml").profiles[0].notes)
    for each in (
        "reaches local hosts",
        "'colour': not known",
        "looks into tunnels",
        "unix sockets",
    ):
        assert each in notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 has no network table: expected [permissions.NAME.network], "),
        ("x = ", "1 is not TOML: invalid value"),
        ('[permissions."a\\n"]', "1 permissions.'a\\n': is not printable"),
        ("permissions = 1", "1 permissions: must be a table of keys and values"),
        ("[permissions]\ndev = 1", "2 permissions.dev: must be a table of keys and values"),
        (table({"a.example": "ask"}), "4 permissions.dev.network.domains.'a.example': must be \""),
        (table({}, 'mode = "off"'), '2 permissions.dev.network.mode: must be "full" or "limited"'),
        (table({}, "enabled = 1"), "2 permissions.dev.network.enabled: must be true or false"),
        (
            '[permissions.a]\nextends = "a"\nnetwork = {}',
            "2 permissions.a.extends: extends itself",
        ),
        (
            '[permissions.a]\nextends = "b"\nnetwork = {}',
            "2 permissions.a.extends: there is no profile 'b'",
        ),
    ],
)
def test_a_wrong_file_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(text, "config.toml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"config.toml:{said}")
