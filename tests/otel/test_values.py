"""Whatever is said here is said of two classes with one body: ours, and the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any, ClassVar, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import values


class _Library(Protocol):
    """`otel.values`, or `dataclasses`."""

    asdict: Any
    dataclass: Any
    field: Any
    fields: Any
    replace: Any


STANDARD: Any = dataclasses
OURS: Any = values
FIRST_AND_MORE = values._FEW + 1
both = pytest.mark.parametrize("library", [OURS, STANDARD], ids=["ours", "the standard's"])


def _point(library: _Library, **more: Any) -> Any:
    @library.dataclass(**({"frozen": True, "slots": True, "kw_only": True} | more))
    class Point:
        """A place."""

        AXES: ClassVar[int] = 2

        x: int
        y: int = 0
        names: list[str] = library.field(default_factory=list)
        secret: str = library.field(default="", repr=False)
        note: str = library.field(default="", compare=False)

        @property
        def both(self) -> tuple[int, int]:
            return self.x, self.y

    return Point


def _refusal(attempt: Any) -> type[BaseException] | None:
    try:
        attempt()
    except (TypeError, AttributeError, ValueError) as error:
        return type(error)
    return None


@both
def test_values_hold_what_they_are_given_or_their_defaults(library: _Library) -> None:
    kind = _point(library)
    value = kind(x=1, y=2, names=["a"])
    assert (value.both, value.names, value.note, kind.AXES) == ((1, 2), ["a"], "", 2)
    assert kind(x=1).y == 0
    assert kind(x=1).names is not kind(x=1).names
    assert kind.__doc__ == "A place."
    assert kind.__qualname__.endswith("Point")
    assert not hasattr(value, "__dict__")


@both
def test_what_is_missing_or_unknown_is_refused(library: _Library) -> None:
    kind = _point(library)
    for wrong in ({}, {"x": 1, "z": 1}):
        with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
            kind(**wrong)
        kind(x=1)  # and not at the first value only
    with pytest.raises(TypeError):
        kind(1)


@both
def test_the_frozen_ones_can_t_be_changed(library: _Library) -> None:
    value = _point(library)(x=1)
    with pytest.raises(AttributeError, match="cannot assign to field 'x'"):
        value.x = 2
    with pytest.raises(AttributeError, match="cannot delete field 'x'"):
        del value.x
    assert value.x == 1


@both
def test_the_others_can(library: _Library) -> None:
    value = _point(library, frozen=False)(x=1)
    value.x = 2
    value.names.append("b")
    assert (value.x, value.names) == (2, ["b"])
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)


@both
def test_values_are_equal_by_what_is_compared(library: _Library) -> None:
    kind, other = _point(library), _point(library)
    assert kind(x=1) == kind(x=1, note="what is not compared")
    assert kind(x=1) != kind(x=2)
    assert kind(x=1) != other(x=1)
    assert kind(x=1) != (1, 0, [], "", "")
    hashed = library.dataclass(frozen=True)(type("Key", (), {"__annotations__": {"x": "int"}}))
    assert len({hashed(1), hashed(1), hashed(2)}) == 2


@both
def test_identity_where_equality_is_not_wanted(library: _Library) -> None:
    kind = _point(library, frozen=False, eq=False)
    value = kind(x=1)
    assert value != kind(x=1)
    assert len({value, value}) == 1


@both
def test_secrets_are_not_shown(library: _Library) -> None:
    shown = repr(_point(library)(x=1, secret="s3cret"))
    assert shown.endswith("Point(x=1, y=0, names=[], note='')")


@both
def test_positions_and_patterns(library: _Library) -> None:
    @library.dataclass(frozen=True, slots=True)
    class Pair:
        left: int
        right: int = 5

    pair: Any = Pair
    assert pair(1) == pair(1, 5) == pair(left=1)
    assert pair.__match_args__ == ("left", "right")
    assert _point(library).__match_args__ == ()


@both
def test_fields_that_are_not_given_are_made(library: _Library) -> None:
    @library.dataclass(slots=True)
    class Tally:
        count: int = 0
        seen: dict[str, int] = library.field(default_factory=dict, init=False)
        told: float = library.field(default=0.5, init=False)

    kind: Any = Tally
    tally = kind(3)
    tally.seen["a"] = 1
    assert (tally.count, tally.told, kind().seen) == (3, 0.5, {})
    with pytest.raises(TypeError):
        kind(seen={})


@both
def test_a_class_of_values_can_be_extended(library: _Library) -> None:
    @library.dataclass(slots=True)
    class Base:
        a: int
        b: int = 1

        def total(self) -> int:
            return self.a + self.b

    @library.dataclass(slots=True)
    class More(Base):
        b: int = 2
        c: int = 3

    more: Any = More
    base: Any = Base
    assert more(1) == more(1, 2, 3) != base(1, 2)
    assert more(1).total() == 3
    assert base(1).total() == 2  # the first of a base comes after the first of what extends it
    assert [each.name for each in library.fields(more)] == ["a", "b", "c"]
    assert not hasattr(more(1), "__dict__")


@both
def test_what_a_class_says_itself_is_kept(library: _Library) -> None:
    @library.dataclass(frozen=True, slots=True)
    class Loud:
        a: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "LOUD"

    loud: Any = Loud
    assert loud(1) == 5
    assert (hash(loud(1)), repr(loud(1))) == (7, "LOUD")


@both
def test_a_copy_may_differ(library: _Library) -> None:
    value = _point(library)(x=1, note="n")
    changed = library.replace(value, y=3)
    assert (changed.x, changed.y, changed.note, value.y) == (1, 3, "n", 0)
    with pytest.raises(TypeError):
        library.replace(value, z=3)


def test_the_standard_library_s_functions_take_ours() -> None:
    value = _point(OURS)(x=1, names=["a"])
    said = {"x": 1, "y": 0, "names": ["a"], "secret": "", "note": ""}
    assert dataclasses.asdict(value) == said
    assert dataclasses.replace(value, x=2).x == 2
    assert [each.name for each in dataclasses.fields(value)] == list(said)
    assert dataclasses.is_dataclass(value)


def test_a_copy_of_the_standard_library_s_may_differ() -> None:
    """Libraries have theirs."""
    value = _point(STANDARD)(x=1)
    assert OURS.replace(value, x=2).x == 2


@values.dataclass(frozen=True, slots=True)
class Sent:
    """A value that travels between processes, or is copied."""

    name: str
    parts: list[int] = values.field(default_factory=list)


@both
def test_what_is_inside_is_told_as_well(library: _Library) -> None:
    @library.dataclass(frozen=True, slots=True)
    class Part:
        name: str

    @library.dataclass(frozen=True, slots=True)
    class Whole:
        parts: tuple[Part, ...]
        by_name: dict[str, Part]
        rest: list[str]

    part: Any = Part
    whole: Any = Whole
    assert library.asdict(whole((part("a"),), {"b": part("b")}, ["c"])) == {
        "parts": ({"name": "a"},),
        "by_name": {"b": {"name": "b"}},
        "rest": ["c"],
    }


def test_values_can_be_copied_and_sent() -> None:
    value = Sent("a", [1])
    assert pickle.loads(pickle.dumps(value)) == value
    deep = copy.deepcopy(value)
    assert deep == value
    assert deep.parts is not value.parts


@pytest.mark.parametrize("kind", ["dataclasses.InitVar[int]", "InitVar[int]", "KW_ONLY"])
def test_what_it_does_not_have_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"Odd\.x: .* is for dataclasses\.dataclass"):
        OURS.dataclass(type("Odd", (), {"__annotations__": {"x": kind}}))


def test_nor_is_a_step_after_the_making_left_out() -> None:
    body = {"__annotations__": {"x": "int"}, "__post_init__": print}
    with pytest.raises(TypeError, match=r"Odd: __post_init__ is for dataclasses\.dataclass"):
        OURS.dataclass(type("Odd", (), body))


@both
@pytest.mark.parametrize(
    ("kind", "is_field"),
    [("ClassVar[int]", False), ("ClassVar", False), (ClassVar[int], False), ("ClassVariant", True)],
)
def test_what_belongs_to_the_class_is_no_field(
    library: _Library, kind: object, *, is_field: bool
) -> None:
    made = library.dataclass(type("Odd", (), {"__annotations__": {"x": kind}, "x": 1}))
    assert bool(library.fields(made)) is is_field


@both
@pytest.mark.parametrize("eq", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("own", [(), ("__eq__",), ("__hash__",), ("__eq__", "__hash__")])
def test_who_can_be_a_key(
    library: _Library, own: tuple[str, ...], *, frozen: bool, eq: bool
) -> None:
    """As the table in the documentation of dataclasses has it."""
    says = {"__eq__": lambda *_: True, "__hash__": lambda _: 7}
    body = {"__annotations__": {"x": "int"}} | {name: says[name] for name in own}
    kind = library.dataclass(frozen=frozen, eq=eq)(type("Key", (), body))
    keys = _refusal(lambda: hash(kind(1))) is None
    assert keys is ("__hash__" in own or (frozen if eq else "__eq__" not in own))
    if "__hash__" in own:
        assert hash(kind(1)) == 7


def test_so_is_a_field_that_nobody_gives() -> None:
    body = {"__annotations__": {"x": "int"}, "x": OURS.field(init=False)}
    with pytest.raises(TypeError, match=r"Odd\.x: nobody"):
        OURS.dataclass(type("Odd", (), body))


@both
def test_defaults_that_all_would_share_are_refused(library: _Library) -> None:
    with pytest.raises(ValueError, match="use default_factory"):
        library.dataclass(type("Odd", (), {"__annotations__": {"x": "list"}, "x": []}))
    with pytest.raises(ValueError, match="cannot specify both"):
        library.field(default=1, default_factory=int)


_names = st.sampled_from("abcdef")
_specs = st.lists(st.tuples(_names, st.sampled_from(["", "default", "factory"])), max_size=5)


@given(
    specs=_specs,
    kw_only=st.booleans(),
    positional=st.lists(st.integers(), max_size=3),
    named=st.dictionaries(_names, st.integers(), max_size=5),
)
def test_any_call_of_any_class_comes_to_the_same(
    specs: list[tuple[str, str]], *, kw_only: bool, positional: list[int], named: dict[str, int]
) -> None:
    def made(library: _Library) -> Any:
        body: dict[str, Any] = {"__annotations__": {}}
        for name, kind in sorted(specs, key=lambda spec: spec[1] != ""):
            if name in body["__annotations__"]:
                continue
            body["__annotations__"][name] = "int"
            if kind:
                body[name] = library.field(
                    **({"default": 7} if kind == "default" else {"default_factory": int})
                )
        kind_of = library.dataclass(frozen=True, slots=True, kw_only=kw_only)
        return kind_of(type("Any", (), body))

    ours, standard = made(OURS), made(STANDARD)
    refusal = _refusal(lambda: standard(*positional, **named))
    for _ in range(FIRST_AND_MORE):
        assert _refusal(lambda: ours(*positional, **named)) == refusal
    for kind in (made(OURS), ours):  # one that makes its first value, one that has made many
        if refusal is None:
            one, other = kind(*positional, **named), standard(*positional, **named)
            assert repr(one) == repr(other)
            assert hash(one) == hash(kind(*positional, **named))
            assert dataclasses.asdict(one) == dataclasses.asdict(other)


def test_nothing_is_compiled_for_a_few_values() -> None:
    """And neither `dataclasses` nor `inspect` is imported for it."""
    script = """
import sys
from otel.values import _FEW, dataclass
compiled = []
sys.addaudithook(lambda event, _: compiled.append(event) if event == "compile" else None)
@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    a: "int"
    b: "int" = 0
made = {Value(a=number) for number in range(_FEW)}
assert len(made) == _FEW
assert not compiled, compiled
assert Value(a=1) in made
assert len(compiled) == 1
assert Value(a=2) in made
assert len(compiled) == 1
assert not {"dataclasses", "inspect"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
