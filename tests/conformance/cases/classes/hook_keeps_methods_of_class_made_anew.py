"""What `__init_subclass__` and a metaclass collect of a class made anew are the methods that live on."""
WEIGHT = 2
TAGS = ['classes']
PYTHON = '3.8'

FILES = {
    'base.py': '''\
def on(event):
    def mark(function):
        function.event = event
        return function
    return mark
class Meta(type):
    def __new__(meta, name, bases, body, **keywords):
        body["collected"] = [value for value in body.values() if hasattr(value, "event")]
        return super().__new__(meta, name, bases, body)
class Base(metaclass=Meta):
    def __init_subclass__(cls, **keywords):
        cls.handlers = {value.event: value for value in vars(cls).values() if hasattr(value, "event")}
        cls.statics = [value for value in vars(cls).values() if isinstance(value, staticmethod)]
''',
    'mod.py': '''\
from base import Base, on
class App(Base, mode="old"):
    @on("start")
    def start(self):
        return "started old"
    @on("stop")
    def stop(self):
        return "stopped"
    @staticmethod
    def name():
        return "old"
held = App.start
app = App()
''',
}

STEPS = [
    [
        ('write', 'mod.py', '''\
from base import Base, on
class App(Base, mode="new"):
    @on("start")
    def start(self):
        return "started new"
    @on("stop")
    def stop(self):
        return "stopped"
    @staticmethod
    def name():
        return "new"
held = App.start
app = App()
'''),
    ],
]


def check(ns):
    App, app = ns.mod.App, ns.mod.app
    assert app.start() == "started new" and ns.mod.held(app) == "started new"
    assert App.handlers == {"start": App.start, "stop": App.stop}, App.handlers
    assert App.collected == [App.start, App.stop], App.collected
    assert len(App.statics) == 1 and App.statics[0] is vars(App)["name"], App.statics
    assert App.name() == "new"
