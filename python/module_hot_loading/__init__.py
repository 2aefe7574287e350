"""The module-hot-loading API under its own name: `from module_hot_loading import monitor_dir`."""

from hotswap import monitor_dir

__all__ = ["monitor_dir"]
