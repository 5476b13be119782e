"""Each field takes what it says, and nothing is converted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from netproxy.policy import fields
from netproxy.policy.fields import RuleTable

TABLE = {"host": "a.test", "verdict": "allow"}
UTC = dt.UTC


def table(**keys: Any) -> RuleTable:
    return RuleTable.model_validate({**TABLE, **keys})


def problem(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("given_value", "seconds"),
    [
        pytest.param(dt.date(1970, 1, 1), 86400, id="the whole of the day counts"),
        pytest.param(dt.date(2026, 12, 31), 1798761600, id="2027 begins"),
        pytest.param(dt.date(9999, 12, 31), 253402300800, id="the last day that there is"),
        pytest.param(dt.datetime(1970, 1, 2, tzinfo=UTC), 86400, id="an instant"),
        pytest.param(
            dt.datetime(1970, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), 0, id="an offset"
        ),
    ],
)
def test_an_expiry_is_an_instant(given_value: dt.date, seconds: float) -> None:
    assert table(expires=given_value).expires == seconds


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (dt.datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001  # what TOML gives
        (dt.time(1, 2), "must be a date such as"),
        ("2026-12-31", "must be a date such as 2026-12-31, without quotes"),
        (0, "must be a date such as"),
        (float("nan"), "must be a date such as"),
    ],
)
def test_what_is_no_instant_is_no_expiry(value: Any, said: str) -> None:
    assert said in problem(fields.Expiry, value)


@pytest.mark.parametrize(
    ("value", "ports"),
    [(443, (443, 443)), ("443", (443, 443)), ("1-9", (1, 9)), ("*", (1, 65535))],
)
def test_ports(value: Any, ports: tuple[int, int]) -> None:
    assert table(ports=[value]).ports == [ports]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (fields.PortRange, 0, "a port is a number from 1 to 65535"),
        (fields.PortRange, 10**3000, "a port is a number from 1 to 65535"),
        (fields.PortRange, True, "must be text"),
        (fields.PortRange, 44.3, "must be text"),
        (fields.PortRange, "080", "port '080' is not a number"),
        (fields.Some[int], [], "at least 1 item"),
        (fields.Some[int], [1, 1], "says the same thing twice"),
        (fields.Named[fields.Name, int], {"A.test": 1, "a.test": 2}, "one name in two spellings"),
        (fields.PatternField, "a.test:443", "protocols and ports have keys of their own here"),
        (fields.PatternField, "https://a.test", "protocols and ports have keys"),
        (fields.PatternField, "*.com", "everybody's names below com"),
        (fields.ProtocolField, "htps", "did you mean https?"),
        (fields.PrivateBlock, "0.0.0.0/0", "holds public and local addresses"),
        (fields.Name, "10.0.0.1", "10.0.0.1 is an address, only names are looked up"),
        (fields.Name, "a b", "which no host name may"),
        (fields.AddressText, "a.test", "'a.test' is not an IP address"),
        (fields.OneLine, "a\nb", "must be one line"),
        (fields.OneLine, "\u202egpj", "must be one line"),
        (fields.OneLine, " ", "must not be empty"),
        (fields.OneLine, "a" * 201, "must have at most 200 characters"),
        (fields.OneLine, 3, "must be text"),
        (fields.BundleName, "a b", "'a b' is not a name of letters"),
        (fields.BundleName, "", "'' is not a name of letters"),
        (fields.MethodText, "get", "'get': methods are in capitals, did you mean GET?"),
        (fields.PathText, "v1", "'v1' is not a path, which begins with /"),
        (fields.FieldName, "x team", "'x team' is not a field name such as x-team"),
        (fields.FieldValue, "a\r\nb", r"'a\r\nb' is not a field value such as build-*"),
        (fields.AuditMode, "off", "Input should be 'written', 'strict' or 'best_effort'"),
        (fields.AuditMode, ["strict"], "Input should be 'written', 'strict' or 'best_effort'"),
    ],
)
def test_refused(kind: Any, value: Any, said: str) -> None:
    assert said in problem(kind, value)


def test_a_table_with_everything() -> None:
    found = table(
        ports=[443],
        protocols=["https"],
        methods=["GET"],
        paths=["/v1/**"],
        headers={"X-Team": "build-*"},
        reason="only reading",
        on_denial="block",
    )
    assert (found.methods, found.paths, found.headers) == (
        ["GET"],
        ["/v1/**"],
        {"x-team": "build-*"},
    )
    assert (found.host.text, found.reason, found.on_denial) == ("a.test", "only reading", "block")


def test_one_address_is_a_list_of_one() -> None:
    read = TypeAdapter(fields.Literals).validate_python
    assert read("::ffff:10.0.0.1") == ["10.0.0.1"]
    assert read(["10.0.0.1", "::1"]) == ["10.0.0.1", "::1"]


_KINDS: list[Any] = [
    fields.PatternField,
    fields.PortRange,
    fields.ProtocolField,
    fields.PrivateBlock,
    fields.Name,
    fields.AddressText,
    fields.OneLine,
    fields.BundleName,
    fields.MethodText,
    fields.PathText,
    fields.FieldName,
    fields.FieldValue,
    fields.Expiry,
]
_ADAPTERS: list[TypeAdapter[Any]] = [TypeAdapter(kind) for kind in _KINDS]


@given(
    st.sampled_from(_ADAPTERS),
    st.text(max_size=30)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.times(),
)
def test_any_value_is_taken_or_refused_in_one_line(adapter: TypeAdapter[Any], value: Any) -> None:
    said = "taken"
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
    assert said
    assert "\n" not in said
