"""Foreign text made fit to print, cut or wrapped to a width, and numbers as people read them."""

from __future__ import annotations

import textwrap

from ltc_ir.escape import escape, escape_message, inert_lines

WIDTH = 108
"""Columns a line of a message takes at most, except commands and paths, which are there to be copied."""


def cut(text: str, width: int) -> str:
    """At most ``width`` characters: longer text loses its middle, because names differ at their ends."""
    text = escape(text if len(text) <= 2 * width else f"{text[:width]}{text[len(text) - width :]}")
    if len(text) <= width:
        return text
    front = (width - 1) // 3
    return f"{text[:front]}…{text[len(text) - (width - 1 - front) :]}"


def wrapped(text: str, first: str, then: str, most: int = 4) -> list[str]:
    """A sentence over at most ``most`` lines, the first starting with ``first``; longer text ends in ``…``."""
    lines = textwrap.wrap(
        escape_message(text), WIDTH, initial_indent=first, subsequent_indent=then, max_lines=most, placeholder=" …"
    )
    return [inert_lines(line) for line in lines] or [first.rstrip()]


def figure(value: float | None) -> str:
    """A number with thousands separated; ``?`` if it is unknown."""
    if value is None:
        return "?"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.1f}"


def signed(value: float | None) -> str:
    """A change with its sign and thousands separated; ``±0`` for none, ``?`` if it is unknown."""
    if value is None:
        return "?"
    if not value:
        return "±0"
    return f"{int(value):+,}" if float(value).is_integer() else f"{value:+,.1f}"


def ratio(before: float | None, after: float | None) -> str:
    """``3.44x``; empty if there is nothing to divide by, or no difference to see."""
    if not before or after is None:
        return ""
    shown = f"{after / before:.2f}x"
    return "" if shown == "1.00x" else shown
