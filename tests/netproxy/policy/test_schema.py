"""What editors are told is what the loader does, and what is checked in is what is made."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from netproxy.errors import InvalidSettings
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.schema import MODELS, schema
from tests.support.json_schema import faults
from tests.support.people import ROOT
from tests.support.rule_texts import texts
from tests.support.toml_texts import files

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = pytest.mark.parametrize("kind", MODELS)


def tables(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from tables(value)
    if isinstance(node, list):
        for item in node:
            yield from tables(item)


@KINDS
def test_the_one_that_is_checked_in_is_the_one_that_is_made(kind: str) -> None:
    """If this fails: netproxy policy schema KIND > docs/schema/KIND.json."""
    assert json.loads((ROOT / f"docs/schema/{kind}.json").read_text()) == schema(kind)


@KINDS
def test_it_is_of_the_draft_that_it_names(kind: str) -> None:
    assert schema(kind)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@KINDS
def test_no_table_takes_unknown_keys(kind: str) -> None:
    """An editor must not be kinder than the loader."""
    open_tables = [
        table for table in tables(schema(kind)) if table.get("additionalProperties", True) is True
    ]
    assert open_tables == []


@KINDS
def test_nothing_of_pythons_is_in_it(kind: str) -> None:
    text = json.dumps(schema(kind))
    assert '"null"' not in text
    assert text.count('"title"') == 1
    assert '"default":' not in text.replace('"default": {"description"', "")


@KINDS
def test_every_pattern_is_one_and_every_reference_leads_somewhere(kind: str) -> None:
    made = schema(kind)
    text = json.dumps(made)
    for pattern in re.findall(r'"pattern": ("(?:\\.|[^"\\])*")', text):
        re.compile(json.loads(pattern))
    assert set(re.findall(r'"#/\$defs/(\w+)"', text)) == set(made.get("$defs", {}))


def entry_pattern(key: str) -> re.Pattern[str]:
    network = schema("config")["$defs"]["Network"]
    return re.compile(network["properties"][key]["items"]["pattern"])


ENTRY = entry_pattern("allow")
CONFIG = schema("config")


@given(texts)
def test_a_rule_that_is_read_is_one_to_an_editor(text: str) -> None:
    assert ENTRY.search(text)


@pytest.mark.parametrize("text", ["@python", "bücher.example", "[2001:db8::/32]:443", "*:22"])
def test_so_are_the_rarer_spellings(text: str) -> None:
    assert ENTRY.search(text)


@pytest.mark.parametrize(
    "text", ["", "a b", "htps://a.test", "https://a.test/x", "a.test:0", "a.test:http", "a,b", "@"]
)
def test_an_editor_marks_what_is_no_rule(text: str) -> None:
    assert not ENTRY.search(text)


SAMPLES = ROOT / "deploy/examples/policy"
SAMPLE_OF = {
    "config": "config.toml",
    "project": "netproxy.toml",
    "requirements": "requirements.toml",
    "cases": "cases.toml",
}


@KINDS
def test_the_sample_is_valid_to_an_editor(kind: str) -> None:
    sample = tomllib.loads((SAMPLES / SAMPLE_OF[kind]).read_text())
    assert faults(sample, schema(kind)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("default_profil = 'x'", "$.default_profil: additionalProperties"),
        ("default_profile = 3", "$.default_profile: type"),
        ("[profiles.d.network]\nmode = 'ful'", "$.profiles.d.network.mode: enum"),
        ("[profiles.d.network]\nallow = ['a b']", "$.profiles.d.network.allow[0]: pattern"),
        ("[profiles.d.network]\nallow = [443]", "$.profiles.d.network.allow[0]: type"),
        (
            "[[profiles.d.network.rules]]\nhost = 'a.test'",
            "$.profiles.d.network.rules[0]: required",
        ),
        ("bundles.a = []", "$.bundles.a: minItems"),
        ("bundles.'a b' = ['a.test']", "$.bundles.a b: additionalProperties"),
        ("resolver.timeout_seconds = 0", "$.resolver.timeout_seconds: exclusiveMinimum"),
        ("audit.mode = 'off'", "$.audit.mode: enum"),
    ],
)
def test_an_editor_underlines_what_the_loader_refuses(text: str, fault: str) -> None:
    assert faults(tomllib.loads(text), schema("config")) == [fault]
    with pytest.raises(InvalidSettings):
        load(text, "f", layer=Layer.USER)


@given(files)
def test_what_the_loader_takes_an_editor_takes(text: str) -> None:
    """An editor that underlines what works teaches its user to look away."""
    try:
        load(text, "f", layer=Layer.USER)
    except InvalidSettings:
        return
    assert faults(tomllib.loads(text), CONFIG) == []
