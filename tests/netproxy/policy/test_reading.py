"""One file is read once, with the place of everything in it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from netproxy.errors import InvalidSettings
from netproxy.policy import reading
from netproxy.policy.bundles import Bundle
from netproxy.policy.fields import RuleTable, Strict
from netproxy.policy.layers import Statement
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.reading import Reading, decoded, table_rules
from netproxy.policy.rules import Effect

NAME = "/etc/x.toml"
HERE = Origin(layer=Layer.USER, file=NAME, line=7, column=1, key="rules[0]")


class Table(Strict):
    name: str
    rules: list[str] = Field(default_factory=list)


def read(text: str) -> Reading:
    return Reading(text, NAME, Layer.MANAGED)


def problems(found: Reading) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        found.finish()
    return [problem.removeprefix(f"{NAME}:") for problem in caught.value.problems]


class TestBytes:
    def test_text(self) -> None:
        assert decoded("a = 'ü'".encode(), NAME) == "a = 'ü'"

    @pytest.mark.parametrize(
        ("content", "place"),
        [(b"\xff", "1:1"), (b"a = 1\nb = '\xe9'", "2:6"), (b"\xed\xa0\x80", "1:1")],
        ids=["at once", "later", "half a pair"],
    )
    def test_another_encoding(self, content: bytes, place: str) -> None:
        with pytest.raises(InvalidSettings) as caught:
            decoded(content, NAME)
        assert caught.value.problems == (f"{NAME}:{place} is not UTF-8 text",)

    def test_too_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "FILE_LIMIT", 1 << 20)
        with pytest.raises(InvalidSettings, match="is larger than 1 MiB"):
            decoded(b"#" * (1 << 20) + b"#", NAME)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "1:2 expected '=' after a key in a key/value pair"),
        ("a = 1\na = 2\nb = 1", "2:6 this key has a value already"),
        ("[a.b]\n[a.b]\n", "2:5 this table is there twice: a.b"),
        ("a = 1" + "0" * 5000, "1:5006 a number has thousands of digits"),
        ("\ufeffa = 1", "1:1 begins with a byte order mark, save it without"),
        ("a = " + "[" * 50_000, "1:1 is nested too deeply"),
        ("a = 1\rb = 2", "1:6 expected newline or end of document after a statement"),
        ('a = "\x00"', r"1:6 illegal character '\x00'"),
        ("a = 25:00:00", "1:7 expected newline or end of document after a statement"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_not_toml_has_a_place(text: str, problem: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read(text)
    assert caught.value.problems == (f"{NAME}:{problem}",)


def test_the_shape_and_the_rules_fail_together_and_in_order() -> None:
    found = read('rules = ["a b", 3, "a.test"]\nnaem = "x"\n')
    assert found.shape(Table) is None
    (rules,) = found.rules(("rules",), Effect.ALLOW).values()
    assert [rule.text for rule in rules] == ["a.test"]
    assert [problem.split(": ")[0] for problem in problems(found)] == [
        "1:1 name",
        "1:10 rules[0]",
        "1:17 rules[1]",
        "2:1 naem",
    ]


def test_nothing_wrong_is_no_error() -> None:
    found = read('name = "x"\n')
    assert found.shape(Table) == Table(name="x")
    assert found.top_keys == {"name"}
    found.finish()


def test_a_rule_has_its_place_and_its_layer() -> None:
    text = "[a.b]\n[c.b]\nrules = [  # all\n'x.test', \"y.test\"\n]\n"
    ((path, rules),) = read(text).rules(("*", "b", "rules"), Effect.DENY).items()
    assert path == ("c", "b", "rules")
    assert [rule.origin.place for rule in rules] == [
        f"{NAME}:4:1 c.b.rules[0]",
        f"{NAME}:4:11 c.b.rules[1]",
    ]
    assert {rule.origin.layer for rule in rules} == {Layer.MANAGED}


@pytest.mark.parametrize("text", ["rules = 3", "rules = { a = 1 }", "other = []", "[[rules]]"])
def test_where_no_list_of_texts_is_no_rule_is(text: str) -> None:
    assert not any(read(text).rules(("rules",), Effect.ALLOW).values())


def test_a_bundle_expands_where_bundles_are_known() -> None:
    entry = Statement("pypi.org", Origin(layer=Layer.USER, file="u", bundle="python"))
    bundles = {"python": Bundle(name="python", entries=(entry,))}
    (rules,) = read('rules = ["@python"]').rules(("rules",), Effect.ALLOW, bundles).values()
    assert [(str(rule), rule.origin.layer) for rule in rules] == [("pypi.org", Layer.MANAGED)]


def test_and_nowhere_else() -> None:
    found = read('rules = ["@python"]')
    found.rules(("rules",), Effect.ALLOW)
    assert problems(found) == ["1:10 rules[0]: '@python': no bundle may stand here, only rules"]


def test_an_origin_and_a_problem_name_the_same_place() -> None:
    found = read("[a]\nb = 1\n")
    assert found.problem(("a", "b"), "is odd") == f"{found.origin(('a', 'b')).place}: is odd"


def test_a_table_is_a_rule_for_each_protocol_and_port() -> None:
    table = RuleTable.model_validate(
        {
            "host": "a.test",
            "ports": [443, "8000-8010"],
            "protocols": ["https", "tcp"],
            "verdict": "allow",
            "reason": "because",
            "on_denial": "block",
        }
    )
    rules = table_rules(table, HERE)
    assert [rule.text for rule in rules] == [
        "https://a.test:443",
        "https://a.test:8000-8010",
        "tcp://a.test:443",
        "tcp://a.test:8000-8010",
    ]
    assert {rule.reason for rule in rules} == {"because"}
    assert {str(rule.on_denial) for rule in rules} == {"block"}
    assert {rule.origin for rule in rules} == {HERE}
    assert {(rule.condition, rule.expires_at) for rule in rules} == {(None, None)}


@pytest.mark.parametrize(
    ("keys", "condition"),
    [
        ({"methods": ["GET", "HEAD"]}, "GET,HEAD"),
        ({"paths": ["/v1/**"]}, "/v1/**"),
        ({"headers": {"X-Team": "build-*"}}, "x-team: build-*"),
        ({"methods": ["GET"], "paths": ["/"], "headers": {"a": "b"}}, "GET / a: b"),
    ],
)
def test_what_a_table_asks_of_a_request(keys: dict[str, object], condition: str) -> None:
    table = RuleTable.model_validate({"host": "a.test", "verdict": "deny", **keys})
    (rule,) = table_rules(table, HERE)
    assert str(rule.condition) == condition


def test_a_tables_expiry_is_its_rules() -> None:
    table = RuleTable.model_validate(
        {"host": "a.test", "verdict": "deny", "expires": dt.date(1970, 1, 1)}
    )
    assert [rule.expires_at for rule in table_rules(table, HERE)] == [86400]


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_in_lines(text: str) -> None:
    lines: tuple[str, ...] = (f"{NAME}:",)
    try:
        found = read(text)
        found.shape(Table)
        found.rules(("rules",), Effect.ALLOW)
        found.finish()
    except InvalidSettings as error:
        lines = error.problems
    assert all(line.startswith(f"{NAME}:") and line.isprintable() for line in lines)
