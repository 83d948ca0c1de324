"""The operation names each level knows, on any JAX: what tells a rule about an absent operation from a misspelt one."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files


@cache
def names(level: str) -> frozenset[str]:
    """The names a level knows, without dialect and with ``-`` as ``_``; none where there is no such level."""
    return frozenset(_all().get(level, ()))


@cache
def _all() -> dict[str, list[str]]:
    text = files("ltc_ir.rules").joinpath("vocabularies.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
