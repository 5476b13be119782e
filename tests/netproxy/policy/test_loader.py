"""A settings file is understood whole, or refused with every problem in its place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import ChosenLimits
from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Sni, Verdict
from netproxy.policy.approval_tables import Approvals
from netproxy.policy.layers import Statement
from netproxy.policy.loader import Document, load
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.spec import Mode
from tests.support.toml_texts import files

NAME = "/home/somebody/.config/netproxy/config.toml"
PROFILE = "[profiles.dev.network]\n"

GOOD = """\
default_profile = "dev"

[profiles.dev.network]
mode = "limited"
default = "deny"
on_denial = "block"
allow = ["pypi.org:443",
         "*.pythonhosted.org"]
deny = ["**.tracker.example"]
allow_private = ["10.0.0.0/8"]

[[profiles.dev.network.rules]]
host = "api.example.org"
ports = [443, "8000-8010"]
protocols = ["https", "socks5-tcp"]
verdict = "allow"
reason = "read-only API"

[[profiles.dev.network.rules]]
host = "[2001:db8::/32]"
verdict = "deny"
on_denial = "block"

[resolver]
hosts = { "API.example.org" = "10.0.0.5", "two.example.org" = ["10.0.0.6", "::1"] }
timeout_seconds = 3

[approvals]
hold_seconds = 60

[audit]
directory = "/var/log/netproxy"
otlp = "http://127.0.0.1:4318"

[sandbox]
write = ["~/.cache"]

[limits]
connections_per_run = 100
connections_per_second = 20.5
connections_total = 1000
"""


def user(text: str) -> Document:
    return load(text, NAME, layer=Layer.USER)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        user(text)
    return tuple(problem.removeprefix(f"{NAME}:") for problem in caught.value.problems)


def at(line: int, column: int, key: str, *, layer: Layer = Layer.USER) -> Origin:
    return Origin(layer=layer, file=NAME, line=line, column=column, key=key)


def test_a_whole_file() -> None:
    document = user(GOOD)
    profile = document.profiles["dev"]
    network = "profiles.dev.network"
    assert document.default_profile == "dev"
    assert profile.layer is Layer.USER
    assert profile.mode == Statement(Mode.LIMITED, at(4, 1, f"{network}.mode"))
    assert profile.default == Statement(Verdict.DENY, at(5, 1, f"{network}.default"))
    assert profile.on_denial == Statement(OnDenial.BLOCK, at(6, 1, f"{network}.on_denial"))
    (private,) = profile.allow_private
    assert str(private.value) == "10.0.0.0/8"
    assert private.origin == at(10, 18, f"{network}.allow_private[0]")
    assert document.resolver_hosts == {
        "api.example.org": ("10.0.0.5",),
        "two.example.org": ("10.0.0.6", "::1"),
    }
    assert (document.resolve_seconds, document.approvals) == (3, Approvals(hold_seconds=60))
    assert document.audit_directory == "/var/log/netproxy"
    assert document.otlp_endpoint == "http://127.0.0.1:4318"
    assert document.sandbox is not None
    assert document.sandbox.write == ["~/.cache"]
    assert document.limits == ChosenLimits(
        connections_per_run=100, connections_per_second=20.5, connections_total=1000
    )


def test_rules_know_where_they_were_written() -> None:
    rules = user(GOOD).profiles["dev"].rules
    assert [rule.label for rule in rules] == [
        "pypi.org:443 (config.toml:7)",
        "*.pythonhosted.org (config.toml:8)",
        "**.tracker.example (config.toml:9)",
        "https://api.example.org:443 (config.toml:12)",
        "https://api.example.org:8000-8010 (config.toml:12)",
        "socks5-tcp://api.example.org:443 (config.toml:12)",
        "socks5-tcp://api.example.org:8000-8010 (config.toml:12)",
        "[2001:db8::/32] (config.toml:19)",
    ]
    assert rules[3].reason == "read-only API"
    assert rules[-1].on_denial is OnDenial.BLOCK


def test_an_empty_file_says_nothing() -> None:
    document = user("")
    assert document.default_profile is None
    assert document.profiles == {}
    assert document.approvals is None
    assert document.limits == ChosenLimits()


def test_what_a_profile_does_not_say_is_none() -> None:
    profile = user("[profiles.dev]\n").profiles["dev"]
    assert (profile.mode, profile.default, profile.on_denial) == (None, None, None)
    assert (profile.rules, profile.allow_private) == ((), ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("allow = []", "1:1 allow: unknown key", id="unknown key"),
        pytest.param(
            PROFILE + "alow = []",
            "2:1 profiles.dev.network.alow: unknown key, did you mean allow?",
            id="misspelt key",
        ),
        pytest.param(
            "[profile.dev.network]",
            "1:1 profile: unknown key, did you mean profiles?",
            id="section",
        ),
        pytest.param(
            PROFILE + 'mode = "limitd"',
            "2:1 profiles.dev.network.mode: 'limitd' is not one of full, limited, off, "
            "did you mean limited?",
            id="misspelt value",
        ),
        pytest.param(
            PROFILE + "mode = 3",
            "2:1 profiles.dev.network.mode: must be one of full, limited, off",
            id="value of another type",
        ),
        pytest.param(
            PROFILE + 'allow = ["ok.test",\n  "*.com"]',
            "3:3 profiles.dev.network.allow[1]: '*.com' would cover everybody's names below com, "
            "did you mean *.example.com?",
            id="rule over a public suffix, with its line",
        ),
        pytest.param(
            PROFILE + "allow = [443]",
            "2:10 profiles.dev.network.allow[0]: must be text",
            id="number",
        ),
        pytest.param(
            PROFILE + 'allow = "ok.test"',
            "2:1 profiles.dev.network.allow: must be a list",
            id="text",
        ),
        pytest.param(
            "profiles = { dev = 3 }", "1:14 profiles.dev: must be a table", id="not a table"
        ),
        pytest.param("profiles = 3", "1:1 profiles: must be a table", id="not a table of tables"),
        pytest.param(
            PROFILE + 'allow_private = ["0.0.0.0/0"]',
            "2:18 profiles.dev.network.allow_private[0]: "
            "0.0.0.0/0 holds public and local addresses, name the local block",
            id="private block",
        ),
        pytest.param(
            "[resolver]\ntimeout_seconds = 0",
            "2:1 resolver.timeout_seconds: must be greater than 0",
            id="number out of range",
        ),
        pytest.param(
            '[resolver]\nhosts = { "a.test" = [] }',
            "2:11 resolver.hosts.'a.test': must not be empty",
            id="no address",
        ),
        pytest.param(
            '[resolver]\nhosts = { "1.2.3.4" = "::1" }',
            "2:11 resolver.hosts.'1.2.3.4': 1.2.3.4 is an address, only names are looked up",
            id="address as a name",
        ),
        pytest.param(
            '[resolver]\nhosts = { "a.test" = "b.test" }',
            "2:11 resolver.hosts.'a.test'[0]: 'b.test' is not an IP address",
            id="name as an address",
        ),
        pytest.param(
            "[audit]\ndirectory = 1979-05-27", "2:1 audit.directory: must be text", id="date"
        ),
        pytest.param("a = ", "1:5 invalid value", id="syntax"),
        pytest.param("a = 1\na = 2", "2:6 this key has a value already", id="key twice"),
        pytest.param('\n\na = """x', "3:9 unterminated string", id="end"),
        pytest.param(
            "\ufeffa = 1",
            "1:1 begins with a byte order mark, save it without",
            id="byte order mark",
        ),
        pytest.param("a = " + "[" * 100_000, "1:1 is nested too deeply", id="depth"),
    ],
)
def test_a_problem_has_file_line_column_key_and_advice(text: str, problem: str) -> None:
    assert problems(text) == (problem,)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("methods = []", "4:1 {}.methods: must not be empty", id="no method"),
        pytest.param("paths = []", "4:1 {}.paths: must not be empty", id="no path"),
        pytest.param("headers = {}", "4:1 {}.headers: must not be empty", id="no header"),
        pytest.param("port = [1]", "4:1 {}.port: unknown key, did you mean ports?", id="misspelt"),
        pytest.param("ports = []", "4:1 {}.ports: must not be empty", id="no port"),
        pytest.param(
            "ports = [0]", "4:10 {}.ports[0]: a port is a number from 1 to 65535", id="port 0"
        ),
        pytest.param("ports = [true]", "4:10 {}.ports[0]: must be text", id="truth"),
        pytest.param("protocols = []", "4:1 {}.protocols: must not be empty", id="no protocol"),
        pytest.param(
            'protocols = ["htps"]', "4:14 {}.protocols[0]: 'htps' is not one", id="protocol"
        ),
        pytest.param("on_denial = 'kill'", "4:1 {}.on_denial: 'kill' is not one", id="on_denial"),
    ],
)
def test_a_rule_that_cannot_be_honoured_stops_everything(line: str, problem: str) -> None:
    """Fail closed: a rule that asks for more than we can check is not half a rule."""
    table = '[[profiles.dev.network.rules]]\nhost = "a.test"\nverdict = "allow"\n'
    (found,) = problems(table + line)
    assert found.startswith(problem.format("profiles.dev.network.rules[0]"))


@pytest.mark.parametrize("host", ["a.test:443", "https://a.test", "*.com", "10.0.0.1/8", ""])
def test_a_tables_host_is_a_pattern_alone(host: str) -> None:
    table = f'[[profiles.dev.network.rules]]\nhost = "{host}"\nverdict = "allow"\n'
    (found,) = problems(table)
    assert found.startswith("2:1 profiles.dev.network.rules[0].host: ")


def test_a_table_needs_a_host_and_a_verdict() -> None:
    assert problems("[[profiles.dev.network.rules]]") == (
        "1:1 profiles.dev.network.rules[0].host: is missing",
        "1:1 profiles.dev.network.rules[0].verdict: is missing",
    )


def test_all_problems_come_at_once_and_in_order() -> None:
    text = 'typo = 1\n[profiles.dev.network]\nmode = "x"\nallow = ["a b", "ok.test", "*.com"]\n'
    assert [problem.split(" ")[0] for problem in problems(text)] == ["1:1", "3:1", "4:10", "4:28"]


def test_a_later_reader_words_its_problems_alike() -> None:
    said = user(GOOD).problem(("audit", "otlp"), "is odd")
    assert said == f"{NAME}:33:1 audit.otlp: is odd"


@given(st.text(max_size=60), st.sampled_from([Layer.USER, Layer.PROJECT]))
def test_any_text_is_a_document_or_a_list_of_lines(text: str, layer: Layer) -> None:
    lines: tuple[str, ...] = ("f:",)
    try:
        load(text, "f", layer=layer)
    except InvalidSettings as error:
        lines = error.problems
    assert lines
    assert all(line.startswith("f:") and "\n" not in line for line in lines)


BUNDLED = """\
[bundles]
python = ["pypi.org:443",
  "*.pythonhosted.org"]
[profiles.dev.network]
allow = ["a.test", "@python"]
deny = ["@python"]
[projects]
allow = ["@python", "b.test"]
allow_private = ["10.1.0.0/16"]
"""


def test_a_bundle_expands_where_it_is_used_and_keeps_its_places() -> None:
    document = user(BUNDLED)
    rules = document.profiles["dev"].rules
    assert [(rule.effect.value, rule.label) for rule in rules] == [
        ("allow", "a.test (config.toml:5)"),
        ("allow", "pypi.org:443 (config.toml:2 @python)"),
        ("allow", "*.pythonhosted.org (config.toml:3 @python)"),
        ("deny", "pypi.org:443 (config.toml:2 @python)"),
        ("deny", "*.pythonhosted.org (config.toml:3 @python)"),
    ]
    assert rules[2].origin.place == f"{NAME}:3:3 bundles.python[1]"
    assert [rule.label for rule in document.project_allow] == [
        "pypi.org:443 (config.toml:2 @python)",
        "*.pythonhosted.org (config.toml:3 @python)",
        "b.test (config.toml:8)",
    ]
    (private,) = document.project_allow_private
    assert private.origin == at(9, 18, "projects.allow_private[0]")
    assert [entry.value for entry in document.bundles["python"].entries] == [
        "pypi.org:443",
        "*.pythonhosted.org",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            BUNDLED.replace("@python", "@pyton", 1),
            "5:20 profiles.dev.network.allow[1]: there is no bundle 'pyton', did you mean python?",
            id="unknown",
        ),
        pytest.param(
            '[bundles]\na = ["b.test"]\nb = ["@a"]',
            "3:6 bundles.b[0]: '@a': no bundle may stand here, only rules",
            id="a bundle in a bundle",
        ),
        pytest.param("bundles.a = []", "1:1 bundles.a: must not be empty", id="empty"),
        pytest.param(
            'bundles."a b" = ["b.test"]',
            "1:1 bundles.'a b': 'a b' is not a name of letters, digits, - and _",
            id="a name that can't be written after @",
        ),
        pytest.param(
            '[bundles]\na = ["*.com"]\n[profiles.d.network]\nallow = ["@a"]\ndeny = ["@a"]',
            "2:6 bundles.a[0]: '*.com' would cover everybody's names below com, "
            "did you mean *.example.com?",
            id="a bad entry is said once, where it stands",
        ),
    ],
)
def test_what_is_wrong_with_a_bundle(text: str, problem: str) -> None:
    assert problems(text) == (problem,)


PROJECT = "/work/app/netproxy.toml"


def test_a_project_says_the_same_things() -> None:
    text = BUNDLED.partition("[projects]")[0]
    document = load(text, PROJECT, layer=Layer.PROJECT)
    profile = document.profiles["dev"]
    assert profile.layer is Layer.PROJECT
    assert {rule.origin.layer for rule in profile.rules} == {Layer.PROJECT}
    assert document.project_allow == ()


def test_but_not_what_is_the_users_own() -> None:
    """A project that chose where names lead, or who is asked, would be above the user."""
    sections = ("resolver", "approvals", "audit", "sandbox", "projects")
    text = "".join(f"[{section}]\n" for section in sections)
    with pytest.raises(InvalidSettings) as caught:
        load(text, PROJECT, layer=Layer.PROJECT)
    what = "a project may not set this, it belongs into the user's config.toml"
    assert caught.value.problems == tuple(
        f"{PROJECT}:{line}:1 {section}: {what}" for line, section in enumerate(sections, 1)
    )


def test_a_table_has_conditions_and_an_end() -> None:
    text = (
        "[[profiles.dev.network.rules]]\nhost = 'a.test'\nverdict = 'allow'\n"
        "methods = ['GET']\npaths = ['/v1/**']\nheaders = { X-Team = 'build-*' }\n"
        "expires = 2026-12-31\n"
    )
    (rule,) = user(text).profiles["dev"].rules
    assert str(rule.condition) == "GET /v1/** x-team: build-*"
    assert rule.expires_at == 1798761600


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2026-12-31T18:00:00", "has no time zone, write 2026-12-31T18:00:00Z or a date alone"),
        ("18:00:00", "must be a date such as 2026-12-31, without quotes"),
        ("'2026-12-31'", "must be a date such as 2026-12-31, without quotes"),
        ("nan", "must be a date such as 2026-12-31, without quotes"),
        ("2026-02-30", ""),
    ],
)
def test_an_end_that_is_no_instant(value: str, said: str) -> None:
    table = "[[profiles.dev.network.rules]]\nhost = 'a.test'\nverdict = 'allow'\n"
    (found,) = problems(f"{table}expires = {value}")
    wanted = f"4:1 profiles.dev.network.rules[0].expires: {said}" if said else "4:11 invalid date"
    assert found.startswith(wanted)


@pytest.mark.parametrize("mode", ["written", "strict", "best_effort"])
def test_a_mode_of_audit(mode: str) -> None:
    assert user(f'[audit]\nmode = "{mode}"').audit_mode == mode


def test_a_mode_of_audit_that_was_misspelt_is_said() -> None:
    """Going on without it would be a silent downgrade."""
    (found,) = problems('[audit]\nmode = "stritc"')
    assert found.startswith("2:1 audit.mode: 'stritc' is not one of written, strict, best_effort")
    assert "did you mean strict?" in found


def test_a_name_that_is_pinned_twice_is_no_choice_of_ours() -> None:
    text = '[resolver]\nhosts = { "a.test" = "10.0.0.1", "A.test." = "10.0.0.2" }'
    assert problems(text) == ("2:1 resolver.hosts: has one name in two spellings",)


def test_windows_line_ends_are_line_ends() -> None:
    text = BUNDLED.replace("\n", "\r\n")
    assert [rule.label for rule in user(text).profiles["dev"].rules][:2] == [
        "a.test (config.toml:5)",
        "pypi.org:443 (config.toml:2 @python)",
    ]


def test_a_place_can_be_asked_for() -> None:
    assert user(GOOD).origin(("audit", "otlp")) == at(33, 1, "audit.otlp")
    assert user(GOOD).origin(("nowhere", "else")).line == 1


@given(files, st.sampled_from([Layer.USER, Layer.PROJECT]))
def test_anything_like_a_file_is_a_document_or_a_list_of_lines(text: str, layer: Layer) -> None:
    lines: tuple[str, ...] = ("f:1:1 ",)
    try:
        load(text, "f", layer=layer)
    except InvalidSettings as error:
        lines = error.problems
    assert lines
    assert all(re.match(r"f:\d+:\d+ ", line) and line.isprintable() for line in lines)


def test_what_becomes_of_tls_for_another_name() -> None:
    said = user('[profiles.dev.network]\nsni = "record"\n').profiles["dev"].sni
    assert said == Statement(Sni.RECORD, at(2, 1, "profiles.dev.network.sni"))
    (problem,) = problems('[profiles.dev.network]\nsni = "allow"\n')
    assert problem.startswith("2:")


def test_a_route_knows_where_its_hosts_were_written() -> None:
    document = user('[[routes]]\nhosts = ["*.corp.example"]\nto = "direct"\n')
    ((hosts, *_),) = document.routes
    (rule,) = hosts
    assert rule.origin == at(1, 1, "routes[0]")
