"""The shape of every module: what it says of itself, how long it is, who tests it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from tests.architecture.measure import cycles, ignores, import_graph
from tests.architecture.sources import PACKAGES, ROOT, Module, length, modules

pytestmark = pytest.mark.xdist_group("sources")

MODULES = modules()
BY_PATH = {str(module.path): module for module in MODULES}
FILE_LINES, FUNCTION_LINES = 400, 50

# These lists may only shrink: an entry that is no longer needed fails the suite.
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
# Checks that are switched off without a word of why.
UNEXPLAINED: set[str] = set()
# Modules without a test file of their own, by the file that covers them.
COVERED_ELSEWHERE = {
    # Values, Protocols and numbers: nothing to run that their users' tests don't run.
    "tests/approvals/test_service.py": (
        "approvals/desk",
        "approvals/errors",
        "approvals/moves",
        "approvals/opening",
        "approvals/outcomes",
        "approvals/ports",
    ),
    "tests/approvals/store/test_database.py": ("approvals/store/engine",),
    # What one store is made of, shown by all that it promises.
    "tests/approvals/store/test_sqlite.py": (
        "approvals/store/feed",
        "approvals/store/gateways",
        "approvals/store/grants",
        "approvals/store/records",
        "approvals/store/sql",
    ),
    "tests/approvals/http/test_application.py": ("approvals/http/site",),
    "tests/approvals/http/test_openapi.py": ("approvals/http/api",),
    "tests/netproxy/app/cli/test_approvals.py": (
        "netproxy/app/cli/approvals_answer",
        "netproxy/app/cli/approvals_approve",
        "netproxy/app/cli/approvals_command",
        "netproxy/app/cli/approvals_decisions",
        "netproxy/app/cli/approvals_deny",
        "netproxy/app/cli/approvals_grants",
        "netproxy/app/cli/approvals_list",
        "netproxy/app/cli/approvals_login",
        "netproxy/app/cli/approvals_openapi",
        "netproxy/app/cli/approvals_revoke",
        "netproxy/app/cli/approvals_sessions",
        "netproxy/app/cli/approvals_show",
        "netproxy/app/cli/approvals_token",
        "netproxy/app/cli/gateways",
    ),
    "tests/netproxy/app/cli/test_approvals_watch.py": ("netproxy/app/watching",),
    "tests/netproxy/connection/test_gate.py": ("netproxy/model", "netproxy/ports"),
    "tests/netproxy/protocol/test_http1.py": ("netproxy/protocol/buffer",),
    "tests/netproxy/policy/test_document.py": (
        "netproxy/policy/audit_tables",
        "netproxy/policy/gateway_tables",
        "netproxy/policy/way_tables",
    ),
    "tests/netproxy/policy/test_engine.py": ("netproxy/policy/judgements",),
    "tests/otel/test_events.py": (
        "otel/approval_events",
        "otel/attributes",
        "otel/errors",
        "otel/sandbox_events",
    ),
    "tests/otel/test_ocsf.py": ("otel/ocsf_classes", "otel/ocsf_values"),
    "tests/otel/test_otlp.py": ("otel/otlp_fields",),
    "tests/otel/test_shipper.py": ("otel/answers", "otel/lifetime"),
    "tests/sandbox/linux/test_broker.py": (
        "sandbox/linux/notifications",
        "sandbox/linux/notify",
    ),
    "tests/sandbox/test_plan.py": ("sandbox/errors",),
    "tests/netproxy/app/test_audit_page.py": ("netproxy/app/audit_page_style",),
    "tests/netproxy/app/cli/test_audit.py": ("netproxy/app/cli/audit_command",),
    "tests/netproxy/app/cli/test_audit_query.py": ("netproxy/app/cli/audit_selection",),
    # What only real sockets show, shown by the drivers that use it.
    "tests/netproxy/transport/test_http_driver.py": (
        "netproxy/transport/attempt",
        "netproxy/transport/driver",
        "netproxy/transport/services",
        "netproxy/transport/stream",
        "netproxy/transport/upstream",
    ),
    "tests/netproxy/transport/test_udp_association.py": ("netproxy/transport/udp_flow",),
    # What only a real run shows: processes, namespaces, terminals.
    "tests/scenarios/test_run.py": (
        "netproxy/__main__",
        "netproxy/app/cli/run",
        "netproxy/app/run",
        "sandbox/config",
        "sandbox/process",
        "sandbox/tree",
    ),
    # Two processes, and the sockets between them.
    "tests/scenarios/test_handover.py": (
        "netproxy/app/async_line",
        "netproxy/app/launcher",
        "netproxy/app/takeover",
        "sandbox/attended",
    ),
    "tests/faults/test_descriptors.py": ("netproxy/app/descriptors",),
    "tests/scenarios/test_serve.py": (
        "netproxy/app/cli/serve",
        "netproxy/app/serve",
        "netproxy/app/serving",
        "netproxy/app/sessions",
    ),
    "tests/scenarios/test_bad_input.py": ("netproxy/app/cli/__init__", "netproxy/app/cli/usage"),
    "tests/scenarios/test_terminal.py": (
        "netproxy/app/screen",
        "sandbox/terminal",
    ),
    "tests/attacks/test_fence.py": ("netproxy/app/fencing",),
    "tests/attacks/test_self_proof.py": ("sandbox/linux/attempts",),
    "tests/netproxy/app/cli/test_doctor.py": (
        "sandbox/linux/kernel",
        "sandbox/probe",
    ),
    "tests/scenarios/test_demo.py": (
        "netproxy/app/cli/demo",
        "netproxy/app/demo/goods",
        "netproxy/app/demo/person",
        "netproxy/app/demo/site",
        "netproxy/app/demo/stage",
        "netproxy/app/demo/steps",
    ),
}


def each(found: list[Module]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("module", found, ids=[str(module.path) for module in found])


def mirror(module: Module) -> str:
    """The test file that has the same name."""
    stem = module.path.stem.strip("_")
    return str("tests" / module.path.parent / f"test_{stem}.py")


@each(MODULES)
def test_it_says_what_it_is_in_a_few_lines(module: Module) -> None:
    assert module.docstring, "no docstring"
    assert len(module.docstring.splitlines()) <= 12, "theory of a hard file fits in twelve lines"
    assert module.docstring.splitlines()[0].endswith((".", ":")), "the first line is a sentence"


def test_no_file_is_longer_than_one_story() -> None:
    long = {str(module.path) for module in MODULES if module.lines > FILE_LINES}
    assert long == LONG_FILES


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{module.path}:{function.name}"
        for module in MODULES
        for function in module.functions()
        if length(function) > FUNCTION_LINES
    }
    assert long == LONG_FUNCTIONS


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = {
        str(module.path)
        for module in MODULES
        if (module.path.name != "__init__.py" or module.defines_something())
        and not (ROOT / mirror(module)).exists()
    }
    listed = {f"{name}.py" for names in COVERED_ELSEWHERE.values() for name in names}
    assert sorted(missing - listed) == [], "modules without a test file"
    assert sorted(listed - missing) == [], "they have one, or are gone: take them off the list"


@pytest.mark.parametrize("test", COVERED_ELSEWHERE)
def test_what_covers_the_rest_exists(test: str) -> None:
    assert (ROOT / test).is_file()


def test_a_check_that_is_switched_off_says_why() -> None:
    assert {str(module.path) for module in MODULES if ignores(module)[1]} == UNEXPLAINED


def test_every_test_file_mirrors_a_module() -> None:
    """A test that lost its module would go on passing, and say nothing."""
    mirrors = {mirror(module) for module in MODULES}
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
    }
    # What several modules of one package promise together.
    joint = {
        "tests/otel/test_public_names.py",
        "tests/approvals/test_answers.py",
        "tests/approvals/test_races.py",
        "tests/netproxy/transport/test_garbage.py",
        "tests/netproxy/transport/test_no_early_lookup.py",
        "tests/netproxy/transport/test_upgrade.py",
    }
    assert sorted(files - mirrors - joint) == []


def test_nothing_imports_in_a_circle() -> None:
    assert cycles(import_graph(MODULES)) == []


def test_a_circle_would_be_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def packages() -> list[str]:
    found = list(PACKAGES)
    for name in PACKAGES:
        path = importlib.import_module(name).__path__
        found += [m.name for m in pkgutil.walk_packages(path, f"{name}.") if m.ispkg]
    return found


@pytest.mark.parametrize("name", packages())
def test_every_public_name_exists(name: str) -> None:
    package = importlib.import_module(name)
    names = getattr(package, "__all__", [])
    assert sorted(set(names)) == sorted(names), "no name twice"
    assert [one for one in names if not hasattr(package, one)] == []
