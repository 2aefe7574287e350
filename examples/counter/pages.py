"""What the visitors read."""

from words import GREETING


def page(visits):
    return f"{GREETING}, visitor {visits.total}!\n"
