from __future__ import annotations

import pytest

sqlalchemy = pytest.importorskip("sqlalchemy", minversion="2.0")

MODELS = """\
from typing import List
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
class Base(DeclarativeBase): pass
class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    def hi(self): return "hi " + self.name
class Address(Base):
    __tablename__ = "address"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
"""


@pytest.fixture
def mod(project):
    return project.load(MODELS)


def test_method_of_a_mapped_class(project, mod):
    user = mod.User(name="bob")
    project.apply(('"hi "', '"hello "'))
    assert user.hi() == "hello bob"
    assert len(list(mod.Base.registry.mappers)) == 2


def test_column_is_added_to_the_table(project, mod):
    report = project.apply(("    def hi", "    age: Mapped[int] = mapped_column(default=3)\n    def hi"))
    assert sorted(mod.User.__table__.c.keys()) == ["age", "id", "name"]
    assert isinstance(mod.User.__table__.c.age.type, sqlalchemy.Integer)
    assert mod.User(name="q", age=4).age == 4
    assert len(list(mod.Base.registry.mappers)) == 2
    assert any("the table in the database is not altered" in note for note in report.notes)


def test_relationship_is_added(project, mod):
    project.apply(("    def hi", '    addresses: Mapped[List["Address"]] = relationship()\n    def hi'))
    user = mod.User(name="q")
    assert user.addresses == []
    user.addresses.append(mod.Address())
    assert len(user.addresses) == 1


def test_changed_column_is_in_the_report(project, mod):
    report = project.apply(("name: Mapped[str]", "name: Mapped[str] = mapped_column(String(30))"))
    assert mod.User.name.property.columns[0] is mod.User.__table__.c.name
    assert mod.User(name="q").hi() == "hi q"
    assert any("User.name is mapped as before" in note for note in report.notes)


def test_default_of_a_column_follows(project):
    mod = project.load(
        MODELS.replace(
            "    def hi", "    age: Mapped[int] = mapped_column(default=3, onupdate=lambda: 5)\n    def hi"
        )
    )
    engine = sqlalchemy.create_engine("sqlite://")
    mod.Base.metadata.create_all(engine)

    def insert(name):
        with sqlalchemy.orm.Session(engine) as session:
            user = mod.User(name=name)
            session.add(user)
            session.commit()
            ages = [user.age]
            user.name += "!"
            session.commit()
            return [*ages, user.age]

    column = mod.User.__table__.c.age
    assert insert("a") == [3, 5]
    report = project.apply(("default=3, onupdate=lambda: 5", "default=lambda: 40, onupdate=50"))
    assert insert("b") == [40, 50]
    assert mod.User.__table__.c.age is column
    assert not any("mapped as before" in note for note in report.notes)
    project.apply(("default=lambda: 40, onupdate=50", "default=7"))
    assert insert("c") == [7, 7]
    report = project.apply(("default=7", "default=8, index=True"))
    assert insert("d") == [7, 7]
    assert any("User.age is mapped as before" in note for note in report.notes)


def test_removed_class_takes_its_table_along(project, mod):
    project.apply((MODELS[MODELS.index("class Address") :], ""))
    assert list(mod.Base.metadata.tables) == ["user"]


def test_mapped_class_with_another_base_is_refused(project, mod):
    report = project.refuse(("class User(Base):", "class Named: pass\nclass User(Named, Base):"))
    assert report.error is not None and "already defined" in report.error.message
    assert mod.User(name="q").hi() == "hi q"
