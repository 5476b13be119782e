"""`netproxy policy test CASES.toml`: hold the policy against expected verdicts. Looks nothing up.

Only the files that the cases name take part, and none of this machine's: the answer is the same on
everybody's. Status 0 when all are met, 1 when one is not, 78 for bad files, 64 for bad usage.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netproxy.app.cli.policy_files import text_of
from netproxy.app.cli.printing import write
from netproxy.app.cli.usage import UsageParser
from netproxy.app.layer_files import chosen_profiles, laid_over, violations
from netproxy.errors import InvalidSettings
from netproxy.policy.cases import load_cases
from netproxy.policy.engine import compile_policy
from netproxy.policy.hosts import shown
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.requirements import load_requirements
from otel import visible

if TYPE_CHECKING:
    from netproxy.policy.cases import Case, Cases, Outcome
    from netproxy.policy.loader import Document
    from netproxy.policy.spec import PolicySpec

_EXIT_FAILED = 1
_EXIT_CONFIG = os.EX_CONFIG  # 78

_DESCRIPTION = """\
Judge each destination of a file of cases, and say where the verdict is not the expected one. The
policy is that of the files which the cases name, relative to them; no name is looked up."""


def main(arguments: list[str]) -> int:
    """Judge every case of every file. Returns the exit status."""
    parser = UsageParser(
        prog="netproxy policy test",
        usage="netproxy policy test [--json] CASES.toml ...",
        description=_DESCRIPTION,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="CASES.toml", help="what to judge")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a case, and no summary"
    )
    given = parser.parse_args(arguments)
    try:
        judged = [each for path in given.files for each in _judged(path)]
    except InvalidSettings as invalid:
        sys.stderr.writelines(
            f"netproxy policy test: {visible(line)}\n" for line in invalid.problems
        )
        return _EXIT_CONFIG
    failed = sum(case.fault(outcome) is not None for case, outcome in judged)
    for case, outcome in judged:
        if given.json:
            write(json.dumps(_fields(case, outcome), sort_keys=True))
        else:
            write(visible(_line(case, outcome)))
    if not given.json:
        write(f"{len(judged)} cases, {failed} failed")
    return _EXIT_FAILED if failed else 0


def _judged(path: Path) -> list[tuple[Case, Outcome]]:
    cases = load_cases(text_of(path), str(path))
    policy = compile_policy(_spec(cases, path.parent), now=time.time())
    return [(case, case.outcome(policy)) for case in cases.cases]


def _spec(cases: Cases, folder: Path) -> PolicySpec:
    """Lay the named files over each other. Raises `InvalidSettings` as a run with them would."""
    user = _document(cases.config, folder, Layer.USER)
    project = _document(cases.project, folder, Layer.PROJECT)
    bounds = None
    if cases.requirements is not None:
        path = folder / cases.requirements
        bounds = load_requirements(text_of(path), str(path))
    _, of_user, of_project = chosen_profiles(cases.profile, user, project)
    layers = [layer for layer in (of_user, of_project) if layer is not None]
    if problems := tuple(violations(layers, user, bounds)):
        raise InvalidSettings(problems)
    return laid_over(layers, bounds)


def _document(name: str | None, folder: Path, layer: Layer) -> Document | None:
    if name is None:
        return None
    return load(text_of(folder / name), str(folder / name), layer=layer)


def _line(case: Case, outcome: Outcome) -> str:
    about = _target(case) + (f" ({case.name})" if case.name else "")
    if (fault := case.fault(outcome)) is None:
        return f"ok    {about}: {outcome.verdict.value} ({outcome.because})"
    return f"FAIL  {case.origin.place}: {about}: {fault}"


def _fields(case: Case, outcome: Outcome) -> dict[str, Any]:
    return {
        "case": case.origin.place,
        "name": case.name,
        "destination": _target(case),
        "met": case.fault(outcome) is None,
        "expected": {
            "verdict": case.verdict.value,
            "reason": case.reason,
            "rule": case.rule,
        },
        "verdict": outcome.verdict.value,
        "reason": str(outcome.reason),
        "rule": outcome.rule,
        "explanation": outcome.explanation,
    }


def _target(case: Case) -> str:
    """Name the destination in its one spelling, or quote what has none."""
    return str(case.target[0]) if isinstance(case.target, tuple) else shown(case.text)
