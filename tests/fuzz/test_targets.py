"""The targets of `make fuzz` hold for their seeds and for what Hypothesis makes of them.

The suite has no atheris: this shows that each target runs, that its seeds reach what they are
meant to, and that a reader that is wrong would be found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.protocol.body import ChunkedReader
from tests.fuzz import run, targets
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = [(name, seed) for name, target in TARGETS.items() for seed in target.seeds]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A seed with a slice of it replaced."""
    name, seed = draw(st.sampled_from(SEEDS))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, len(seed)))
    return name, seed[:start] + draw(st.binary(max_size=12)) + seed[end:]


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_a_seed_holds(name: str, seed: bytes) -> None:
    TARGETS[name].check(seed)


@given(mutated())
def test_what_becomes_of_a_seed_holds(case: tuple[str, bytes]) -> None:
    name, data = case
    TARGETS[name].check(data)


class Careless(ChunkedReader):
    """Forgets what it has read of a line."""

    def receive(self, data: bytes) -> bytes:
        self._buffer = b""
        return super().receive(data)


def test_a_reader_that_minds_where_it_is_split_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "ChunkedReader", Careless)
    with pytest.raises(AssertionError, match="reads otherwise"):
        targets.chunks(TARGETS["chunks"].seeds[0])


def test_a_finding_can_be_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "input-found"
    file.write_bytes(SEEDS[0][1])
    assert run.main(["--target", SEEDS[0][0], str(file)]) == 0
    assert capsys.readouterr().out == f"{SEEDS[0][0]}: {file} holds\n"
