"""Every example of docs/policy.md does what the page says, and every row of its tables is true.

A `toml` block is written to the file that its first line names; `console` blocks are typed in
order, in a home of their own (`tests.support.typed_pages`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.policy import VERBS
from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import CANCELLING, Reason, Verdict
from netproxy.policy.addresses import AddressClass, classify
from netproxy.policy.cases import CaseTable
from netproxy.policy.change import NothingRemembered
from netproxy.policy.destinations import parse_destination
from netproxy.policy.fields import RuleTable
from netproxy.policy.requirements import RequirementsFile
from netproxy.policy.rules import Effect, parse_rule
from netproxy.policy.schema import MODELS
from netproxy.policy.special import is_special_name
from otel import AuditTrail, Journal
from otel.events import PolicyDecision
from tests.support.journals import SteppingClock
from tests.support.people import ROOT
from tests.support.policies import allow, policy
from tests.support.typed_pages import assert_shown, blocks, console_and_files, kinds, typed

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs/policy.md").read_text()
EXAMPLES = console_and_files(PAGE)
_SPAN = re.compile(r"`([^`]+)`")
_CLASSES = {kind.value: kind for kind in AddressClass}
# Shown only where the machine decides: of listeners, interfaces and rules, or of no address at all.
_UNSHOWN = {
    AddressClass.OWN,
    AddressClass.LISTENER,
    AddressClass.DENIED,
    AddressClass.UNRECOGNISED,
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, f"there is no table {heading}"
    table = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table]


def spans(cell: str) -> list[str]:
    return _SPAN.findall(cell)


def journal(directory: Path) -> None:
    """What was decided yesterday, under another policy."""
    directory.mkdir(parents=True, mode=0o700)
    written = Journal.open(directory, clock=SteppingClock())
    trail = AuditTrail(written, {"execution.id": "r-1", "session.id": "s-1"})
    for host, source, reason, times in (
        ("docs.python.org", "reviewer", "approved", 3),
        ("pypi.org", "baseline_policy", "allowed_by_rule", 2),
        ("a.tracker.example", "baseline_policy", "allowed_by_rule", 1),
        ("example.net", "reviewer", "denied_by_reviewer", 1),
    ):
        for _ in range(times):
            trail.record(decided(host, source, reason))
    written.close()


def decided(host: str, source: str, reason: str) -> PolicyDecision:
    allowed = not reason.startswith("denied")
    return PolicyDecision(
        connection_id="c-1",
        client_address="127.0.0.1:40312",
        server_address=host,
        server_port=443,
        protocol="https",
        method="CONNECT",
        scope="domain",
        decision="allow" if allowed else "deny",
        source=source,
        reason=reason,
        override=allowed and source == "reviewer",
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Everything is typed once, in the page's order."""
    home = tmp_path_factory.mktemp("home")
    for folder in (".config/netproxy", "project/wide", "project/.git"):
        (home / folder).mkdir(parents=True)
    journal(home / ".local/state/netproxy/audit")
    return typed(EXAMPLES, home)


@pytest.mark.xdist_group("policy_docs")
@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda n: EXAMPLES[n].line[:60])
def test_an_example_shows_what_the_page_says(shown: list[str], number: int) -> None:
    assert_shown(EXAMPLES[number], shown[number])


def test_every_block_is_of_a_known_kind() -> None:
    assert kinds(PAGE) == {"console", "toml"}


def each(heading: str, *columns: int) -> list[tuple[str, ...]]:
    return [tuple(cells[column] for column in columns) for cells in rows(heading)]


@pytest.mark.parametrize(("typed", "meant"), each("typed", 0, 1))
def test_what_is_typed_is_what_is_meant(typed: str, meant: str) -> None:
    assert [str(parse_destination(text)[0]) for text in spans(typed)] == spans(meant)


@pytest.mark.parametrize("cell", [cells[0] for cells in rows("refused")])
def test_what_is_refused_is(cell: str) -> None:
    assert spans(cell)
    for text in spans(cell):
        with pytest.raises(InvalidDestination):
            parse_destination(text)


@pytest.mark.parametrize(("kind", "cell"), each("class", 0, 1))
def test_an_address_is_of_its_class(kind: str, cell: str) -> None:
    assert spans(cell)
    assert {classify(text) for text in spans(cell)} == {_CLASSES[kind]}


def test_every_class_is_shown() -> None:
    assert {_CLASSES[cells[0]] for cells in rows("class")} | _UNSHOWN == set(AddressClass)


@pytest.mark.parametrize(("cell", "kind"), each("literal", 0, 1))
def test_an_address_inside_an_address_is_judged(cell: str, kind: str) -> None:
    assert {classify(text) for text in spans(cell)} == {_CLASSES[kind]}


def test_special_names() -> None:
    section = PAGE.partition("\n## Special names\n")[2].partition("\n## ")[0]
    assert len(spans(section)) > 5
    assert all(is_special_name(name) for name in spans(section))


@pytest.mark.parametrize(
    ("rule", "wanted", "where"),
    [
        (spans(written)[0], wanted, where)
        for written, yes, no in rows("allow")
        for wanted, cell in ((True, yes), (False, no))
        for where in spans(cell)
    ],
)
def test_a_rule_allows_what_the_table_says(rule: str, wanted: bool, where: str) -> None:
    destination, method = parse_destination(where)
    judgement = policy(allow(rule)).judge(destination, method, NothingRemembered())
    assert (judgement.verdict is Verdict.ALLOW) is wanted, judgement


@pytest.mark.parametrize(("written", "error"), each("written", 0, 1))
def test_a_rule_that_is_no_rule_says_what_was_meant(written: str, error: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_rule(spans(written)[0], Effect.ALLOW)
    assert spans(error)[0] in str(caught.value)


def keys(heading: str) -> set[str]:
    return {key for cells in rows(heading) for key in spans(cells[0])}


def test_every_key_of_a_table_is_told() -> None:
    assert keys("key") == set(RuleTable.model_fields)


def test_every_key_of_a_case_is_told() -> None:
    assert keys("key of a case") == set(CaseTable.model_fields)


def test_every_bound_is_told() -> None:
    _, _, section = PAGE.partition("\n### The managed file\n")
    told = " ".join(spans(section.partition("\n```")[0]))
    for name, field in RequirementsFile.model_fields.items():
        assert f"[{name}]" in told
        inner = getattr(field.annotation, "model_fields", {})
        assert [key for key in inner if key not in told] == []


def test_every_reason_is_told() -> None:
    assert keys("reason") == {str(reason) for reason in Reason}


def test_what_cancels_is_told() -> None:
    """The sentence below the table names them by their kind."""
    named = {"not_allowed", "not_allowed_local", "method_not_allowed"}
    denied = {key for key in keys("reason") if key.startswith("denied_")}
    mismatches = {key for key in keys("reason") if key.endswith("_mismatch")}
    assert {str(reason) for reason in CANCELLING} == named | denied | mismatches


def test_every_verb_is_told() -> None:
    told = {key.split()[0] for key in keys("verb")}
    assert told == set(VERBS)


def test_every_kind_of_schema_is_told() -> None:
    assert f"netproxy policy schema [{'|'.join(MODELS)}]" in PAGE


def test_the_sample_that_editors_read_is_a_file() -> None:
    (block,) = [text for text in blocks(PAGE, "toml") if text.startswith("#:schema")]
    assert block.partition("\n")[0] == "#:schema ./config.schema.json"
