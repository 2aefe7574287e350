"""As much of `dataclasses` as reports need.

The module of that name takes longer to import than all of hotswap, and cannot be imported later either: an
update may be asked for in a signal handler that interrupts the import.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MISSING = object()


class _Field:
    def __init__(self, default_factory: Callable[[], Any]) -> None:
        self.default_factory = default_factory


def field(*, default_factory: Callable[[], Any]) -> Any:
    """A default that is made for each object."""
    return _Field(default_factory)


def dataclass(*, frozen: bool) -> Callable[[type], type]:
    """Gives a class what its annotations say: objects of such values, compared, shown and never changed."""
    assert frozen

    def make(cls: type) -> type:
        names = tuple(cls.__annotations__)
        defaults = {name: cls.__dict__.get(name, _MISSING) for name in names}
        for name, default in defaults.items():
            if isinstance(default, _Field):
                delattr(cls, name)

        def __init__(self: Any, *values: Any, **words: Any) -> None:
            if len(values) > len(names):
                raise TypeError(f"{cls.__name__}() takes {len(names)} arguments, {len(values)} were given")
            given = dict(zip(names, values))
            for name, value in words.items():
                if name not in defaults or name in given:
                    raise TypeError(f"{cls.__name__}() got an unexpected argument {name!r}")
                given[name] = value
            for name, default in defaults.items():
                if name not in given:
                    if default is _MISSING:
                        raise TypeError(f"{cls.__name__}() misses the argument {name!r}")
                    given[name] = default.default_factory() if isinstance(default, _Field) else default
            # In the order of the class, whatever the order of the call.
            self.__dict__.update((name, given[name]) for name in names)

        def __eq__(self: Any, other: object) -> Any:
            return self.__dict__ == other.__dict__ if type(other) is cls else NotImplemented

        def __hash__(self: Any) -> int:
            return hash(tuple(self.__dict__.values()))

        def __repr__(self: Any) -> str:
            return f"{cls.__qualname__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"

        def __setattr__(self: Any, name: str, value: object) -> None:
            raise AttributeError(f"{cls.__name__}.{name} cannot be set")

        def __delattr__(self: Any, name: str) -> None:
            raise AttributeError(f"{cls.__name__}.{name} cannot be deleted")

        for method in (__init__, __eq__, __hash__, __repr__, __setattr__, __delattr__):
            setattr(cls, method.__name__, method)
        return cls

    return make


def replace(thing: Any, **words: Any) -> Any:
    """A copy with other values."""
    return type(thing)(**{**thing.__dict__, **words})


def to_json(thing: Any) -> str:
    """Plain values as JSON, without the module of that name: it is not loaded at the start of a program."""
    if isinstance(thing, str):
        from _json import encode_basestring_ascii

        return str(encode_basestring_ascii(thing))
    if isinstance(thing, dict):
        return "{" + ", ".join(f"{to_json(name)}: {to_json(value)}" for name, value in thing.items()) + "}"
    if isinstance(thing, (tuple, list)):
        return "[" + ", ".join(map(to_json, thing)) + "]"
    if thing is None:
        return "null"
    return repr(thing).lower() if isinstance(thing, bool) else repr(thing)


def asdict(thing: Any) -> Any:
    """Objects of such classes as dicts, however deep in tuples, lists and dicts."""
    if isinstance(thing, (str, int, float, bool, type(None))):
        return thing
    if isinstance(thing, (tuple, list)):
        return type(thing)(asdict(item) for item in thing)
    if isinstance(thing, dict):
        return {name: asdict(value) for name, value in thing.items()}
    return {name: asdict(value) for name, value in thing.__dict__.items()}
