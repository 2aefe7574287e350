"""Models after an update are as a fresh start makes them, and no more complete."""

from __future__ import annotations

from typing import Any

import pytest

pydantic = pytest.importorskip("pydantic", minversion="2.0")

MODELS = """\
from typing import List, Optional
from pydantic import BaseModel

class Part(BaseModel):
    size: int = 1

class Early(BaseModel):
    late: "Optional[Late]" = None
    part: Part = Part()

class Whole(BaseModel):
    name: str = "a"
    part: Part = Part()
    parts: List[Part] = []

class Late(BaseModel):
    early: Optional[Early] = None
"""

EDITS = {
    "a field of another model": ('name: str = "a"', 'name: str = "a"\n    more: int = 2'),
    "a field of the model itself": ('    late: "', '    more: int = 2\n    late: "'),
    "a field of what it contains": ("size: int = 1", "size: int = 1\n    more: int = 2"),
    "a base": (
        "class Part(BaseModel)",
        "class Base(BaseModel):\n    model_config = {'extra': 'allow'}\nclass Part(Base)",
    ),
}


def complete(module: Any) -> dict[str, bool]:
    models = {name: getattr(module, name) for name in ("Part", "Early", "Whole", "Late")}
    return {name: model.__pydantic_complete__ for name, model in models.items()}


@pytest.mark.parametrize("edit", EDITS)
def test_models_are_as_complete_as_a_fresh_start_makes_them(project: Any, edit: str) -> None:
    live = project.load(MODELS)
    project.apply(EDITS[edit])
    cold = project.load(MODELS.replace(*EDITS[edit]), name="cold")
    assert complete(live) == complete(cold)
    for name in ("Part", "Whole"):
        assert shape(getattr(live, name)) == shape(getattr(cold, name))
    assert (
        live.Late(early={"part": {"size": 3}}).model_dump()
        == cold.Late(early={"part": {"size": 3}}).model_dump()
    )
    assert type(live.Late(early={"late": {}}).early.late) is live.Late
    assert type(live.Whole(parts=[{}]).parts[0]) is live.Part
    assert live.Early(part=live.Part()).part.size == 1


def shape(model: Any) -> list[int]:
    """What a validator contains may be its own copy or the validator that is there."""
    texts = (repr(model.__pydantic_validator__), repr(model.__pydantic_serializer__))
    return [text.count("Prebuilt") for text in texts]


def test_model_that_cannot_be_built_says_so_and_is_built_when_it_can(project: Any) -> None:
    mod = project.load(MODELS)
    report = project.apply(('name: str = "a"', 'name: "Missing" = "a"'))
    assert any("Whole" in note for note in report.notes)
    with pytest.raises(pydantic.PydanticUserError):
        mod.Whole(name="a")
    project.apply(('name: "Missing" = "a"', "name: int = 2"))
    assert mod.Whole(name="3").name == 3
