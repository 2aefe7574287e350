"""SQLAlchemy: mapped classes gain columns and relationships; what a mapper cannot change is reported."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column
from sqlalchemy.engine import Engine
from sqlalchemy.orm import MapperProperty, registry
from sqlalchemy.orm.decl_api import DeclarativeAttributeIntercept, DeclarativeMeta

from hotswap._hotswap import peek
from hotswap.integrations._registrations import Outcome, instances

_RESTART = "restart the program to have the table anew"


class SqlalchemyPlugin:
    """One update's view of the mapped classes of this process."""

    owns = ("sqlalchemy",)

    def begin(self) -> None:
        """Nothing to prepare: what is mapped is looked at when it has changed."""

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Map what classes have gained; take the tables of removed classes out of their metadata."""
        outcome = Outcome(report)
        notes = []
        for change in outcome.changes:
            owner, _, name = change["qualname"].rpartition(".")
            mapped = _mapped(change["module"], owner)
            if mapped is None or change["kind"] not in ("attribute", "statement", "class"):
                continue
            if change["action"] == "added":
                notes += _map(mapped, name)
            elif name in mapped.__mapper__.class_manager or name.startswith("__table"):
                new = mapped.__dict__.get(name)
                if name in mapped.__mapper__.class_manager:
                    # The mapper cannot let go of it: the attribute that it works with stays.
                    type.__setattr__(mapped, name, mapped.__mapper__.class_manager[name])
                    if change["action"] == "re-ran" and _take_defaults(mapped, name, new):
                        continue
                notes.append(f"sqlalchemy: {change['qualname']} is mapped as before; {_RESTART}")
        removed = outcome.removed()
        if removed:
            for known in instances(registry):
                for mapper in tuple(known.mappers):
                    if mapper.class_ in removed and mapper.local_table is not None:
                        known.metadata.remove(mapper.local_table)
                        notes.append(f"sqlalchemy: the table {mapper.local_table.name} has left its metadata")
        return notes


def _mapped(module: str, qualname: str) -> Any:
    thing: Any = sys.modules.get(module)
    for name in qualname.split(".") if qualname else ():
        thing = peek(thing, name)
    return thing if issubclass(type(thing), type) and "__mapper__" in thing.__dict__ else None


def _map(mapped: Any, name: str) -> list[str]:
    """Hand an attribute to the mapper, as an assignment in the program would."""
    value = mapped.__dict__.get(name)
    label = f"{mapped.__qualname__}.{name}"
    if value is None and _annotation(mapped, name) is not None:
        return [f"sqlalchemy: {label} is only annotated and is not mapped: give it a mapped_column()"]
    is_column = isinstance(value, Column) or hasattr(value, "columns_to_assign")
    if not is_column and not isinstance(value, MapperProperty):
        return []
    if not isinstance(mapped, (DeclarativeMeta, DeclarativeAttributeIntercept)):
        return [f"sqlalchemy: {label} is not mapped: its class has no declarative base; {_RESTART}"]
    try:
        if hasattr(value, "column"):
            _infer_type(mapped, name, value)
        elif getattr(value, "argument", 0) is None:
            _infer_target(mapped, name, value)
        # As if it had never been there: SQLAlchemy warns of attributes that replace others.
        type.__delattr__(mapped, name)
        setattr(mapped, name, value)
    except Exception as error:
        return [f"sqlalchemy: {label} could not be mapped: {type(error).__name__}: {error}"]
    if not is_column:
        return []
    return [f"sqlalchemy: {label} is mapped; the table in the database is not altered"]


def _take_defaults(mapped: Any, name: str, new: Any) -> bool:
    """Give the mapped column what only concerns this process. False: the table differs too."""
    fresh = getattr(new, "column", new)
    columns: Any = getattr(mapped.__mapper__.attrs.get(name), "columns", ())
    if not isinstance(fresh, Column) or len(columns) != 1 or not isinstance(columns[0], Column):
        return False
    (column,) = columns
    if hasattr(new, "column"):
        _infer_type(mapped, name, new)
    if fresh.name not in (None, column.name) or _of_table(fresh) != _of_table(column):
        return False
    for which in ("default", "onupdate"):
        value = getattr(fresh, which)
        setattr(column, which, value)
        if value is not None:
            value._set_parent(column)
    column.doc, column.info = fresh.doc, fresh.info
    # What was worked out and compiled with the old ones.
    for memory in ("_default_description_tuple", "_onupdate_description_tuple"):
        column.__dict__.pop(memory, None)
    for mapper in mapped.__mapper__.self_and_descendants:
        mapper._reset_memoizations()
    for engine in instances(Engine):
        engine.clear_compiled_cache()
    return True


def _of_table(column: Any) -> tuple[Any, ...]:
    """What the table in the database has of a column."""
    server_default = getattr(column.server_default, "arg", column.server_default)
    return (
        repr(column.type),
        column.nullable,
        column.primary_key,
        column.unique or None,
        column.index or None,
        str(server_default),
        column.comment,
        sorted(key.target_fullname for key in column.foreign_keys),
    )


def _annotation(mapped: Any, name: str) -> Any:
    """What `Mapped[...]` says about an attribute."""
    try:
        hint = typing.get_type_hints(mapped).get(name)
    except Exception:
        return None
    arguments = typing.get_args(hint)
    return arguments[0] if arguments else None


def _infer_type(mapped: Any, name: str, value: Any) -> None:
    kind = _annotation(mapped, name)
    column = value.column
    if kind is None or not column.type._isnull:
        return
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    column.nullable = len(options) != len(typing.get_args(kind))
    column.type = mapped.registry._resolve_type(options[0] if options else kind)


def _infer_target(mapped: Any, name: str, value: Any) -> None:
    """The class that a relationship leads to, where only its annotation says it."""
    kind = _annotation(mapped, name)
    inner = [option for option in typing.get_args(kind) if option is not type(None)]
    collection = typing.get_origin(kind)
    value.argument = inner[-1] if inner else kind
    value.uselist = collection in (list, set, dict)
    if value.uselist and value.collection_class is None and collection is not list:
        value.collection_class = collection
