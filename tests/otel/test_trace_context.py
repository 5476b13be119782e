"""W3C Trace Context as it is read, as it is begun, and as it is configured."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel.errors import TelemetryRefused
from otel.trace_context import (
    Parent,
    Upsert,
    begin,
    check_upserts,
    read_parent,
    read_state,
    spelled,
    upserted,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def parent(state: str = "", *, sampled: bool = True) -> Parent:
    found = read_parent(f"00-{TRACE}-{SPAN}-0{int(sampled)}", state)
    assert found is not None
    return found


def test_a_callers_span() -> None:
    assert read_parent(GOOD, "a=1,b=2") == Parent(
        trace_id=TRACE, span_id=SPAN, is_sampled=True, state=(("a", "1"), ("b", "2"))
    )
    assert parent(sampled=False).is_sampled is False
    # A version to come may have more at the end.
    assert read_parent(f"cc-{TRACE}-{SPAN}-01-more", None) is not None


@pytest.mark.parametrize(
    "text",
    [
        None, "", "00", GOOD.upper(), GOOD + "\n", GOOD + "-more", GOOD[:-1],
        GOOD + "0",
        f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01", f"00-{TRACE[:-1]}g-{SPAN}-01", "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_span_is_nobodys(text: str | None) -> None:
    """Whoever starts a run may have any rubbish there: the run has a trace of its own then."""
    assert read_parent(text, "a=1") is None


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("a=1", [("a", "1")]),
        (" a=1 ,\tb=2 ", [("a", "1"), ("b", "2")]),
        ("a=1,,b=2,", [("a", "1"), ("b", "2")]),
        ("t@v=x:y;z", [("t@v", "x:y;z")]),
        ("0t@v=1", [("0t@v", "1")]),
        ("A=1", []), ("a=1,a=2", []), ("a=1,b", []), ("a=", []), ("a=é", []), ("=1", []),
        ("a=1\x00", []), ("a=b=c", []), (",".join(f"k{n}=1" for n in range(33)), []),
    ],
)  # fmt: skip
def test_a_state_is_read_whole_or_not_at_all(text: str, members: list[tuple[str, str]]) -> None:
    assert read_state(text) == tuple(members)


@given(st.text(alphabet="abA@=,;: \t1_-*/\x00é", max_size=60))
def test_what_is_read_is_what_the_sdk_takes(text: str) -> None:
    state = read_state(text)
    assert tuple(TraceState(state).items()) == state
    assert read_state(spelled(state)) == state


@given(st.text(alphabet="0123456789abcdefgF- ", max_size=60), st.booleans())
def test_a_second_reader_agrees(text: str, whole: bool) -> None:
    text = GOOD + text[:2] if whole else text
    context = TraceContextTextMapPropagator().extract({"traceparent": text})
    assert (read_parent(text, None) is not None) == bool(context)


def test_blanks_around_it_are_none_of_it() -> None:
    """They may stand around a field's value in HTTP, and come along when it is copied."""
    assert read_parent(f" \t{GOOD} ", None) is not None


def test_a_run_is_below_its_caller() -> None:
    run = begin(parent("a=1"), ratio=0.0, upserts={}, chance=bytes(range(24)))
    assert (run.trace_id, run.is_sampled) == (TRACE, True)
    assert run.span_id == bytes(range(16, 24)).hex() != SPAN
    assert run.environment() == {
        "TRACEPARENT": f"00-{TRACE}-{run.span_id}-01",
        "TRACESTATE": "a=1",
    }
    assert not begin(parent(sampled=False), ratio=1.0, upserts={}, chance=bytes(24)).is_sampled


def test_a_run_without_a_caller_has_no_state() -> None:
    run = begin(None, ratio=1.0, upserts={}, chance=bytes(range(24)))
    span = bytes(range(16, 24)).hex()
    assert run.environment() == {"TRACEPARENT": f"00-{bytes(range(16)).hex()}-{span}-01"}


@given(st.binary(min_size=24, max_size=24), st.floats(0, 1))
def test_without_a_caller_it_is_drawn_as_the_sdk_draws(chance: bytes, ratio: float) -> None:
    """Connections of a run ask the SDK's sampler: a trace must not lose its first span."""
    run = begin(None, ratio=ratio, upserts={}, chance=chance)
    assert read_parent(run.environment()["TRACEPARENT"], None) is not None
    result = TraceIdRatioBased(ratio).should_sample(None, int(run.trace_id, 16), "x")
    assert run.is_sampled == (result.decision is Decision.RECORD_AND_SAMPLE)


@pytest.mark.parametrize(
    ("before", "upserts", "after"),
    [
        ("", {"v": "1"}, "v=1"),
        ("a=1,v=0,b=2", {"v": "1"}, "v=1,a=1,b=2"),
        ("a=1,b=2", {}, "a=1,b=2"),
        ("a=1,v=x:1;y:2;z", {"v": {"y": "3"}}, "v=x:1;y:3;z,a=1"),
        ("a=1", {"v": {"y": "3", "n": "4"}}, "v=y:3;n:4,a=1"),
        # What was there may be as long as it likes: then only ours is left of it.
        (f"v={'x:' + 'y' * 130}", {"v": {"n": "1"}}, "v=n:1"),
        (
            ",".join(f"v{n}=x:{'y' * 100}" for n in range(5)),
            {f"v{n}": {"n": "1"} for n in range(5)},
            "v0=n:1,v1=n:1,v2=n:1,v3=n:1,v4=n:1",
        ),
    ],
)
def test_configured_members_come_first(before: str, upserts: dict[str, Upsert], after: str) -> None:
    assert spelled(upserted(read_state(before), upserts)) == after


def test_others_make_room_in_the_order_of_the_recommendation() -> None:
    """Long members go first, then those at the end, until 512 characters are left."""
    long, short = "l=" + "x" * 150, [f"k{n}={'y' * 60}" for n in range(8)]
    kept = upserted(read_state(",".join([long, *short])), {"v": "1"})
    assert kept[0] == ("v", "1")
    assert [key for key, _ in kept[1:]] == [f"k{n}" for n in range(len(kept) - 1)]
    assert len(spelled(kept)) <= 512 < len(spelled([*kept, ("k7", "y" * 60)]))
    many = upserted(read_state(",".join(f"k{n}=1" for n in range(32))), {"v": "1"})
    assert (len(many), many[0]) == (32, ("v", "1"))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True),
        st.from_regex(r"[a-z0-9:;]{1,40}", fullmatch=True), max_size=32,
    ),
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
        st.text(alphabet="abc:;", min_size=1, max_size=20)
        | st.dictionaries(st.sampled_from("xyz"), st.sampled_from("123"), min_size=1),
        min_size=1, max_size=8,
    ),
)  # fmt: skip
def test_the_sdk_takes_whatever_comes_of_it(
    state: dict[str, str], upserts: dict[str, Upsert]
) -> None:
    try:
        check_upserts(upserts)
    except TelemetryRefused:
        assume(False)
    found = upserted(tuple(state.items()), upserts)
    assert tuple(TraceState(found).items()) == found
    assert len(spelled(found)) <= 512
    assert [key for key, _ in found[: len(upserts)]] == list(upserts)


@pytest.mark.parametrize(
    ("upserts", "said"),
    [
        ({"V": "1"}, "is not a tracestate key"),
        ({"0v": "1"}, "is not a tracestate key"),
        ({"v\n": "1"}, "is not a tracestate key"),
        ({"v": ""}, "printable ASCII"),
        ({"v": "a,b"}, "printable ASCII"),
        ({"v": "a=b"}, "printable ASCII"),
        ({"v": "a "}, "ends in no blank"),
        ({"v": "a\tb"}, "printable ASCII"),
        ({"v": "é"}, "printable ASCII"),
        ({"v": "x" * 127}, "at most 128"),
        ({"v": {}}, "names no field"),
        ({"v": {"a b": "1"}}, "not a field"),
        ({"v": {"a": "1;b:2"}}, "not a field"),
        ({"v": {"a": "x" * 126}}, "at most 128"),
        ({f"v{n}": "x" * 100 for n in range(5)}, "of 512 characters"),
        ({f"v{n}": "1" for n in range(33)}, "of 32 members"),
    ],
)
def test_what_is_configured_is_refused_rather_than_left_out(
    upserts: dict[str, Upsert], said: str
) -> None:
    with pytest.raises(TelemetryRefused, match=said):
        check_upserts(upserts)


def test_what_just_fits_is_taken() -> None:
    check_upserts({"v": "x" * 126, "t@v": {"a": "1", "b": "x:y"}})
