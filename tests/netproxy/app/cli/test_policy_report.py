"""What a file says, for people and for programs."""

from __future__ import annotations

from netproxy.app.cli.policy_report import Report, report

CONFIG = """\
default_profile = "dev"
[bundles]
python = ["pypi.org:443", "*.pythonhosted.org"]
[profiles.dev.network]
mode = "limited"
allow = ["@python", "a.test"]
deny = ["b.test"]
allow_private = ["10.0.0.0/8"]
[profiles.ci]
[projects]
allow = ["c.test"]
allow_private = ["10.1.0.0/16"]
"""


def test_a_users_file() -> None:
    found = report(CONFIG, "config.toml", "config", now=0)
    assert list(found.lines()) == [
        "config.toml: a good config file",
        "  profile dev (default): 3 allow, 1 deny; mode limited; allow_private 10.0.0.0/8",
        "  profile ci: 0 allow, 0 deny",
        "  @python = pypi.org:443, *.pythonhosted.org",
        "  projects may add c.test, 10.1.0.0/16",
    ]
    assert found.fields()["profiles"][0] == {
        "name": "dev",
        "is_default": True,
        "allow": 3,
        "deny": 1,
        "allow_private": ["10.0.0.0/8"],
        "mode": "limited",
    }


def test_where_connections_leave() -> None:
    text = (
        "[parents.corp]\nurl = 'http://proxy.test:3128'\ncredentials_file = '~/x'\n"
        "[parents.far]\nurl = 'socks5h://[::1]:1080'\n"
        "[parents.near]\nurl = 'socks5h://10.0.0.1'\nresolve = 'here'\n"
        "[parents.env]\nfrom_environment = true\nresolve = 'there'\n"
        "[[routes]]\nhosts = ['*.a.test', '10.0.0.0/8']\nto = 'direct'\n"
        "[[routes]]\nhosts = ['*']\nto = 'corp'\n"
    )
    found = report(text, "config.toml", "config", now=0)
    assert list(found.lines()) == [
        "config.toml: a good config file",
        "  parent corp: http://proxy.test:3128",
        "  parent far: socks5://[::1]:1080, looks names up",
        "  parent near: socks5://10.0.0.1:1080",
        "  parent env: from the environment, looks names up",
        "  route *.a.test, 10.0.0.0/8: direct",
        "  route *: corp",
    ]
    assert found.fields()["routes"] == [
        {"hosts": ["*.a.test", "10.0.0.0/8"], "to": "direct"},
        {"hosts": ["*"], "to": "corp"},
    ]


def test_a_projects_file() -> None:
    found = report("[profiles.dev.network]\ndeny = ['a.test']", "netproxy.toml", "project", now=0)
    assert list(found.lines()) == [
        "netproxy.toml: a good project file",
        "  profile dev: 0 allow, 1 deny",
    ]


def test_a_managed_file() -> None:
    text = (
        "[network]\ndeny = ['a.test']\nallow = ['*:443', 'b.test:22']\n"
        "allow_private = ['10.0.0.0/8']\nmode = 'limited'\non_denial = 'cancel'\n"
        "may_ask = false\n[approvals]\nmax_scope = 'once'\nmax_seconds = 60\n"
        "[sandbox]\nrequired = true\n"
    )
    assert list(report(text, "requirements.toml", "requirements", now=0).lines()) == [
        "requirements.toml: a good requirements file",
        '  deny = ["a.test"]',
        '  allow = ["*:443", "b.test:22"]',
        '  allow_private = ["10.0.0.0/8"]',
        '  mode = "limited"',
        '  on_denial = "cancel"',
        "  may_ask = false",
        '  max_scope = "once"',
        "  max_seconds = 60.0",
        "  sandbox_required = true",
    ]
    empty = report("[network]\nallow = []", "requirements.toml", "requirements", now=0)
    assert empty.fields()["bounds"] == {"allow": []}, "a ceiling of nothing is one"


def test_cases() -> None:
    text = "[[cases]]\ndestination = 'https://a.test'\nverdict = 'ask'\n"
    assert list(report(text, "cases.toml", "cases", now=0).lines()) == [
        "cases.toml: a good cases file",
        "  1 case",
    ]
    assert list(report(text * 2, "cases.toml", "cases", now=0).lines())[1] == "  2 cases"


def test_problems_stand_alone() -> None:
    """Each line is for an editor to jump to."""
    found = Report(file="x", kind="config", problems=("x:1:1 a: is odd",))
    assert list(found.lines()) == ["x:1:1 a: is odd"]
    assert found.fields() == {
        "file": "x",
        "kind": "config",
        "problems": ["x:1:1 a: is odd"],
        "warnings": [],
    }


def test_what_the_lint_finds_has_its_place() -> None:
    text = (
        "bundles.b=['a.test']\ndefault_profile = 'one'\n"
        "[profiles.one.network]\nallow = ['@b', 'c.test']\ndeny = ['a.test']\n"
        "[profiles.two.network]\nallow = ['@b']\ndeny = ['a.test']\n"
        "[[profiles.two.network.rules]]\n"
        "host = 'd.test'\nverdict = 'allow'\nexpires = 1970-01-01\n"
    )
    found = report(text, "config.toml", "config", now=86400)
    assert list(found.warnings) == [
        (
            "config.toml:1:12 bundles.b[0]: warning: allow a.test (config.toml:1 @b) never matches"
            ": deny a.test (config.toml:5) comes before"
        ),
        (
            "config.toml:1:12 bundles.b[0]: warning: allow a.test (config.toml:1 @b) never matches"
            ": deny a.test (config.toml:8) comes before"
        ),
        (
            "config.toml:9:1 profiles.two.network.rules[0]: warning: allow d.test (config.toml:9) "
            "expired at 1970-01-02 00:00 UTC, delete it"
        ),
    ]
    assert list(found.lines())[-3:] == list(found.warnings)
    assert found.fields()["warnings"] == list(found.warnings)


def test_a_managed_file_is_looked_at_too() -> None:
    text = "[network]\ndeny = ['a.test', 'a.test']"
    (warning,) = report(text, "requirements.toml", "requirements", now=0).warnings
    assert warning.startswith("requirements.toml:2:19 network.deny[1]: warning: deny a.test")
