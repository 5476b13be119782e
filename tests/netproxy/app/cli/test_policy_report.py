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
    found = report(CONFIG, "config.toml", "config")
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


def test_a_projects_file() -> None:
    found = report("[profiles.dev.network]\ndeny = ['a.test']", "netproxy.toml", "project")
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
    assert list(report(text, "requirements.toml", "requirements").lines()) == [
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
    empty = report("[network]\nallow = []", "requirements.toml", "requirements")
    assert empty.fields()["bounds"] == {"allow": []}, "a ceiling of nothing is one"


def test_cases() -> None:
    text = "[[cases]]\ndestination = 'https://a.test'\nverdict = 'ask'\n"
    assert list(report(text, "cases.toml", "cases").lines()) == [
        "cases.toml: a good cases file",
        "  1 case",
    ]
    assert list(report(text * 2, "cases.toml", "cases").lines())[1] == "  2 cases"


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
