"""The vocabulary of the stream: what a reader yields (Op, Origin, Region) and how bodies hang together.

The small values are named tuples, not dataclasses: a program whose every operation has its own line makes one of each per
operation, and a frozen dataclass takes three times as long to make and to hash.
"""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import product
from typing import Any, NamedTuple, TypeVar

from ltc_ir.ir.cells import cell_place, is_cell, outermost_function
from ltc_ir.records.vocabulary import By, Part, Phase

Key = TypeVar("Key", bound=Hashable)
JVP, TRANSPOSE, REMAT = 1, 2, 4
"""Bits of `Origin.flags`: the transforms that decide a phase, wherever in the stack they are."""
UNKNOWN = 8
"""A bit beside those, in corrections of flags: transforms may be missing."""
FLAG_OF = {"jvp": JVP, "linearize": JVP, "transpose": TRANSPOSE}
"""The bit of each transform, by its name in a name stack."""
REMAT_SCOPE = "rematted_computation"
"""The scope that JAX puts around what it runs again."""


NEEDS_FRAMES = frozenset({By.SOURCE, By.FUNCTION, By.STACK})
"""The groupings that need frames resolved."""


class Frame(NamedTuple):
    """One Python frame, e.g. ``Frame("models/ltc.py", 57, "rhs", "user")``.

    ``owner`` is ``user``, ``library``, ``jax``, ``tool`` or ``ir``; ``file`` is project-relative where it lies in the project.
    """

    file: str
    line: int
    function: str
    owner: str = "user"

    @property
    def place(self) -> str:
        """``file:line``, as tables print it; of a notebook's cell ``cell 3 (function):line``."""
        if is_cell(self.file):
            return cell_place(self.file, outermost_function(self.function), self.line)
        return f"{self.file}:{self.line}"


class Origin(NamedTuple):
    """Where an operation comes from, relative to its body until it is composed with the origins of its callers.

    E.g. ``Origin(flags=JVP, scope="layer1", source=Frame("ltc.py", 57, "rhs"))``: the forward part of a gradient, inside
    ``jax.named_scope("layer1")``. Fields that were not requested stay empty.

    ``complete`` is false where transforms may be missing in the text: then only a transpose proves a phase.
    ``marked`` is false where the operation itself has no name: it takes the phase of its caller or has none.
    ``parts`` are those of an operation that was merged from several phases, a part for each phase.
    """

    flags: int = 0
    complete: bool = True
    marked: bool = True
    transforms: tuple[str, ...] = ()
    scope: str = ""
    source: Frame | None = None
    stack: tuple[Frame, ...] = ()
    region: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def phase(self) -> Phase:
        """The phase by the transforms: any transpose is backward, else any jvp forward, else primal if that is proved."""
        if self.parts:
            return Phase.MIXED
        return _PHASES[self.flags, self.complete, self.marked]

    def at(self, source: Frame | None, stack: tuple[Frame, ...], region: str) -> Origin:
        """The origin with another place; quicker than ``_replace``, for a reader makes one per operation."""
        return Origin(
            self.flags, self.complete, self.marked, self.transforms, self.scope, source, stack, region, self.parts
        )

    def within(self, outer: Origin) -> Origin:
        """The origin as seen from outside the body: missing parts are taken from the operation that contains it."""
        if outer is NOWHERE:
            return self
        source = self.source
        if outer.source is not None and (source is None or source.owner != "user"):
            source = outer.source if source is None or outer.source.owner == "user" else source
        return Origin(
            flags=self.flags | outer.flags,
            complete=self.complete and outer.complete,
            marked=self.marked,
            transforms=outer.transforms + self.transforms,
            scope=f"{outer.scope}/{self.scope}" if outer.scope and self.scope else outer.scope or self.scope,
            source=source,
            stack=joined(outer.stack, self.stack),
            region=outer.region + self.region if self.region.startswith("/") or not self.region else self.region,
            parts=self.parts,
        )


def joined(outer: tuple[Frame, ...], inner: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The stack of a nested operation: ``inner`` below ``outer``, without the functions that both name.

    Where JAX keeps whole tracebacks (0.6.x) the inner one repeats the frames of the first caller; those give way to the
    frames of the caller at hand.
    """
    if not outer or not inner:
        return outer or inner
    common = 0
    for mine, theirs in zip(outer, inner, strict=False):
        if (mine.file, mine.function) != (theirs.file, theirs.function):
            break
        common += 1
    rest = inner[common:]
    return outer + rest[_repeated(outer, rest) if common else 0 :]


def _repeated(outer: tuple[Frame, ...], inner: tuple[Frame, ...]) -> int:
    """How many frames ``inner`` begins with that ``outer`` ends with, by the functions they are of."""
    theirs, ours = ([(frame.file, frame.function) for frame in frames] for frames in (outer, inner))
    return next((n for n in range(min(len(ours), len(theirs)), 0, -1) if theirs[-n:] == ours[:n]), 0)


def _phase(flags: int, complete: bool, marked: bool) -> Phase:
    if flags & TRANSPOSE:
        return Phase.RECOMPUTE if flags & REMAT else Phase.BACKWARD
    if not complete:
        return Phase.UNATTRIBUTED
    if flags & JVP:
        return Phase.FORWARD
    return Phase.PRIMAL if marked else Phase.UNATTRIBUTED


_PHASES = {key: _phase(*key) for key in product(range(8), (False, True), (False, True))}
"""Looked up, as every operation of a program is asked for its phase."""

NOWHERE = Origin()
"""The origin outside every call: composing with it changes nothing."""


class Detail(NamedTuple):
    """The types and attributes of an operation, e.g. ``Detail(("f32",), ("f32", "f32"))``: element types in short.

    ``operands``, ``attributes`` and ``bytes`` (of the results, on one device) are read only with `Details.ALL`.
    """

    results: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    bytes: int | None = None


class Details(IntEnum):
    """How much of `Detail` a reader reads."""

    NONE = 0
    WIDTHS = 1
    """The types of a jaxpr's operations whose width matters."""
    TYPES = 2
    ALL = 3


class Op(NamedTuple):
    """An equation, operation or instruction, e.g. ``Op("dot_general", Origin(flags=JVP))``. Equal ones are counted as one."""

    name: str
    origin: Origin
    detail: Detail | None = None


class Region(NamedTuple):
    """A body that repeats, e.g. ``Region("scan", 100, code)``: ``code`` is the operation that runs it in its own body.

    ``trip_count`` is ``None`` where the text does not fix it.
    """

    kind: str
    trip_count: int | None
    code: int


class Edge(NamedTuple):
    """One way from a body into another: the operation that runs it, and what the inner body's region is called.

    ``region`` replaces the outer path where it does not start with a slash (a named function starts a new path).
    """

    code: int
    child: int
    region: str = ""


@dataclass(slots=True)
class Body:
    """The operations of a jaxpr, a function or a computation. Read once, however often it is used."""

    name: str
    codes: array[int] = field(default_factory=lambda: array("I"))
    edges: Counter[Edge] = field(default_factory=Counter)
    regions: Counter[Region] = field(default_factory=Counter)
    depth: int = 0

    def tally(self) -> Counter[int]:
        """How often each code occurs in this body itself."""
        return Counter(self.codes)


@dataclass(slots=True)
class Stream:
    """The result of reading one level: bodies of integer codes, and the Op of each code.

    ``roots`` are the bodies that run of themselves; ``figures`` the numbers that the reader measured. A body's codes are in
    program order, so any consumer (a table, a graph, a fingerprint) reads the same operations.
    """

    ops: list[Op] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    codes: dict[Hashable, int] = field(default_factory=dict)
    figures: dict[str, int | float | None] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def add_op(self, op: Op) -> int:
        """A new code for a new operation."""
        self.ops.append(op)
        return len(self.ops) - 1

    def add_body(self, name: str) -> Body:
        """A new, empty body."""
        body = Body(name)
        self.bodies.append(body)
        return body


def callers_first(targets: Mapping[Key, Collection[Key]]) -> list[Key]:
    """All functions, each after all its callers; recursive ones, and those that only they call, are left out.

    Args:
        targets: the callees of each function, all of them among the keys; calls may nest arbitrarily deep.
    """
    incoming = Counter(callee for callees in targets.values() for callee in callees)
    ready = [caller for caller in targets if not incoming[caller]]
    order = []
    while ready:
        order.append(caller := ready.pop())
        for callee in targets[caller]:
            incoming[callee] -= 1
            if not incoming[callee]:
                ready.append(callee)
    return order


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pause Python's cyclic collector: it would walk the many values of a stream again and again while they are made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
