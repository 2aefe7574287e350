use super::{Correspondence, Definition, PointKind, correspond};

fn between(old: &str, new: &str) -> Correspondence {
    let definition = |text| Definition {
        text,
        name: "f",
        line: 1,
    };
    correspond(definition(old), definition(new)).unwrap()
}

/// Pairs as lines, old and new.
fn lines(found: &Correspondence) -> Vec<(u32, u32)> {
    let mut lines: Vec<_> = found
        .pairs
        .iter()
        .map(|(old, new)| (old.line(), new.line()))
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_loop_is_itself_whatever_its_body_does() {
    let found = between(
        "def f():\n    while True:\n        a()\n",
        "def f():\n    b = 1\n    while go():\n        c()\n        d()\n",
    );
    assert_eq!(lines(&found), [(2, 3)]);
    assert!(found.lost.is_empty());
}

#[test]
fn a_loop_keeps_its_place_beside_new_ones() {
    let found = between(
        "def f(a):\n    for x in a:\n        g(x)\n",
        "def f(a):\n    for y in a:\n        h(y)\n    for x in a:\n        g(x)\n",
    );
    assert_eq!(lines(&found), [(2, 4)]);
}

#[test]
fn several_changed_loops_of_another_number_are_not_told_apart() {
    let found = between(
        "def f(a):\n    for x in a:\n        g(x)\n",
        "def f(a):\n    for y in b:\n        h(y)\n    for z in c:\n        g(z)\n",
    );
    assert_eq!(lines(&found), []);
    assert_eq!(found.lost.len(), 1);
}

#[test]
fn nesting_must_be_the_same() {
    let plain = "def f(a):\n    for x in a:\n        while x:\n            g()\n";
    let wrapped =
        "def f(a):\n    for x in a:\n        with x:\n            while x:\n                h()\n";
    let found = between(plain, wrapped);
    assert_eq!(lines(&found), [(2, 2)]);
    assert_eq!(found.lost.len(), 1);
    let guarded = "def f(a):\n    for x in a:\n        try:\n            while x:\n                h()\n        finally:\n            i()\n";
    assert_eq!(lines(&between(plain, guarded)), [(2, 2), (3, 4)]);
}

#[test]
fn suspensions_of_whole_statements_pair_in_order() {
    let found = between(
        "async def f():\n    x = await a()\n    await b()\n",
        "async def f():\n    y = await c()\n    return await d()\n",
    );
    assert_eq!(lines(&found), [(2, 2), (3, 3)]);
}

#[test]
fn a_suspension_inside_an_expression_needs_the_same_statement() {
    let old = "async def f():\n    g(1, await a())\n    h()\n";
    let same = "async def f():\n    k()\n    g(1, await a())\n";
    let other = "async def f():\n    g(2, await a())\n";
    assert_eq!(lines(&between(old, same)), [(2, 3)]);
    assert_eq!(lines(&between(old, other)), []);
}

#[test]
fn yields_of_another_number_are_not_told_apart() {
    let found = between(
        "def f():\n    yield 1\n    yield 2\n",
        "def f():\n    yield 10\n    yield 20\n    yield 30\n",
    );
    assert_eq!(lines(&found), []);
    let found = between(
        "def f():\n    yield 1\n    yield 2\n",
        "def f():\n    yield 0\n    yield 1\n    yield 3\n",
    );
    assert_eq!(lines(&found), [(2, 3), (3, 4)]);
}

#[test]
fn decorated_functions_are_found_by_the_first_decorator() {
    let text = "@a\n@b\ndef f():\n    while 1:\n        pass\n";
    let found = between(text, text);
    assert_eq!(lines(&found), [(4, 4)]);
    let (point, _) = &found.pairs[0];
    assert!(matches!(point.kind, PointKind::While { forever: true, .. }));
}

#[test]
fn two_functions_of_one_place_are_refused() {
    let text = "if a:\n    def f(): pass\n";
    let twice = Definition {
        text: "class A:\n    def f(self): pass\n",
        name: "f",
        line: 1,
    };
    let once = Definition {
        text,
        name: "f",
        line: 2,
    };
    assert!(correspond(twice, once).is_none());
    assert!(correspond(once, once).is_some());
}

#[test]
fn of_two_loops_with_one_head_the_one_is_taken_that_leaves_as_many_on_both_sides() {
    let found = between(
        "def f():\n    for x in a:\n        g()\n    for x in b:\n        h()\n    for x in b:\n        i()\n",
        "def f():\n    for x in c:\n        j()\n    for x in b:\n        k()\n    for x in d:\n        l()\n",
    );
    assert_eq!(lines(&found), [(2, 2), (4, 4), (6, 6)]);
}

#[test]
fn two_edits_lead_further_than_a_look_at_the_last() {
    let first = "def f():\n    for x in a:\n        g()\n    for y in b:\n        h()\n";
    let second = "def f():\n    for x in a:\n        g()\n    for y in c:\n        i()\n";
    let third = "def f():\n    for z in d:\n        j()\n    for z in d:\n        j()\n    for y in c:\n        i()\n";
    assert_eq!(lines(&between(first, third)), []);
    let whole = between(first, second).followed_by(&between(second, third), between(first, third));
    assert_eq!(lines(&whole), [(4, 6)]);
    assert_eq!(whole.lost.len(), 1);
}

#[test]
fn a_point_that_was_lost_comes_back_with_its_text() {
    let plain = "def f():\n    while True:\n        g()\n";
    let wrapped = "def f():\n    with a:\n        while True:\n            g()\n";
    let away = between(plain, wrapped);
    assert!(away.pairs.is_empty());
    let back = away.followed_by(&between(wrapped, plain), between(plain, plain));
    assert_eq!(lines(&back), [(2, 2)]);
    assert!(back.lost.is_empty());
}

#[test]
fn variables_that_got_a_literal_on_the_way_are_told() {
    let text = "def f(a):\n    best, n = None, 0\n    found: list = []\n    low = -1\n    if a:\n        seen = {}\n        other = a\n    low = 2\n    for x in a:\n        late = 1\n        while x:\n            pass\n    after = 3\n";
    let found = between(text, text);
    let of = |at: usize| -> Vec<String> {
        let (_, point) = &found.pairs[at];
        let known = point.literals.iter();
        known.map(|(name, text)| format!("{name}={text}")).collect()
    };
    // `seen` was set in a branch that a call may not have come through.
    assert_eq!(of(0), ["found=[]"]);
    assert_eq!(of(1), ["found=[]", "late=1"]);
}
