"""An unchanged assertion is not checked again when what it calls is edited: the program has moved on."""
WEIGHT = 1
TAGS = ['state', 'module-level']
PYTHON = '3.8'
FILES = {"limits.py": "def ceiling():\n    return 10\n",
         "mod.py": "import limits\nqueue = []\nassert not queue and limits.ceiling() == 10\ndef top():\n    return limits.ceiling()\n"}
IMPORT = ["limits", "mod"]
STEPS = [[("sub", "limits.py", "10", "20")]]


def setup(ns):
    ns.mod.queue.append("work")
    ns.queue = ns.mod.queue


def check(ns):
    assert ns.mod.top() == 20
    assert ns.mod.queue is ns.queue and ns.queue == ["work"]
