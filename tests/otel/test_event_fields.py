from __future__ import annotations

import pytest

from otel.event_fields import (
    Declared,
    flag,
    maybe_number,
    maybe_text,
    number,
    picker,
    text,
    texts,
)


class Sample(Declared):
    """One field of each kind."""

    host: str = text("server.address")
    port: int = number("server.port")
    override: bool = flag("network.policy.override")
    rule: str | None = maybe_text("security_rule.name", default=None)
    status: int | None = maybe_number("http.response.status_code", default=None)
    plan: tuple[str, ...] = texts("sandbox.plan", default=())


SAMPLE = Sample(host="a.test", port=443, override=False, status=200)


def test_fields_are_read_by_name() -> None:
    assert (SAMPLE.host, SAMPLE.port, SAMPLE.override) == ("a.test", 443, False)
    assert (SAMPLE.rule, SAMPLE.status, SAMPLE.plan) == (None, 200, ())


def test_what_was_not_said_is_recorded_as_its_default() -> None:
    assert SAMPLE.attributes() == {
        "server.address": "a.test",
        "server.port": 443,
        "network.policy.override": False,
        "security_rule.name": None,
        "http.response.status_code": 200,
        "sandbox.plan": (),
    }


def test_one_event_never_changes_the_default_of_another() -> None:
    Sample(host="b.test", port=80, override=True, rule="x", plan=("y",))
    assert Sample(host="a.test", port=443, override=False, status=200) == SAMPLE


def test_equal_is_the_same_class_and_the_same_values() -> None:
    class Other(Declared):
        host: str = text("server.address")

    class Another(Declared):
        host: str = text("server.address")

    assert Other(host="a.test") == Other(host="a.test")
    assert hash(Other(host="a.test")) == hash(Other(host="a.test"))
    assert Other(host="a.test") != Other(host="b.test")
    assert Other(host="a.test") != Another(host="a.test")


@pytest.mark.parametrize("name", ["host", "invented"])
def test_it_never_changes(name: str) -> None:
    with pytest.raises(AttributeError, match="can't be changed"):
        setattr(SAMPLE, name, "b.test")


def test_a_missing_field_is_a_bug_of_ours() -> None:
    with pytest.raises(TypeError, match=r"missing .*'port'"):
        Sample(host="a.test", override=False)  # type: ignore[call-arg]  # what is tested


def test_an_unknown_field_is_a_bug_of_ours() -> None:
    with pytest.raises(TypeError, match=r"unexpected .*'hots'"):
        Sample(hots="a.test", port=1, override=False)  # type: ignore[call-arg]  # what is tested


def test_it_shows_what_it_holds() -> None:
    assert repr(SAMPLE).startswith("Sample(host='a.test', port=443, override=False")


def test_as_many_fields_as_are_declared_are_not_enough() -> None:
    with pytest.raises(TypeError, match=r"unexpected .*'hots'"):
        Sample(hots="a", port=1, override=False, rule=None, status=None, plan=())  # type: ignore[call-arg]  # what is tested


@pytest.mark.parametrize("count", range(4))
def test_what_is_picked_is_always_a_tuple(count: int) -> None:
    assert picker(*range(count))(("a", "b", "c")) == ("a", "b", "c")[:count]


def test_a_required_field_may_stand_behind_an_optional_one() -> None:
    class Mixed(Declared):
        rule: str | None = maybe_text("security_rule.name", default="none")
        host: str = text("server.address")

    mixed = Mixed(host="a.test")
    assert (mixed.rule, mixed.host) == ("none", "a.test")
    assert mixed.attributes() == {"security_rule.name": "none", "server.address": "a.test"}


def test_one_without_a_field_is_still_something() -> None:
    class Empty(Declared):
        pass

    assert Empty()
    assert Empty() == Empty()


def test_a_class_of_its_own_is_made_of_its_own_fields() -> None:
    """Also where the class above it was used before."""

    class Upper(Declared):
        host: str = text("server.address")

    class Lower(Upper):
        port: int = number("server.port")

    assert Upper(host="a.test").attributes() == {"server.address": "a.test"}
    assert Lower(port=1).attributes() == {"server.port": 1}  # type: ignore[call-arg]  # not inherited
    assert Upper(host="a.test") != ("a.test",)
