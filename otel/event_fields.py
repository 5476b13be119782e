"""What event classes are made of: declared fields, kept under the names they are recorded by.

Named tuples by another way, because every run imports all events, uses a few of them, and makes
three for each connection. A dataclass compiles six methods a class at once, and takes twice as long
to make; a `NamedTuple` has no base class of ours, and is compiled at once, too.
"""

from __future__ import annotations

from collections import namedtuple
from enum import IntEnum
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


class Severity(IntEnum):
    """SeverityNumber of the OpenTelemetry log data model."""

    INFO = 9
    WARN = 13
    ERROR = 17
    FATAL = 21


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
        return self if declared is None else declared[self.place]


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
class Declared(tuple["Value", ...]):
    """A value with declared fields, given by keyword: compared by them, and never changed."""

    __slots__ = ()

    fields: ClassVar[dict[str, str]] = {}  # attribute names by field name, in the values' order
    recurring: ClassVar[frozenset[str]] = frozenset()  # fields of which many events have the same
    optional: ClassVar[frozenset[str]] = frozenset()  # fields with a default
    _defaults: ClassVar[tuple[object, ...]] = ()  # of the last fields

    def __init_subclass__(cls) -> None:
        """Read the class's own fields."""
        declared = [(name, field) for name, field in vars(cls).items() if isinstance(field, _Field)]
        declared.sort(key=lambda each: each[1].default is not _REQUIRED)  # required ones first
        for place, (_, field) in enumerate(declared):
            field.place = place
        cls.fields = {name: field.attribute for name, field in declared}
        cls.recurring = frozenset(name for name, field in declared if field.recurs)
        optional = {name: field for name, field in declared if field.default is not _REQUIRED}
        cls.optional = frozenset(optional)
        cls._defaults = tuple(field.default for field in optional.values())
        cls.__new__ = _first  # type: ignore[method-assign]  # not what a base has become

    if TYPE_CHECKING:

        def __new__(cls, **given: Value) -> Self:
            """Take every required field, and no other than declared ones."""

    def attributes(self) -> dict[str, Value]:
        """The values by attribute name, unordered and not yet redacted."""
        return dict(zip(self.fields.values(), self, strict=True))

    def __bool__(self) -> bool:
        return True  # without a field, too

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} can't be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), tuple.__hash__(self)))

    def __repr__(self) -> str:
        values = (f"{name}={value!r}" for name, value in zip(self.fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(values)})"


def _first[D: Declared](cls: type[D], **given: Value) -> D:
    """Make the first event of a class, and what makes the others.

    The constructor of a named tuple takes half the time of one that collects its keywords and looks
    at each. It is compiled, so that is left until the class is needed: most never are.
    """
    named = namedtuple(cls.__name__, cls.fields)  # type: ignore[misc]  # noqa: PYI024  # no literals
    named.__new__.__defaults__ = cls._defaults
    setattr(cls, "__new__", named.__new__)  # noqa: B010  # its type is the one declared above
    return cls(**given)


class Event(Declared):
    """The base of all events. `name` is fixed text and never holds data.

    Severity: WARN for a refusal, ERROR where trail or rules suffered, FATAL for a broken trail.
    """

    name: ClassVar[str]
    _severity: ClassVar[Severity] = Severity.INFO

    def __init_subclass__(cls, *, severity: Severity = Severity.INFO) -> None:
        """Read the class's fields; `severity` is that of all its events."""
        super().__init_subclass__()
        cls._severity = severity

    @property
    def severity(self) -> Severity:
        """As the class declares it, unless its fields decide."""
        return self._severity


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
