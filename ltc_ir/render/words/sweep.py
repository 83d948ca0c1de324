"""The growth of a figure in words, the same in tables and in pictures."""

from __future__ import annotations

from ltc_ir.records.sweep import Growth

NOTHING = "-"
"""What stands for a growth that could not be told; its reason says why."""


def grows_as(growth: Growth) -> str:
    """The growth in one word: ``n^2.00``, ``constant``; that no growth was seen, or that none could be told."""
    if growth.exponent is None:
        return NOTHING
    if growth.form == "constant":
        return "constant"
    if growth.low is not None and growth.high is not None and growth.low <= 0 <= growth.high:
        return "no growth seen"
    return "grows" if _open(growth) else f"n^{growth.exponent:.2f}"


def _open(growth: Growth) -> bool:
    """Whether it grows and the points leave the exponent open: a fixed part hides it, or no power is as steep."""
    return growth.form == "offset" and growth.low is None and growth.high is None


def between(growth: Growth) -> str:
    """The interval of the exponent; an end that the points leave open is said so."""
    if growth.exponent is None or grows_as(growth) in {"constant", "no growth seen"}:
        return ""  # the slope's interval of what does not grow is none of the exponent beside a fixed part
    if growth.low is None and growth.high is None:
        return "open" if _open(growth) else "too few sizes"
    if growth.high is None:
        return f"{growth.low:.2f} or more"
    if growth.low is None:
        return f"{growth.high:.2f} or less"
    return f"{growth.low:.2f} to {growth.high:.2f}"
