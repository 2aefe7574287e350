"""Plugins for frameworks, one module each, loaded when the framework is; see `hotswap._plugins`."""
