"""What `[sandbox]` and the options of `run` come to together."""

from __future__ import annotations

from pathlib import Path

from netproxy.app.cli.sandbox_options import SandboxOptions
from netproxy.app.sandbox_settings import chosen_sandbox, sandbox_violations
from netproxy.policy.bounds import Bounds
from netproxy.policy.layers import Statement
from netproxy.policy.origin import Layer, Origin


def test_without_a_word_it_is_the_usual_fence() -> None:
    found = chosen_sandbox(None, SandboxOptions(), Path)

    assert not found.no_sandbox
    assert found.write_paths == ()


def test_only_a_managed_file_that_demands_a_sandbox_refuses_to_go_without() -> None:
    without = SandboxOptions(no_sandbox=True)
    place = Origin(layer=Layer.MANAGED, key="sandbox.required")
    demanded = Bounds(sandbox_required=Statement(True, place))

    assert list(sandbox_violations(without, None)) == []
    assert list(sandbox_violations(SandboxOptions(), demanded)) == []
    assert list(sandbox_violations(without, Bounds(sandbox_required=Statement(False, place)))) == []
    (said,) = sandbox_violations(without, demanded)
    assert said == f"--no-sandbox: {place.place} demands a sandbox"
