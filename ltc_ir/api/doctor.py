"""Looks at an installation: versions, devices, and which private names of JAX were found."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from ltc_ir import compat
from ltc_ir.records.vocabulary import Level


def examine() -> list[dict[str, str]]:
    """A row per fact: what it is, what was found, and what follows where something is missing."""
    from ltc_ir.errors import NOTES

    rows = [_row("ltc-ir", _version("ltc-ir")), _row("python", f"{platform.python_version()} on {platform.platform()}")]
    rows += [
        _row(name, _version(name)) for name in ("jax", "jaxlib", "rich", "typer", "networkx", "pandas", "matplotlib")
    ]
    rows += [_tried(), *_devices(), *_private(), _attribution(), *_abilities()]
    NOTES.clear()  # a row has them
    return rows


def _row(what: str, value: str, note: str = "") -> dict[str, str]:
    return {"what": what, "found": value, "note": note}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _tried() -> dict[str, str]:
    version = compat.version()
    if version < compat.OLDEST:
        return _row("JAX version", "too old", f"the oldest supported is {'.'.join(map(str, compat.OLDEST))}")
    if version[:2] > compat.NEWEST_TRIED:
        return _row("JAX version", "newer than any tried", "works as far as the names below are found")
    return _row("JAX version", "supported")


def _devices() -> list[dict[str, str]]:
    import jax

    from ltc_ir.targets.stages import platform_here

    try:
        value = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
        return [_row("devices", value, f"optimised HLO for {platform_here()}")]
    except RuntimeError as error:
        return [_row("devices", "none", str(error).splitlines()[0])]


def _private() -> list[dict[str, str]]:
    missing = compat.missing()
    if not missing:
        return [_row("private names of JAX", "all found")]
    return [_row("private name of JAX", "missing", line) for line in missing]


def _abilities() -> list[dict[str, str]]:
    rows = []
    for level in ("jaxpr", "stablehlo", "hlo"):
        try:
            _count_something(level)
            rows.append(_row(f"count at {level}", "works"))
        except Exception as error:
            rows.append(_row(f"count at {level}", "fails", f"{type(error).__name__}: {str(error).splitlines()[0]}"))
    return rows


def _attribution() -> dict[str, str]:
    """How a small program's operations get their phases and lines below the jaxpr."""
    from ltc_ir.ir.origin import Ownership
    from ltc_ir.records.request import Request
    from ltc_ir.tables.inspected import inspect

    try:
        program = inspect(_staged_sample(), Request(levels=(Level.STABLEHLO,)), Ownership()).lowered()
    except Exception as error:
        return _row("attribution", "fails", f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return (
        _row("attribution", "by marks")
        if program.by_names is None
        else _row("attribution", "by names", program.by_names)
    )


def _count_something(level: str) -> Any:
    from ltc_ir.ir.origin import Ownership
    from ltc_ir.records.request import Request
    from ltc_ir.tables.live import count_program

    return count_program(_staged_sample(), Request(levels=(Level(level),)), Ownership())


def _staged_sample() -> Any:
    from ltc_ir.targets.parse_shapes import shape_struct
    from ltc_ir.targets.stages import Staged
    from ltc_ir.targets.target import Program

    return Staged(Program(_sample, (shape_struct((2,), "f32"),)), "a sample")


def _sample(x: Any) -> Any:
    return (x * x).sum()
