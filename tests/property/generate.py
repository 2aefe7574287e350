"""Random small programs and random edits of them.

A program is a dict from module to a list of statements. A statement knows the names it gives
and of what sort they are, so that what is written after it can use them. Whether the whole
program starts is not proved here: the test asks a cold start, and drops programs that do not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

Program = dict[str, list["Statement"]]
Names = dict[str, str]


@dataclass(frozen=True)
class Statement:
    """One statement of a module, and the names it gives: `{name: sort}`."""

    number: int
    make: str
    text: str
    gives: Names = field(default_factory=dict)
    state: bool = False


class Generator:
    """Makes programs and edits from one source of chance."""

    def __init__(self, chance: random.Random, prefix: str, version: tuple[int, int]) -> None:
        self.chance = chance
        self.prefix = prefix
        self.version = version
        self.count = 0

    # -- programs ---------------------------------------------------------------------------

    def program(self) -> Program:
        program: Program = {}
        for index in range(self.chance.randint(1, 3)):
            name = f"{self.prefix}_{'abc'[index]}"
            program[name] = []
            if self.chance.random() < 0.1:
                program[name].append(self.statement("docstring", program, name, 0))
            for _ in range(self.chance.randint(3, 9)):
                self.add(program, name)
        return program

    def add(self, program: Program, module: str, at: int | None = None) -> None:
        body = program[module]
        if at is None:
            at = len(body)
        make = self.chance.choice(self.makers())
        body.insert(at, self.statement(make, program, module, at))

    def makers(self) -> list[str]:
        many = ["constant", "derived", "function", "klass", "imports"]
        return many * 3 + [
            name[5:] for name in dir(self) if name.startswith("make_") and name != "make_docstring"
        ]

    def statement(
        self, make: str, program: Program, module: str, at: int, number: int = -1, keep: Names | None = None
    ) -> Statement:
        """A new statement; with `keep`, another one that gives the same names."""
        scope = Scope(self, program, module, at)
        names = list(keep or ())
        maker: Callable[[Scope, list[str]], Statement] = getattr(self, f"make_{make}")
        made = maker(scope, names)
        if number < 0:
            self.count += 1
            number = self.count
        return replace(made, number=number, make=make)

    def name(self, names: list[str], letter: str) -> str:
        if names:
            return names.pop(0)
        self.count += 1
        return f"{letter}{self.count}"

    # -- statements -------------------------------------------------------------------------

    def make_constant(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "K")
        note = self.chance.choice(["", ": int", ": 'int'"])
        return Statement(0, "", f"{name}{note} = {self.chance.randint(0, 9)}", {name: "int"})

    def make_derived(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "D")
        return Statement(0, "", f"{name} = {scope.number(3)}", {name: "int"})

    def make_listing(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "L")
        items = ", ".join(scope.number(1) for _ in range(self.chance.randint(0, 3)))
        return Statement(0, "", f"{name} = [{items}]", {name: "list"})

    def make_table(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "T")
        items = ", ".join(f'"{key}": {scope.number(1)}' for key in self.some("axyz"))
        return Statement(0, "", f'{name} = {{"k": {scope.number(1)}, {items}}}', {name: "dict"})

    def make_state(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "S")
        value = self.chance.choice(["{}", "[]", "{'a': 1}", "[1]", "{'a': {}}", "set()"])
        return Statement(0, "", f"{name} = {value}", {name: "state"}, state=True)

    def make_unpacking(self, scope: Scope, names: list[str]) -> Statement:
        one, other = self.name(names, "U"), self.name(names, "U")
        first, second = scope.number(1), scope.number(1)
        text = self.chance.choice(
            [
                f"{one}, {other} = {first}, {second}",
                f"({one}, *_{one}), {other} = [{first}, 1, 2], {second}",
                f"{one} = {other} = {first}",
            ]
        )
        return Statement(0, "", text, {one: "int", other: "int"})

    def make_augmented(self, scope: Scope, names: list[str]) -> Statement:
        own = scope.own("int")
        if not own:
            return self.make_constant(scope, names)
        return Statement(0, "", f"{self.chance.choice(own)} += {scope.number(1)}")

    def make_augmented_list(self, scope: Scope, names: list[str]) -> Statement:
        own = scope.own("list")
        if not own:
            return self.make_listing(scope, names)
        name = self.chance.choice(own)
        text = self.chance.choice([f"{name} += [{scope.number(1)}]", f"{name}.append({scope.number(1)})"])
        return Statement(0, "", text)

    def make_walrus(self, scope: Scope, names: list[str]) -> Statement:
        one, other = self.name(names, "W"), self.name(names, "W")
        return Statement(0, "", f"{one} = ({other} := {scope.number(1)}) + 1", {one: "int", other: "int"})

    def make_deleted(self, scope: Scope, names: list[str]) -> Statement:
        own = scope.own("int")
        if not own or self.chance.random() < 0.5:
            return self.make_derived(scope, names)
        return Statement(0, "", f"del {self.chance.choice(own)}")

    def make_choice(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "I")
        text = f"if {scope.number(2)} > {self.chance.randint(0, 12)}:\n    {name} = {scope.number(1)}\n"
        if self.chance.random() < 0.5:
            text += f"    def f_{name}(x):\n        return {scope.number(1)}\n"
            text += f"else:\n    {name} = {scope.number(1)}\n    def f_{name}(x):\n        return {scope.number(1)} + x"
            return Statement(0, "", text, {name: "int", f"f_{name}": "func"})
        text += f"elif {scope.number(1)} > 3:\n    {name} = 3\nelse:\n    {name} = {scope.number(1)}"
        return Statement(0, "", text, {name: "int"})

    def make_attempt(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "Y")
        text = (
            f"try:\n    {name} = {scope.number(1)} // {scope.number(0)}\n"
            f"except ZeroDivisionError as error:\n    {name} = {scope.number(1)}\n"
        )
        if self.chance.random() < 0.3:
            text += f"else:\n    {name} += 1\nfinally:\n    {name} = {name} + {self.chance.randint(0, 3)}\n"
        return Statement(0, "", text.rstrip(), {name: "int"})

    def make_loop(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "T")
        text = f"{name} = {{}}\nfor i_{name} in range({self.chance.randint(0, 4)}):\n"
        text += f"    {name}[i_{name}] = {scope.number(1)}"
        text = text.replace("\n", "; ", 0)
        return Statement(0, "", text, {name: "plain"})

    def make_with(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "N")
        text = (
            f"import contextlib\nwith contextlib.nullcontext({scope.number(1)}) as v_{name}:\n"
            f"    {name} = v_{name} + {scope.number(0)}"
        )
        return Statement(0, "", text, {name: "plain"})

    def make_match(self, scope: Scope, names: list[str]) -> Statement:
        if self.version < (3, 10):
            return self.make_choice(scope, names)
        name = self.name(names, "M")
        text = (
            f"match {scope.number(1)} % 3:\n    case 0:\n        {name} = {scope.number(0)}\n"
            f"    case 1:\n        {name} = 1\n    case _:\n        {name} = {scope.number(1)}"
        )
        return Statement(0, "", text, {name: "int"})

    def make_function(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "f")
        inner = scope.inside("x")
        parameters = "x"
        if self.chance.random() < 0.4:
            parameters += f", y={scope.number(1)}"
            inner.locals.append("y")
        if self.chance.random() < 0.2:
            parameters += f", *, z={scope.number(0)}"
            inner.locals.append("z")
        if self.chance.random() < 0.3:
            parameters = parameters.replace("x", "x: int", 1)
        returns = self.chance.choice(["", "", " -> int", " -> 'int'"])
        doc = f'    "doc {self.chance.randint(0, 3)}"\n' if self.chance.random() < 0.3 else ""
        text = f"def {name}({parameters}){returns}:\n{doc}{self.body(inner)}"
        text = self.decorated(scope) + text
        return Statement(0, "", text, {name: "func"})

    def decorated(self, scope: Scope) -> str:
        chosen = scope.visible("deco")
        if chosen and self.chance.random() < 0.6:
            return "".join(
                f"@{name}\n"
                for name in self.chance.sample(chosen, self.chance.randint(1, min(2, len(chosen))))
            )
        return ""

    def body(self, inner: Scope) -> str:
        plain = f"    return {inner.number(2)}"
        return self.chance.choice(
            [
                plain,
                plain,
                f"    v = {inner.number(1)}\n    return v + {inner.number(1)}",
                f"    def g(y={inner.number(0)}):\n        return x + y + {inner.number(1)}\n    return g()",
                f"    v = {inner.number(1)}\n    def g():\n        def h():\n            return v + x\n        return h() + {inner.number(0)}\n    return g()",
                f"    g = lambda y: y + {inner.number(1)}\n    return g(x)",
                f"    return sum([i + {inner.number(0)} for i in range(2)])",
                f"    if x > {self.chance.randint(0, 5)}:\n        return {inner.number(1)}\n    return {inner.number(1)}",
                f"    try:\n        return {inner.number(1)}\n    except TypeError:\n        return {inner.number(0)}",
                f"    v = 0\n    def g():\n        nonlocal v\n        v += {inner.number(0)}\n    g()\n    return v",
            ]
        )

    def make_other_functions(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "h")
        inner = scope.inside("x")
        text = self.chance.choice(
            [
                f"def {name}(x):\n    yield {inner.number(1)}\n    yield x",
                f"async def {name}(x):\n    return {inner.number(1)}",
                f"async def {name}(x):\n    yield {inner.number(1)}",
                f"def {name}(x):\n    return {inner.number(1)}",
                f"{name} = lambda x: {inner.number(1)}",
                f"{name} = [lambda x: {inner.number(1)}, lambda x: {inner.number(1)}]",
                f'{name} = {{"a": lambda x: {inner.number(1)}, "b": lambda x: {inner.number(0)}}}',
            ]
        )
        return Statement(0, "", text, {name: "plain"})

    def make_closure(self, scope: Scope, names: list[str]) -> Statement:
        maker, made, value = self.name(names, "c"), self.name(names, "q"), self.chance.randint(0, 5)
        inner = scope.inside("x", "a", "b")
        used = self.chance.choice(["a", "a + b", "b", "a * b"])
        text = f"def {maker}(a, b):\n    def inner(x):\n        return {used} + {inner.number(1)}\n    return inner\n"
        return Statement(0, "", f"{text}{made} = {maker}({value}, 2)", {maker: "plain", made: "func"})

    def make_decorator(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "deco")
        inner = scope.inside("x")
        text = self.chance.choice(
            [
                f"def {name}(fn):\n    return fn",
                f"import functools\ndef {name}(fn):\n    @functools.wraps(fn)\n    def wrapper(x, *args, **kwargs):\n"
                f"        return fn(x, *args, **kwargs) + {inner.number(1)}\n    return wrapper",
                f"def {name}(fn):\n    fn.mark = {scope.number(0)}\n    return fn",
            ]
        )
        return Statement(0, "", text, {name: "deco"})

    def make_klass(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "C")
        bases = self.some(scope.visible("class"), 1)
        inner = scope.inside()
        lines = [f"    K = {scope.number(1)}"]
        if self.chance.random() < 0.4:
            lines.append(f"    V = K + {scope.number(1)}")
        if self.chance.random() < 0.5:
            lines.append(
                f"    def __init__(self, a={scope.number(0)}):\n"
                + ("        super().__init__()\n" if bases else "")
                + f"        self.a_{name} = a"
            )
        for method in self.some(("m", "n", "o")):
            lines.append(f"    def {method}(self, x=1):\n        return {inner.inside('x').number(1)}")
        extras = [
            f"    @property\n    def p(self):\n        return {inner.number(1)}",
            f"    @staticmethod\n    def s(x=0):\n        return {inner.number(1)}",
            f"    @classmethod\n    def c(cls):\n        return cls.K + {inner.number(1)}",
            f"    L = [{scope.number(0)}]",
            f"    lam = lambda self: {inner.number(1)}",
            "    def __repr__(self):\n        return '!'",
            f"    class Inner:\n        W = {scope.number(0)}\n        def w(self):\n            return {inner.number(0)}",
        ]
        lines += self.some(extras)
        doc = f'    "class {self.chance.randint(0, 3)}"\n' if self.chance.random() < 0.2 else ""
        text = f"class {name}({', '.join(bases)}):\n{doc}" + "\n".join(lines)
        return Statement(0, "", text, {name: "class"})

    def make_dataclass(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "E")
        fields = [f"    a: int = {scope.number(0)}"]
        fields += self.some(
            [
                f"    b: int = {scope.number(1)}",
                "    c: list = dataclasses.field(default_factory=list)",
                "    d: str = 'x'",
            ]
        )
        options = self.chance.choice(["", "(frozen=True)", "(order=True)", "(eq=False)"])
        text = f"import dataclasses\n@dataclasses.dataclass{options}\nclass {name}:\n" + "\n".join(fields)
        if self.chance.random() < 0.5:
            text += f"\n    def m(self):\n        return self.a + {scope.inside().number(0)}"
        return Statement(0, "", text, {name: "plain"})

    def make_enumeration(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "G")
        lines = [f"    A = {self.chance.randint(0, 3)}"]
        lines += self.some([f"    B = {self.chance.randint(4, 6)}", "    X = 10", "    Y = 11"])
        if self.chance.random() < 0.3:
            lines.append(f"    def m(self):\n        return self.value + {scope.inside().number(0)}")
        return Statement(
            0, "", f"import enum\nclass {name}(enum.Enum):\n" + "\n".join(lines), {name: "plain"}
        )

    def make_instance(self, scope: Scope, names: list[str]) -> Statement:
        classes = scope.visible("class")
        if not classes:
            return self.make_klass(scope, names)
        name = self.name(names, "O")
        return Statement(0, "", f"{name} = {self.chance.choice(classes)}()", {name: "inst"}, state=True)

    def make_alias(self, scope: Scope, names: list[str]) -> Statement:
        sort = self.chance.choice(["int", "func", "class", "list"])
        there = scope.visible(sort)
        if not there:
            return self.make_constant(scope, names)
        name = self.name(names, "A")
        return Statement(0, "", f"{name} = {self.chance.choice(there)}", {name: sort})

    def make_partial(self, scope: Scope, names: list[str]) -> Statement:
        there = scope.visible("func")
        if not there:
            return self.make_function(scope, names)
        name = self.name(names, "P")
        chosen = self.chance.choice(there)
        return Statement(
            0,
            "",
            f"import functools\n{name} = functools.partial({chosen}, {scope.number(0)})",
            {name: "plain"},
        )

    def make_global(self, scope: Scope, names: list[str]) -> Statement:
        name = self.name(names, "count")
        text = f"{name} = 0\ndef bump_{name}():\n    global {name}\n    {name} += 1"
        return Statement(0, "", text, {name: "counter"})

    def make_imports(self, scope: Scope, names: list[str]) -> Statement:
        others = scope.other_modules()
        if not others:
            return self.make_derived(scope, names)
        module = self.chance.choice(others)
        public = scope.exports(module)
        form = self.chance.choice(["module", "alias", "from", "from", "as", "star", "inner"])
        if form == "module":
            return Statement(0, "", f"import {module}", {module: f"module {module}"})
        if form == "alias" or not public:
            name = self.name(names, "mod")
            return Statement(0, "", f"import {module} as {name}", {name: f"module {module}"})
        if form == "star":
            given = {name: sort for name, sort in public.items() if not name.startswith("_")}
            return Statement(0, "", f"from {module} import *", given)
        chosen = self.some(list(public)) or [next(iter(public))]
        if form == "as":
            new = self.name(names, "R")
            return Statement(0, "", f"from {module} import {chosen[0]} as {new}", {new: public[chosen[0]]})
        return Statement(
            0, "", f"from {module} import {', '.join(chosen)}", {name: public[name] for name in chosen}
        )

    def make_docstring(self, scope: Scope, names: list[str]) -> Statement:
        return Statement(0, "", f'"module {self.chance.randint(0, 5)}"', {"__doc__": "doc"})

    def some(self, items: object, most: int = 3) -> list[str]:
        there = list(items)  # type: ignore[call-overload]
        return self.chance.sample(there, self.chance.randint(0, min(most, len(there))))

    # -- edits ------------------------------------------------------------------------------

    def edit(self, program: Program) -> Program:
        """Another program, one save later."""
        new = {module: list(body) for module, body in program.items()}
        for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
            module = self.chance.choice(list(new))
            kind = self.chance.choice(
                [
                    "change",
                    "change",
                    "change",
                    "change",
                    "add",
                    "add",
                    "remove",
                    "move",
                    "across",
                    "rename",
                    "turn",
                    "blank",
                ]
            )
            getattr(self, f"edit_{kind}")(new, module)
        return new

    def edit_change(self, program: Program, module: str) -> None:
        """Another statement of the same sort with the same names."""
        body = program[module]
        if not body:
            return self.add(program, module)
        at = self.chance.randrange(len(body))
        old = body[at]
        if self.chance.random() < 0.5:
            text = self.tweaked(old.text)
            if text != old.text:
                body[at] = replace(old, text=text)
                return None
        body[at] = self.statement(old.make, program, module, at, old.number, old.gives)
        return None

    def tweaked(self, text: str) -> str:
        """The text with one of its numbers changed."""
        digits = [at for at, letter in enumerate(text) if letter.isdigit() and is_number(text, at)]
        if not digits:
            return text
        at = self.chance.choice(digits)
        return text[:at] + str(self.chance.randint(0, 9)) + text[at + 1 :]

    def edit_add(self, program: Program, module: str) -> None:
        self.add(program, module, self.chance.randint(0, len(program[module])))

    def edit_remove(self, program: Program, module: str) -> None:
        if program[module]:
            program[module].pop(self.chance.randrange(len(program[module])))

    def edit_move(self, program: Program, module: str) -> None:
        body = program[module]
        if len(body) > 1:
            statement = body.pop(self.chance.randrange(len(body)))
            body.insert(self.chance.randint(0, len(body)), statement)

    def edit_across(self, program: Program, module: str) -> None:
        """A definition moves to a module that is imported first, and is imported from there."""
        modules = list(program)
        index = modules.index(module)
        body = program[module]
        if index == 0 or not body:
            return
        at = self.chance.randrange(len(body))
        target = self.chance.choice(modules[:index])
        moved = body[at]
        if not moved.gives or moved.make == "imports":
            return
        program[target].append(moved)
        self.count += 1
        text = f"from {target} import {', '.join(moved.gives)}"
        body[at] = Statement(self.count, "imports", text, dict(moved.gives))

    def edit_rename(self, program: Program, module: str) -> None:
        own = [
            name
            for statement in program[module]
            for name, sort in statement.gives.items()
            if sort in ("func", "class", "int", "plain")
            and statement.make not in ("imports", "loop", "with", "docstring")
        ]
        if not own:
            return
        old = self.chance.choice(own)
        self.count += 1
        new = f"{old.rstrip('0123456789')}{self.count}"
        for name, body in program.items():
            program[name] = [renamed(statement, old, new) for statement in body]

    def edit_turn(self, program: Program, module: str) -> None:
        """A definition becomes one of another kind under the same name."""
        body = program[module]
        kinds = ["constant", "function", "klass", "dataclass", "enumeration", "listing", "table", "alias"]
        places = [at for at, statement in enumerate(body) if statement.make in kinds]
        if not places:
            return
        at = self.chance.choice(places)
        kind = self.chance.choice(kinds)
        made = self.statement(kind, program, module, at, body[at].number, body[at].gives)
        if list(made.gives) == list(body[at].gives):
            body[at] = made

    def edit_blank(self, program: Program, module: str) -> None:
        body = program[module]
        self.count += 1
        at = self.chance.randint(0, len(body))
        text = self.chance.choice(["# a comment", "", "\n\n", "# one\n# two"])
        body.insert(at, Statement(self.count, "blank", text))

    def make_blank(self, scope: Scope, names: list[str]) -> Statement:
        return Statement(0, "", self.chance.choice(["# other", "", "\n"]))


def is_number(text: str, at: int) -> bool:
    before = text[at - 1] if at else " "
    after = text[at + 1] if at + 1 < len(text) else " "
    return not (before.isalnum() or before in "_\"'") and not (after.isalnum() or after == "_")


def renamed(statement: Statement, old: str, new: str) -> Statement:
    import re

    text = re.sub(rf"\b{old}\b", new, statement.text)
    gives = {new if name == old else name: sort for name, sort in statement.gives.items()}
    return replace(statement, text=text, gives=gives)


class Scope:
    """The names that a statement at one place of a module can use."""

    def __init__(self, generator: Generator, program: Program, module: str, at: int) -> None:
        self.generator = generator
        self.chance = generator.chance
        self.program = program
        self.module = module
        self.names: Names = {}
        self.locals: list[str] = []
        for statement in program[module][:at]:
            self.names.update(statement.gives)
            for word in statement.text.split("\n"):
                if word.startswith("del "):
                    self.names.pop(word[4:], None)

    def inside(self, *parameters: str) -> Scope:
        """The scope of a function body: what is defined later is there when it runs."""
        inner = Scope(self.generator, self.program, self.module, len(self.program[self.module]))
        inner.locals = [*self.locals, *parameters]
        return inner

    def own(self, sort: str) -> list[str]:
        gives = [
            name
            for statement in self.program[self.module]
            if statement.make != "imports"
            for name in statement.gives
        ]
        return [name for name in self.visible(sort) if name in gives]

    def visible(self, sort: str) -> list[str]:
        return [name for name, kind in self.names.items() if kind == sort]

    def other_modules(self) -> list[str]:
        modules = list(self.program)
        return modules[: modules.index(self.module)]

    def exports(self, module: str) -> Names:
        names: Names = {}
        for statement in self.program.get(module, ()):
            names.update(
                (name, sort)
                for name, sort in statement.gives.items()
                if sort not in ("doc", "counter", "state") and not sort.startswith("module")
            )
            if statement.text.startswith("del "):
                names.pop(statement.text[4:], None)
        return names

    def number(self, depth: int) -> str:
        """An expression that gives an int."""
        chance = self.chance
        ints = self.visible("int") + self.locals
        if depth <= 0 or chance.random() < 0.15:
            if ints and chance.random() < 0.6:
                return chance.choice(ints)
            return str(chance.randint(0, 9))
        options = [lambda: f"{self.number(depth - 1)} {chance.choice('+-*')} {self.number(depth - 1)}"] * 2
        if ints:
            options += [lambda: chance.choice(ints)] * 3
        if functions := self.visible("func"):
            options += [lambda: f"{chance.choice(functions)}({self.number(depth - 1)})"] * 2
        if classes := self.visible("class"):
            options.append(lambda: f"{chance.choice(classes)}.K")
        if lists := self.visible("list"):
            options.append(lambda: f"len({chance.choice(lists)})")
            options.append(lambda: f"sum({chance.choice(lists)})")
        if tables := self.visible("dict"):
            options.append(lambda: f'{chance.choice(tables)}["k"]')
        for name, sort in self.names.items():
            if sort.startswith("module "):
                public = self.exports(sort[7:])
                inner = [f"{name}.{other}" for other, kind in public.items() if kind == "int"]
                if inner:
                    options += [lambda inner=inner: chance.choice(inner)] * 2  # type: ignore[misc]
                called = [f"{name}.{other}" for other, kind in public.items() if kind == "func"]
                if called:
                    options.append(lambda called=called: f"{chance.choice(called)}(1)")  # type: ignore[misc]
        options.append(lambda: f"max({self.number(depth - 1)}, {self.number(depth - 1)})")
        options.append(lambda: f"sum([i * {self.number(0)} for i in (1, 2)])")
        return chance.choice(options)()


def source(body: list[Statement]) -> str:
    """The text of a module."""
    return "".join(f"{statement.text}\n" for statement in body)
