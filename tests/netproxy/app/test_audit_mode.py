from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app.audit_mode import audit_mode
from netproxy.app.layer_files import LayerFiles
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.requirements import load_requirements
from otel import AuditMode

if TYPE_CHECKING:
    from netproxy.policy.bounds import Bounds
    from netproxy.policy.loader import Document


def files(in_file: str | None, managed: str | None) -> LayerFiles:
    user: Document | None = None
    bounds: Bounds | None = None
    if in_file is not None:
        user = load(f'[audit]\nmode = "{in_file}"', "c.toml", layer=Layer.USER)
    if managed is not None:
        bounds = load_requirements(f'[audit]\nmode = "{managed}"', "r.toml")
    return LayerFiles(user=user, project=None, bounds=bounds, sources=(), warnings=())


@pytest.mark.parametrize(
    ("flag", "in_file", "managed", "expected"),
    [
        (None, None, None, "written"),
        (None, "strict", None, "strict"),
        ("best_effort", "strict", None, "best_effort"),
        (None, None, "strict", "strict"),
        (None, None, "best_effort", "written"),
        (None, "best_effort", "best_effort", "best_effort"),
        ("strict", None, "written", "strict"),
    ],
)
def test_what_holds(
    flag: str | None, in_file: str | None, managed: str | None, expected: str
) -> None:
    problems: list[str] = []
    found = audit_mode(AuditMode(flag) if flag else None, files(in_file, managed), problems)
    assert (found, problems) == (expected, [])


@pytest.mark.parametrize(
    ("flag", "in_file", "managed", "said"),
    [
        (None, "written", "strict", "c.toml:2:1 audit.mode: written"),
        ("best_effort", "strict", "written", "--audit-mode best_effort"),
        ("written", None, "strict", "--audit-mode written"),
    ],
)
def test_nobody_chooses_a_looser_one(
    flag: str | None, in_file: str | None, managed: str, said: str
) -> None:
    problems: list[str] = []
    audit_mode(AuditMode(flag) if flag else None, files(in_file, managed), problems)
    assert problems == [f"{said}: r.toml:2:1 audit.mode demands {managed}"]
