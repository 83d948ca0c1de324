"""Prints a jaxpr: JAX writes names into its text as they are, so that one may hold what a terminal or a CI obeys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ltc_ir import compat
from ltc_ir.escape import escape, escape_lines
from ltc_ir.ir.jaxpr.nesting import Nesting


def print_jaxpr(program: Any, debug_info: bool = False) -> str:
    """The text of a closed jaxpr as JAX prints it, names escaped, with sources and scopes where ``debug_info``."""
    text: str = program.pretty_print(source_info=debug_info, name_stack=debug_info, use_color=False)
    hostile = {raw for raw in _printed_names(program, debug_info) if raw != escape(raw)}
    for raw in sorted(hostile, key=len, reverse=True):
        text = text.replace(raw, escape(raw))
    return escape_lines(text)


def _printed_names(program: Any, debug_info: bool) -> Iterator[str]:
    """The names in a text: strings among parameters with their keys, names of functions, and scopes if printed."""
    for body in Nesting(program, compat.jaxpr_types(program)).bodies:
        for eqn in body.eqns:
            for key, value in eqn.params.items():
                if isinstance(value, str):
                    yield f"{key}={value}"
                elif callable(value):
                    yield from _names_of(value)
            if debug_info:
                yield f"[{eqn.source_info.name_stack}]"
                yield from _places_of(eqn)


def _names_of(function: Any) -> Iterator[str]:
    """What the representation of a function may contain."""
    while function is not None:
        for attribute in ("__qualname__", "__name__"):
            name = getattr(function, attribute, None)
            if isinstance(name, str) and name.strip():
                yield name
        function = getattr(function, "func", None) or getattr(function, "__wrapped__", None)


def _places_of(eqn: Any) -> Iterator[str]:
    """The files and functions of an equation's traceback."""
    if eqn.source_info.traceback is not None:
        for code, _ in compat.raw_frames(eqn.source_info.traceback):
            yield code.co_filename
            yield code.co_name
