"""Tests of training that need torch are collected only where it is installed (make test-torch)."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("torch") else ["test_export.py", "test_train.py"]
