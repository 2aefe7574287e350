"""The state that must survive."""


class Visits:
    def __init__(self):
        self.total = 0

    def count(self):
        self.total += 1

    def line(self):
        return f"{self.total} visits"
