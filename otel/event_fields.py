"""What event classes are made of: declared fields, kept under the names they are recorded by.

Like frozen dataclasses to whoever uses them. They are none because every run imports all events
and makes three for each connection: a dataclass compiles six methods a class, and would have to
be turned into attributes anew for each record.
"""

from __future__ import annotations

from operator import itemgetter
from typing import (
    TYPE_CHECKING,
    ClassVar,
    NoReturn,
    Protocol,
    Self,
    cast,
    dataclass_transform,
    overload,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.attributes import Value

_REQUIRED = object()


class _Field:
    """One field: the attribute it is recorded as, and its default if it may be left out."""

    __slots__ = ("attribute", "default", "place", "recurs")

    def __init__(self, attribute: str, default: object, *, recurs: bool = False) -> None:
        self.attribute = attribute
        self.default = default
        self.recurs = recurs
        self.place = 0  # among the fields of its class

    @overload
    def __get__(self, declared: None, kind: type) -> Self: ...
    @overload
    def __get__(self, declared: Declared, kind: type) -> Value: ...
    def __get__(self, declared: Declared | None, kind: type) -> Value | Self:
        return self if declared is None else declared.values()[self.place]


def text(attribute: str) -> str:
    """Declare a required text of which many events have the same."""
    return cast("str", _Field(attribute, _REQUIRED, recurs=True))


def fresh_text(attribute: str) -> str:
    """Declare a required text that hardly two connections share."""
    return cast("str", _Field(attribute, _REQUIRED))


def number(attribute: str) -> int:
    """Declare a required number."""
    return cast("int", _Field(attribute, _REQUIRED))


def flag(attribute: str) -> bool:
    """Declare a required yes or no."""
    return cast("bool", _Field(attribute, _REQUIRED))


def maybe_text(attribute: str, *, default: str | None) -> str | None:
    """Declare an optional text of which many events have the same; None is recorded as null."""
    return cast("str | None", _Field(attribute, default, recurs=True))


def maybe_number(attribute: str, *, default: int | None) -> int | None:
    """Declare an optional number."""
    return cast("int | None", _Field(attribute, default))


def texts(attribute: str, *, default: tuple[str, ...]) -> tuple[str, ...]:
    """Declare an optional list."""
    return cast("tuple[str, ...]", _Field(attribute, default))


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(text, fresh_text, number, flag, maybe_text, maybe_number, texts),
)
class Declared:
    """A value with declared fields, given by keyword: compared by them, and never changed."""

    __slots__ = ("_values",)
    _values: ClassVar[tuple[Value, ...]]  # of each object; ClassVar keeps it out of the fields

    fields: ClassVar[dict[str, str]] = {}  # attribute names by field name, in the values' order
    recurring: ClassVar[frozenset[str]] = frozenset()  # fields of which many events have the same
    _defaults: ClassVar[dict[str, Value]] = {}
    _count: ClassVar[int] = 0
    _pick: ClassVar[staticmethod[[dict[str, Value]], tuple[Value, ...]]]

    def __init_subclass__(cls) -> None:
        """Read the class's own fields."""
        declared = {name: field for name, field in vars(cls).items() if isinstance(field, _Field)}
        for place, field in enumerate(declared.values()):
            field.place = place
        cls.fields = {name: field.attribute for name, field in declared.items()}
        cls.recurring = frozenset(name for name, field in declared.items() if field.recurs)
        cls._defaults = {
            name: cast("Value", field.default)
            for name, field in declared.items()
            if field.default is not _REQUIRED
        }
        cls._count = len(declared)
        cls._pick = staticmethod(picker(*declared))

    def __init__(self, **given: Value) -> None:
        """Take every required field, and no other than declared ones."""
        if len(given) != self._count:
            given = self._completed(given)
        try:
            # As many as are declared, and each of those: then there is no other.
            values = self._pick(given)
        except KeyError:
            raise self._misfit(given) from None
        object.__setattr__(self, "_values", values)

    def values(self) -> tuple[Value, ...]:
        """The values in the order of `fields`, not yet redacted."""
        return self._values

    def attributes(self) -> dict[str, Value]:
        """The values by attribute name, unordered and not yet redacted."""
        return dict(zip(self.fields.values(), self._values, strict=True))

    def _completed(self, given: dict[str, Value]) -> dict[str, Value]:
        given = {**self._defaults, **given}
        if len(given) != self._count:
            raise self._misfit(given)
        return given

    def _misfit(self, given: dict[str, Value]) -> TypeError:
        kind, fields = type(self).__name__, self.fields
        if unknown := sorted(given.keys() - fields.keys()):
            return TypeError(f"{kind} has no field {unknown[0]!r}")
        return TypeError(f"{kind} lacks one of {sorted(fields.keys() - given.keys())}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} can't be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and cast("Self", other)._values == self._values

    def __hash__(self) -> int:
        return hash((type(self), self._values))

    def __repr__(self) -> str:
        values = (
            f"{name}={value!r}" for name, value in zip(self.fields, self._values, strict=True)
        )
        return f"{type(self).__name__}({', '.join(values)})"


class _Held[K](Protocol):
    def __getitem__(self, place: K, /) -> Value: ...


def picker[K](*places: K) -> Callable[[_Held[K]], tuple[Value, ...]]:
    """Make a function that takes what is in these places: `itemgetter`, but always a tuple."""
    match places:
        case ():
            return lambda _: ()
        case (only,):
            return lambda held: (held[only],)
        case _:
            return itemgetter(*places)
