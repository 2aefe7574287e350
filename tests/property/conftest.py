"""The modules beside the tests are imported by name: a cold start runs one of them by itself."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
