from __future__ import annotations

import pytest

from otel.verdicts import Completeness, Finding, Kind, Signed, State, Verdict

EDITED = Finding(kind=Kind.EDITED, file="1.jsonl", line=1, seq=1, message="content and hash differ")


def verdict(state: State, *findings: Finding) -> Verdict:
    return Verdict(
        writer="w-01JD2QABCDEFGHJKMNPQRSTVWX",
        records=1,
        live=False,
        findings=findings,
        signed=Signed(checkpoints=0, up_to=0, records_behind=1, keys=()),
        completeness=Completeness(state=state),
    )


@pytest.mark.parametrize(
    ("state", "well"),
    [
        pytest.param(State.COMPLETE, True, id="complete"),
        pytest.param(State.UNKNOWN, True, id="nobody-can-know"),
        pytest.param(State.GAPS, False, id="gaps"),
        pytest.param(State.TRUNCATED, False, id="truncated"),
        pytest.param(State.MISSING, False, id="missing"),
    ],
)
def test_both_verdicts_have_to_be_good(state: State, *, well: bool) -> None:
    assert verdict(state).is_well is well
    assert verdict(state).holds
    broken = verdict(state, EDITED)
    assert not broken.holds
    assert not broken.is_well
