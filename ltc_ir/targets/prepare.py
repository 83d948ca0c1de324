"""From what a caller names to programs that can pass the stages: find the target, configure JAX, stage each program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from ltc_ir.errors import TargetError, UsageError
from ltc_ir.ir.origin import Ownership
from ltc_ir.records.request import Options
from ltc_ir.targets.derive import make_program, program_names
from ltc_ir.targets.find import find
from ltc_ir.targets.stages import Staged
from ltc_ir.targets.target import Target

Inspectable = str | Target | Callable[..., Any]


def resolve(target: Inspectable, args: tuple[Any, ...] | None = None, options: Options | None = None) -> Target:
    """The Target meant by a name, a Target or a function with its arguments.

    Raises:
        UsageError: no such target, or not something that can be one.
    """
    if isinstance(target, Target):
        return target
    if isinstance(target, str):
        return find(target, options)
    if not callable(target):
        raise UsageError(f"{type(target).__name__} is not a target", "give a function, a Target or a name")
    if args is not None and not isinstance(args, tuple | list):
        raise UsageError(f"args is of type {type(args).__name__}, not a tuple", "write args=(x,)")
    return Target(target, tuple(args or ()), name=getattr(target, "__name__", type(target).__name__))


def refuse_options(fn: Any, options: Options | None) -> None:
    """Refuse options of a function or a Target: they change a target found by name only."""
    if options is None or not (callable(fn) or hasattr(fn, "fn")):
        return
    what = "a function" if callable(fn) else "a Target"
    raise UsageError(
        f"options are given beside {what}, and are those of a target found by name",
        'build a Target in their place, as in ltc_ir.Target(f, (x,), loss="sum")',
    )


def stage(target: Target, program: str, platform: str | None = None, *, clear: bool = True) -> Staged:
    """A program of a target, ready to pass the stages; from cleared caches unless ``clear`` is false."""
    label = f"{target.name or 'target'} {program}"
    return Staged(make_program(target, program), label, platform or target.platform, clear)


class Attempts:
    """The programs of a target to make, one after the other, and those that could not be made.

    Args:
        target: the target.
        programs: the programs asked for; all that the target has where ``None``.
        needed: programs that are needed though they were not asked for.
    """

    def __init__(self, target: Target, programs: Collection[str] | None, needed: Collection[str] = ()) -> None:
        self.names = tuple(programs or program_names(target))
        self.required = frozenset(programs or {"forward", *needed})
        self.unavailable: dict[str, str] = {}
        """The programs left out, each with its reason."""

    @contextmanager
    def making(self, program: str) -> Iterator[None]:
        """Make one program; one that fails and is not required is left out."""
        try:
            yield
        except (UsageError, TargetError) as error:
            if program in self.required:
                raise
            self.unavailable[program] = error.message


def ownership_of(target: Target) -> Ownership:
    """Whose files are whose, the target's own top-level package counted as the user's."""
    module = _home(target.fn)
    return Ownership({module.split(".")[0]} if module else ())


def _home(fn: Callable[..., Any]) -> str:
    """The module a function was written in; of a method, that of its object's class: a library's class may define it."""
    owner = getattr(fn, "__self__", None)
    written = fn if owner is None else owner if isinstance(owner, type) else type(owner)
    return getattr(written, "__module__", None) or ""


@contextmanager
def configured(x64: bool | None) -> Iterator[None]:
    """JAX with 64-bit types on or off for a while."""
    if x64 is None:
        yield
        return
    import jax

    config: Any = jax.config
    before = bool(config.jax_enable_x64)
    config.update("jax_enable_x64", x64)
    try:
        yield
    finally:
        config.update("jax_enable_x64", before)
