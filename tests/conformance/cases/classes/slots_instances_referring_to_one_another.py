"""Slotted nodes that refer to one another move to the new layout together."""
WEIGHT = 1
TAGS = ['classes', 'held']
PYTHON = '3.8'

FILES = {
    'mod.py': '''\
class Node:
    __slots__ = ("value", "next", "children")
    def __init__(self, value):
        self.value, self.next, self.children = value, None, []
def chain(n):
    head = None
    for i in range(n):
        node = Node(i)
        node.next = head
        head = node
    return head
HEAD = chain(4)
''',
}

STEPS = [
    [
        (
            'write',
            'mod.py',
            '''\
class Node:
    __slots__ = ("value", "next", "children", "colour")
    def __init__(self, value):
        self.value, self.next, self.children = value, None, []
        self.colour = "red"
def chain(n):
    head = None
    for i in range(n):
        node = Node(i)
        node.next = head
        head = node
    return head
HEAD = chain(4)
''',
        ),
    ],
]


def setup(ns):
    ns.head = ns.mod.HEAD


def check(ns):
    node, seen = ns.mod.HEAD, []
    while node is not None:
        seen.append((node.value, node.colour, type(node) is ns.mod.Node))
        node = node.next
    assert seen == [(3, "red", True), (2, "red", True), (1, "red", True), (0, "red", True)]
    assert ns.head is ns.mod.HEAD
