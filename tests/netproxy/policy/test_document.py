"""The shape is strict, and a project's is a part of the user's."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from netproxy.policy.document import File, ProjectFile


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"default_profile": 3}, id="a number for a text"),
        pytest.param({"resolver": {"timeout_seconds": "3"}}, id="a text for a number"),
        pytest.param({"resolver": {"timeout_seconds": True}}, id="a truth for a number"),
        pytest.param({"resolver": {"timeout_seconds": float("nan")}}, id="no number at all"),
        pytest.param({"approvals": {"hold_seconds": float("inf")}}, id="no end"),
        pytest.param({"approvals": {"hold_seconds": 0}}, id="no time"),
        pytest.param({"limits": {"connections_per_run": 0}}, id="no connection"),
        pytest.param({"limits": {"connections_per_run": 1.5}}, id="half a connection"),
        pytest.param({"limits": {"connections_per_second": -1}}, id="less than none"),
        pytest.param({"limits": {"connections_total": 10**9}}, id="more than there are"),
        pytest.param({"limits": {"head_bytes": 1}}, id="a limit that is not to be chosen"),
        pytest.param({"profiles": []}, id="a list for a table"),
        pytest.param({"audit": {"segment_bytes": 1}}, id="a file of one byte"),
        pytest.param({"audit": {"sink": [{"type": "syslog"}]}}, id="a sink of no kind"),
        pytest.param({"telemetry": {"protocol": "udp"}}, id="a protocol that is none"),
        pytest.param({"parents": {"office": {"url": "ftp://a:1"}}}, id="a parent of no kind"),
        pytest.param({"routes": [{"hosts": [], "to": "direct"}]}, id="a route of nobody"),
        pytest.param({"sandbox": {"write": "x"}}, id="a text for a list"),
        pytest.param({"nonsense": 1}, id="an unknown key"),
    ],
)
def test_nothing_is_converted(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        File.model_validate(raw)


def test_what_a_project_may_say_the_user_may() -> None:
    assert set(ProjectFile.model_fields) < set(File.model_fields)


def test_only_what_a_file_has_is_made() -> None:
    """Each kind of table takes a start some ten milliseconds."""
    script = """
import sys
from netproxy.policy.document import File
File.model_validate({"profiles": {"default": {"network": {"allow": ["a.test"]}}}})
print(*(name for name in sys.modules if name.endswith("_tables")))
File.model_validate({"sandbox": {"write": ["/srv"]}})
print(*(name for name in sys.modules if name.endswith("_tables")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["", "netproxy.policy.sandbox_tables"]
