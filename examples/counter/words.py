"""The words, kept apart from the pages."""

GREETING = "Hello"
