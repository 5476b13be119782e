"""`dataclass` for classes of values, ready at once: the standard library's are what starts slowly.

It writes and compiles five functions for each class that is defined, 0.7 ms of them, and a run
imports seventy classes. Here one is compiled, `__init__`, by a class that makes many values; the
rest is shared. A type checker sees the standard library's own, whose meaning this has as far as it
goes: what it does not have is refused. `dataclasses.fields` and the like take these values, too.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from dataclasses import Field, asdict, dataclass, field, fields, replace

__all__ = ["asdict", "dataclass", "field", "fields", "replace"]

_MISSING: Any = object()
# A class that makes more values than these has its own function for it, compiled.
_FEW = 8
_NOT_OURS = ("InitVar", "KW_ONLY")  # as the standard library has them
# Not for the class that is made anew: it gets its own.
_OF_THE_FIRST = ("__dict__", "__weakref__", "__annotate_func__", "__annotations_cache__")


class _Field:
    """One field of a class: its name, what it is without a value, and where it takes part."""

    __slots__ = ("compare", "default", "default_factory", "init", "kw_only", "name", "repr")

    def __init__(  # as the standard library's `field`
        self,
        *,
        default: Any = _MISSING,
        default_factory: Callable[[], Any] = _MISSING,
        init: bool = True,
        repr: bool = True,  # noqa: A002  # its name there
        compare: bool = True,
    ) -> None:
        if default is not _MISSING and default_factory is not _MISSING:
            raise ValueError("cannot specify both default and default_factory")
        self.name = ""
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.kw_only = False


def _dataclass(
    cls: type | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
    eq: bool = True,
) -> Any:
    """As `dataclasses.dataclass`. The class is made anew, with slots or without."""

    def make(cls: type) -> type:
        return _made(cls, is_frozen=frozen, has_slots=slots, is_kw_only=kw_only, has_eq=eq)

    return make if cls is None else make(cls)


def _made(cls: type, *, is_frozen: bool, has_slots: bool, is_kw_only: bool, has_eq: bool) -> type:
    own = _declared(cls, is_kw_only=is_kw_only)
    inherited: dict[str, _Field] = {}
    for base in cls.__mro__[:0:-1]:
        inherited |= {each.name: each for each in vars(base).get("__value_fields__", ())}
    found = tuple((inherited | own).values())
    body = {
        name: value
        for name, value in vars(cls).items()
        if name not in own and name not in _OF_THE_FIRST
    }
    # What the class says itself of these is kept.
    body = _shared(found, is_frozen=is_frozen, has_eq=has_eq) | body
    # A class that says how its values are equal, and no hash, has None: Python took it away.
    own_hash = vars(cls).get("__hash__", _MISSING)
    if has_eq and (own_hash is _MISSING or (own_hash is None and "__eq__" in vars(cls))):
        body["__hash__"] = _hash if is_frozen else None
    if has_slots:
        body["__slots__"] = tuple(name for name in own if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    if "__init__" not in body:
        made.__init__ = _first(made)  # type: ignore[misc]  # it is made anew here
    return made


def _declared(cls: type, *, is_kw_only: bool) -> dict[str, _Field]:
    """The fields that a class's own body declares, by name."""
    if "__post_init__" in vars(cls):
        raise TypeError(f"{cls.__qualname__}: __post_init__ is for dataclasses.dataclass")
    declared = {}
    for name, kind in cls.__annotations__.items():
        if str(kind).removeprefix("typing.").partition("[")[0] == "ClassVar":
            continue
        if any(word in str(kind) for word in _NOT_OURS):
            raise TypeError(f"{cls.__qualname__}.{name}: {kind} is for dataclasses.dataclass")
        default = vars(cls).get(name, _MISSING)
        if isinstance(default, (list, dict, set)):
            raise ValueError(  # noqa: TRY004  # as there
                f"mutable default {type(default)} for field {name} is not allowed: "
                "use default_factory"
            )
        found = default if isinstance(default, _Field) else _Field(default=default)
        if not found.init and found.default is found.default_factory:
            raise TypeError(f"{cls.__qualname__}.{name}: nobody would say what it is")
        found.name, found.kw_only = name, is_kw_only
        declared[name] = found
    return declared


def _shared(found: tuple[_Field, ...], *, is_frozen: bool, has_eq: bool) -> dict[str, Any]:
    """What a class of values has besides `__init__`, `__hash__` and its slots."""
    compared = [each.name for each in found if each.compare]
    shared: dict[str, Any] = {
        "__value_fields__": found,
        # Those that have nothing to compare are all alike.
        "__value_key__": attrgetter(*(compared or ("__class__",))),
        "__match_args__": tuple(each.name for each in found if each.init and not each.kw_only),
        "__dataclass_fields__": _StandardFields(),
        "__repr__": _repr,
    }
    if has_eq:
        shared["__eq__"] = _eq
    if is_frozen:
        shared |= {
            "__setattr__": _refuse_setting,
            "__delattr__": _refuse_deleting,
            "__getstate__": _getstate,
            "__setstate__": _setstate,
        }
    return shared


def _first(cls: type) -> Callable[..., None]:
    """What makes the first values of a class. Most make no more: then nothing is compiled."""
    found, left = _fields(cls), _FEW
    is_frozen = vars(cls).get("__setattr__") is _refuse_setting
    given_ones = [each for each in found if each.init]
    names = frozenset(each.name for each in given_ones)
    positions = [each.name for each in given_ones if not each.kw_only]
    required = frozenset(
        each.name
        for each in given_ones
        if each.default is _MISSING and each.default_factory is _MISSING
    )

    def __init__(self: object, *values: object, **named: object) -> None:  # noqa: N807  # it becomes one
        nonlocal left
        left -= 1
        given = dict(zip(positions, values, strict=False)) | named
        is_plain = len(given) == len(values) + len(named) and required <= given.keys() <= names
        if left < 0 or not is_plain:  # what is wrong is said by what is compiled
            made = _initializer(found, is_frozen=is_frozen)
            made.__qualname__ = f"{cls.__qualname__}.__init__"
            cls.__init__ = made  # type: ignore[misc]  # that is its use
            made(self, *values, **named)
            return
        for each in found:
            if each.name in given:
                value = given[each.name]
            elif each.default is not _MISSING:
                value = each.default
            else:
                value = each.default_factory()
            object.__setattr__(self, each.name, value)

    return __init__


def _initializer(found: Iterable[_Field], *, is_frozen: bool) -> Callable[..., None]:
    """Write `__init__` of these fields, and compile it."""
    known: dict[str, Any] = {"_missing": _MISSING, "_set": object.__setattr__}
    positional, named, lines = ["self"], list[str](), list[str]()
    for place, each in enumerate(found):
        name, value = each.name, each.name
        if each.default_factory is not _MISSING:
            known[f"_make{place}"] = each.default_factory
            made = f"_make{place}()"
            value = f"{made} if {name} is _missing else {name}" if each.init else made
            default = "=_missing"
        elif each.default is not _MISSING:
            known[f"_default{place}"] = each.default
            default = f"=_default{place}"
            value = name if each.init else f"_default{place}"
        else:
            default = ""
        if each.init:
            (named if each.kw_only else positional).append(name + default)
        lines.append(f"_set(self, {name!r}, {value})" if is_frozen else f"self.{name} = {value}")
    parameters = [*positional, "*", *named] if named else positional
    text = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"])
    exec(text, known)  # noqa: S102  # of names that are a class's own
    initializer: Callable[..., None] = known["__init__"]
    return initializer


class _StandardFields:
    """`__dataclass_fields__`, for the standard library's functions: made when one asks."""

    def __get__(self, _: object, cls: type) -> dict[str, Field[Any]]:
        import dataclasses

        body: dict[str, Any] = {"__annotations__": {}}
        for each in _fields(cls):
            body["__annotations__"][each.name] = "object"
            given = {
                name: value
                for name in ("default", "default_factory", "init", "repr", "compare")
                if (value := getattr(each, name)) is not _MISSING
            }
            body[each.name] = dataclasses.field(**given)
        standard: Any = dataclasses.dataclass(kw_only=True)(type(cls.__name__, (), body))
        found: dict[str, Field[Any]] = standard.__dataclass_fields__
        cls.__dataclass_fields__ = found  # type: ignore[attr-defined]  # made here
        return found


def _fields(value: Any) -> tuple[_Field, ...]:
    """The fields of a class or a value, each with its `name`."""
    found: tuple[_Field, ...] = value.__value_fields__
    return found


def _replace(value: Any, /, **changes: object) -> Any:
    """Make a value that differs in these fields; one of the standard library's, too."""
    if not hasattr(value, "__value_fields__"):
        import dataclasses

        return dataclasses.replace(value, **changes)
    given = {each.name: getattr(value, each.name) for each in _fields(value) if each.init}
    return type(value)(**(given | changes))


def _asdict(value: Any) -> Any:
    """What a value holds by name, and the same of each value in it."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_asdict, value))
    if isinstance(value, dict):
        return {name: _asdict(each) for name, each in value.items()}
    if not hasattr(value, "__value_fields__"):
        return value
    return {each.name: _asdict(getattr(value, each.name)) for each in _fields(value)}


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    key = self.__value_key__
    return key(self) == key(other)


def _hash(self: Any) -> int:
    return hash(self.__value_key__(self))


def _repr(self: Any) -> str:
    said = (f"{each.name}={getattr(self, each.name)!r}" for each in _fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(said)})"


def _refuse_setting(self: object, name: str, _: object) -> NoReturn:
    raise AttributeError(f"cannot assign to field {name!r}", name=name, obj=self)


def _refuse_deleting(self: object, name: str) -> NoReturn:
    raise AttributeError(f"cannot delete field {name!r}", name=name, obj=self)


def _getstate(self: object) -> list[object]:
    return [getattr(self, each.name) for each in _fields(self)]


def _setstate(self: object, state: Iterable[object]) -> None:
    for each, value in zip(_fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


if not TYPE_CHECKING:
    asdict, dataclass, field, fields, replace = _asdict, _dataclass, _Field, _fields, _replace
