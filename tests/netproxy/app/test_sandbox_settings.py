"""What `[sandbox]` and the options of `run` come to together."""

from __future__ import annotations

from pathlib import Path

import pytest

from netproxy.app.cli.sandbox_options import SandboxOptions
from netproxy.app.sandbox_settings import chosen_sandbox, sandbox_violations
from netproxy.policy.bounds import Bounds
from netproxy.policy.layers import Statement
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer, Origin
from sandbox.capture import Capture
from sandbox.inheritance import EnvironmentPolicy, Inherit
from sandbox.limits import Limit


def test_without_a_word_it_is_the_usual_fence() -> None:
    found = chosen_sandbox(None, SandboxOptions(), Path, [])

    assert not found.no_sandbox
    assert found.write_paths == ()
    assert found.files == "workspace"
    assert found.capture is Capture.AUTO


@pytest.mark.parametrize(
    "options",
    [
        SandboxOptions(no_sandbox=True, files="read-only"),
        SandboxOptions(no_sandbox=True, read=("/srv",)),
        SandboxOptions(no_sandbox=True, hide=("**/*.env",)),
    ],
    ids=["--files", "--read", "--hide"],
)
def test_what_keeps_the_disk_from_a_command_needs_a_sandbox(
    options: SandboxOptions, request: pytest.FixtureRequest
) -> None:
    problems: list[str] = []
    chosen_sandbox(None, options, Path, problems)
    (flag,) = (problem.partition(":")[0] for problem in problems)
    assert flag in request.node.name


def test_what_opens_the_disk_is_as_open_without_one() -> None:
    problems: list[str] = []
    opened = SandboxOptions(no_sandbox=True, write=(Path("/srv"),), workspace=(Path("/srv"),))
    chosen_sandbox(None, opened, Path, problems)
    assert problems == []


def test_only_a_managed_file_that_demands_a_sandbox_refuses_to_go_without() -> None:
    without = SandboxOptions(no_sandbox=True)
    place = Origin(layer=Layer.MANAGED, key="sandbox.required")
    demanded = Bounds(sandbox_required=Statement(True, place))

    assert list(sandbox_violations(without, None)) == []
    assert list(sandbox_violations(SandboxOptions(), demanded)) == []
    assert list(sandbox_violations(without, Bounds(sandbox_required=Statement(False, place)))) == []
    (said,) = sandbox_violations(without, demanded)
    assert said == f"--no-sandbox: {place.place} demands a sandbox"


def test_a_limit_of_the_command_line_replaces_the_files() -> None:
    file = load(
        '[sandbox.limits]\nopen_files = 64\nfile_size = "1M"\n', "config.toml", layer=Layer.USER
    )
    options = SandboxOptions(limits=(Limit(name="open-files", amount=8),))

    found = chosen_sandbox(file, options, Path, [])

    assert {limit.name: limit.amount for limit in found.limits} == {
        "open-files": 8,
        "file-size": 1 << 20,
    }


def test_the_command_line_has_the_last_word_on_a_variable() -> None:
    document = load(
        '[sandbox.environment]\ninherit = "none"\ndefault_excludes = false\nexclude = ["A_*"]\n'
        'set = {B = "file"}\ninclude_only = ["C"]\n',
        "config.toml",
        layer=Layer.USER,
    )
    said = SandboxOptions(
        inherit=Inherit.CORE, environment=(("D", None), ("D", "1"), ("E", "2"), ("E", None))
    )

    found = chosen_sandbox(document, said, Path, []).environment

    assert found == EnvironmentPolicy(
        inherit=Inherit.CORE,
        default_excludes=False,
        exclude=("A_*",),
        values={"B": "file"},
        include_only=("C",),
        named=("E",),
        said={"D": "1"},
    )
    without = chosen_sandbox(document, SandboxOptions(), Path, []).environment
    assert (without.inherit, without.named) == (Inherit.NONE, ())
    assert chosen_sandbox(None, said, Path, []).environment.inherit is Inherit.CORE


def test_the_command_line_says_what_is_captured_or_else_the_file() -> None:
    file = load('[sandbox]\ncapture = "off"\n', "config.toml", layer=Layer.USER)

    assert chosen_sandbox(file, SandboxOptions(), Path, []).capture is Capture.OFF
    only = SandboxOptions(capture=Capture.ONLY)
    assert chosen_sandbox(file, only, Path, []).capture is Capture.ONLY
