"""pydantic: models that were made anew, and those that refer to them, get their validators again."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

import pydantic

from hotswap.integrations._made_anew import classes_made_anew, fill_in, with_subclasses
from hotswap.integrations._registrations import Outcome, instances


class PydanticPlugin:
    """One update's view of the models of this process (pydantic 2)."""

    owns = ()

    def __init__(self) -> None:
        self._unfinished: set[type] = set()

    def begin(self) -> None:
        """Note which models wait for their first use to get their validators."""
        if hasattr(pydantic.BaseModel, "model_rebuild"):
            models = with_subclasses([pydantic.BaseModel])
            self._unfinished = {model for model in models if not _is_complete(model)}

    def end(self, report: dict[str, Any] | None) -> Iterable[str]:
        """Build the compiled validators of changed models anew; fill in the fields of live instances."""
        if not hasattr(pydantic.BaseModel, "model_rebuild"):
            return []
        made = [
            kind
            for kind in with_subclasses(classes_made_anew(Outcome(report)))
            if issubclass(kind, pydantic.BaseModel)
        ]
        if not made:
            return []
        notes = []
        # What a validator makes are instances of the class it was compiled for.
        models: list[Any] = []
        for model in _in_order(made):
            waits = model in self._unfinished
            if waits and model not in made and not _is_complete(model):
                continue
            if not waits or not _wait_for_use(model):
                models.append(model)
        # None may take over a part of another that is still to be built.
        for model in models:
            _forget(model)
        for model in models:
            try:
                _build(model)
            except Exception as error:  # a schema of the program
                name = f"{model.__module__}.{model.__qualname__}"
                notes.append(f"pydantic: the validator of {name} could not be built again: {error!r}")
            else:
                _withdraw_stale(report, model)
        thing: Any
        for thing in instances(*made):
            _forget_removed(thing)
        return notes + fill_in(made, _fields, _give)


def _is_complete(model: type) -> bool:
    return model.__dict__.get("__pydantic_complete__") is not False


def _wait_for_use(model: Any) -> bool:
    """Have its first use build the validator of this class. False: not with this pydantic."""
    try:
        from pydantic._internal._mock_val_ser import set_model_mocks

        set_model_mocks(model)
    except (ImportError, TypeError):  # it is no public name
        return False
    model.__pydantic_complete__ = False
    if "__signature__" in model.__dict__:
        del model.__signature__
    return True


def _forget(model: Any) -> None:
    model.__pydantic_complete__ = False
    if "__pydantic_core_schema__" in model.__dict__:
        del model.__pydantic_core_schema__


def _build(model: Any) -> None:
    """Build what the class statement builds, in the same way: of the validators that are there."""
    namespace = dict(vars(sys.modules.get(model.__module__, object)))
    try:
        model.model_rebuild(raise_errors=True, _types_namespace=namespace)
    except Exception:
        # Nothing that is out of date may be left where it cannot be built.
        model.__pydantic_complete__ = True
        model.model_rebuild(force=True, raise_errors=True, _types_namespace=namespace)


def _withdraw_stale(report: dict[str, Any] | None, model: type) -> None:
    """What the engine could not replace in the old validator is gone with it."""
    for part in () if report is None else [report, *report.get("groups", ())]:
        part["changes"] = [
            change
            for change in part.get("changes", ())
            if change["action"] != "stale"
            or change["qualname"] != model.__qualname__
            or "held by a pydantic_core." not in change["reason"]
        ]


def _in_order(made: list[type]) -> Iterator[type[pydantic.BaseModel]]:
    """The models, then those whose fields contain one that came before."""
    done: list[Any] = list(made)
    yield from done
    others = [kind for kind in with_subclasses([pydantic.BaseModel]) if kind not in done]
    while True:
        using = [kind for kind in others if any(_mentions(kind, known) for known in done)]
        if not using:
            return
        for kind in using:
            others.remove(kind)
            done.append(kind)
            yield kind


def _mentions(kind: Any, wanted: type) -> bool:
    fields = kind.model_fields
    return isinstance(fields, dict) and any(_contains(field.annotation, wanted) for field in fields.values())


def _contains(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_contains(inner, wanted) for inner in get_args(annotation))


def _forget_removed(thing: Any) -> None:
    """A field that the model has no more is nothing that an instance could show."""
    kind = type(thing)
    if kind.model_config.get("extra") == "allow":
        return
    values = thing.__dict__
    for name in [name for name in values if name not in kind.model_fields and not hasattr(kind, name)]:
        del values[name]
        thing.__pydantic_fields_set__.discard(name)


def _fields(kind: Any) -> dict[str, Callable[[Any], Any] | None]:
    return {name: _maker(field) for name, field in kind.model_fields.items()}


def _maker(field: Any) -> Callable[[Any], Any] | None:
    if field.is_required():
        return None
    if field.default_factory is not None:
        return lambda thing: field.default_factory()
    return lambda thing: copy.deepcopy(field.default)


def _give(thing: Any, name: str, value: Any) -> None:
    thing.__dict__[name] = value
