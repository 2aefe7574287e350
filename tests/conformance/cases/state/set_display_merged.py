"""An edited set keeps the program's additions and deletions."""
WEIGHT = 1
TAGS = ['state', 'displays', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
TAGS = {'a', 'b'}
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "{'a', 'b'}", "{'a', 'b', 'c'}"),
    ],
]


def setup(ns):
    ns.tags = ns.mod.TAGS
    ns.tags.add('live')
    ns.tags.discard('b')


def check(ns):
    assert ns.mod.TAGS == {'a', 'c', 'live'}, ns.mod.TAGS
    assert ns.mod.TAGS is ns.tags
