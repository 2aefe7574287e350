"""An edited nested table keeps what the program put into its inner tables."""
WEIGHT = 2
TAGS = ['state', 'displays', 'held']
PYTHON = "3.8"

FILES = {
    'mod.py': '''\
CONFIG = {'db': {'host': 'a', 'port': 1}, 'log': {'level': 1}, 'plugins': ['x']}
''',
}

STEPS = [
    [
        ('sub', 'mod.py', "'port': 1", "'port': 2"),
    ],
]


def setup(ns):
    ns.config = ns.mod.CONFIG
    ns.config['db']['live'] = True
    ns.config['log']['level'] = 5
    ns.config['plugins'].append('y')


def check(ns):
    c = ns.mod.CONFIG
    assert c is ns.config
    assert c['db'] == {'host': 'a', 'port': 2, 'live': True}, c
    assert c['log'] == {'level': 5}, c
    assert c['plugins'] == ['x', 'y'], c
