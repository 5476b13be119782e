"""What event classes are made of: declared fields, kept under the names they are recorded by.

Like frozen dataclasses to whoever uses them. They are none because every run imports all events
and makes three for each connection: a dataclass compiles six methods a class, and would have to
be turned into attributes anew for each record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn, Self, cast, dataclass_transform, overload

if TYPE_CHECKING:
    from otel.attributes import Value

_REQUIRED = object()


class _Field:
    """One field: the attribute it is recorded as, and its default if it may be left out."""

    __slots__ = ("attribute", "default", "name")

    def __init__(self, attribute: str, default: object) -> None:
        self.attribute = attribute
        self.default = default
        self.name = ""

    def __set_name__(self, kind: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, declared: None, kind: type) -> Self: ...
    @overload
    def __get__(self, declared: Declared, kind: type) -> Value: ...
    def __get__(self, declared: Declared | None, kind: type) -> Value | Self:
        return self if declared is None else declared.given()[self.name]


def text(attribute: str) -> str:
    """Declare a required field."""
    return cast("str", _Field(attribute, _REQUIRED))


def number(attribute: str) -> int:
    """Declare a required number."""
    return cast("int", _Field(attribute, _REQUIRED))


def flag(attribute: str) -> bool:
    """Declare a required yes or no."""
    return cast("bool", _Field(attribute, _REQUIRED))


def maybe_text(attribute: str, *, default: str | None) -> str | None:
    """Declare an optional text; None is recorded as null."""
    return cast("str | None", _Field(attribute, default))


def maybe_number(attribute: str, *, default: int | None) -> int | None:
    """Declare an optional number."""
    return cast("int | None", _Field(attribute, default))


def texts(attribute: str, *, default: tuple[str, ...]) -> tuple[str, ...]:
    """Declare an optional list."""
    return cast("tuple[str, ...]", _Field(attribute, default))


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(text, number, flag, maybe_text, maybe_number, texts),
)
class Declared:
    """A value with declared fields, given by keyword: compared by them, and never changed."""

    __slots__ = ("_values",)
    _values: ClassVar[dict[str, Value]]  # of each object; ClassVar keeps it out of the fields

    fields: ClassVar[dict[str, str]] = {}  # attribute names by field name
    _defaults: ClassVar[dict[str, Value]] = {}

    def __init_subclass__(cls) -> None:
        """Read the class's own fields."""
        declared = {name: field for name, field in vars(cls).items() if isinstance(field, _Field)}
        cls.fields = {name: field.attribute for name, field in declared.items()}
        cls._defaults = {
            name: cast("Value", field.default)
            for name, field in declared.items()
            if field.default is not _REQUIRED
        }

    def __init__(self, **given: Value) -> None:
        """Take every required field, and no other than declared ones."""
        fields = self.fields
        if len(given) != len(fields):
            given = {**self._defaults, **given}
        if given.keys() != fields.keys():
            kind = type(self).__name__
            if unknown := sorted(given.keys() - fields.keys()):
                raise TypeError(f"{kind} has no field {unknown[0]!r}")
            raise TypeError(f"{kind} lacks one of {sorted(fields.keys() - given.keys())}")
        object.__setattr__(self, "_values", given)

    def given(self) -> dict[str, Value]:
        """The values by field name, not yet redacted. Not to be changed."""
        return self._values

    def attributes(self) -> dict[str, Value]:
        """The values by attribute name, unordered and not yet redacted."""
        values = self._values
        return {attribute: values[name] for name, attribute in self.fields.items()}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} can't be changed")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and cast("Self", other)._values == self._values

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self._values.items())))

    def __repr__(self) -> str:
        values = (f"{name}={self._values[name]!r}" for name in self.fields)
        return f"{type(self).__name__}({', '.join(values)})"
