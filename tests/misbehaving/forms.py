"""The form of a target that misbehaves: a module with a function ``f`` of three numbers, to be named ``NAME:f``.

The function itself is the same in all, so that one which runs to its end must be counted exactly as `GOOD` is.
"""

from __future__ import annotations

from typing import NamedTuple


class Misbehaving(NamedTuple):
    """A target that misbehaves.

    Args:
        name: of its module.
        source: of its module.
        code: what a command that runs it exits with: 0 where it is to be counted as if nothing were, else 4, or 2 where it
            is no target.
        says: what the line of its error must hold beside its name.
        loops: whether it never ends by itself, so that ``code`` is what it comes to where a limit ends it or a person does.
        heavy: whether it takes much time, output or memory.
        leaks: what a state comparison must name where it leaves the process changed, as ``x64`` or ``folder``.
        timed: what ``time`` exits with, where that is not ``code``.
        alters: whether what it sets is its own way to be counted, so that its program is another than that of `GOOD`.
        checked: what a check or an update makes of it, where that is not ``code``: it runs below other processes there.
    """

    name: str
    source: str
    code: int
    says: str = ""
    loops: bool = False
    heavy: bool = False
    leaks: str = ""
    timed: int | None = None
    alters: bool = False
    checked: int | None = None


BODY = """
import jax

f_args = (jax.ShapeDtypeStruct((3,), "float32"),)

def f(x):
    {trace}
    return (x * x).sum()
"""
GOOD = BODY.format(trace="pass")
FAILED, USAGE, LIMIT = 4, 2, 5


def at_import(name: str, code: str, exit: int = 0, says: str = "", **more: object) -> Misbehaving:
    """One that does something when it is imported."""
    return Misbehaving(name, f"{code.strip()}\n{GOOD}", exit, says, **more)  # type: ignore[arg-type]


def at_trace(name: str, code: str, exit: int = 0, says: str = "", **more: object) -> Misbehaving:
    """One that does something when it is traced."""
    lines = "\n    ".join(code.strip().splitlines())
    return Misbehaving(name, BODY.format(trace=lines), exit, says, **more)  # type: ignore[arg-type]
