"""The formats of a diff by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DIFF_FORMATS: dict[str, Callable[..., Any]] = {}
