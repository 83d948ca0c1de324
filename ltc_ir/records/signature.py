"""The record of what a program takes and returns, and of the types of operations whose width matters; and of its changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ltc_ir.records.shape import Natural, Number, Shape

ATTRIBUTION = 2
"""The version of attribution: how phases and functions are told. Facts of another version differ in these alone."""
FIRST_ATTRIBUTION = 1
"""The version of records that name none."""

LOOPS = frozenset({"scan", "while"})
PRODUCTS = frozenset({"dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general"})
COLLECTIVE_EQUATIONS = frozenset({
    "all_gather", "all_gather_invariant", "all_to_all", "pbroadcast", "pmax", "pmin", "ppermute", "psum", "psum2",
    "psum_invariant", "psum_scatter", "ragged_all_to_all", "reduce_scatter",
})  # fmt: skip
CONSTRAINT = "sharding_constraint"
TYPED = LOOPS | PRODUCTS | COLLECTIVE_EQUATIONS | {CONSTRAINT}
"""The equations whose width matters, and constraints of sharding."""

_VALUE = re.compile(
    r"(?P<weak>weak )?(?P<type>\S+)(?P<donated> donated)?(?: for result (?P<aliases>\d+))?(?: sharded (?P<sharding>.+))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Value:
    """An argument or a result: one leaf of the trees that a function takes and returns.

    ``name`` is the path of the leaf: ``params.w`` of an argument, ``0.w`` of a result. ``type`` is in short
    (``f32[8,128]``). ``donated`` says whether the lowered program may reuse the memory of an argument, ``aliases`` for which
    result; ``sharding`` is how it is spread over a mesh, without device ids, and empty where that is left to XLA. Both are
    ``None`` where the program was not lowered.
    """

    name: str
    type: str
    weak: bool = False
    donated: bool | None = None
    aliases: Natural | None = None
    sharding: str | None = None
    SHAPE: ClassVar = Shape(optional=("weak", "donated", "aliases", "sharding"))

    @property
    def text(self) -> str:
        """The value on one line, as a snapshot holds it: ``f32[8,128] donated for result 0 sharded (d, -) over d=4``."""
        parts = ["weak " if self.weak else "", self.type, " donated" if self.donated else ""]
        if self.aliases is not None:
            parts.append(f" for result {self.aliases}")
        return "".join(parts) + (f" sharded {self.sharding}" if self.sharding else "")

    @staticmethod
    def parse(name: str, text: str) -> Value:
        """The value of a line, the inverse of `text`, of a program that was lowered.

        Raises:
            ValueError: the text is not a value's.
        """
        match = _VALUE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not the type of an argument or result")
        aliases = match["aliases"]
        return Value(
            name=name,
            type=match["type"],
            weak=match["weak"] is not None,
            donated=match["donated"] is not None,
            aliases=None if aliases is None else int(aliases),
            sharding=match["sharding"] or "",
        )


@dataclass(frozen=True)
class TypedOperation:
    """Operations whose width matters: how many of one name, function and types.

    The kinds are loops with their carries, products, convolutions and collectives, and constraints of sharding. ``types`` is
    ``bf16,bf16->f32``, of a loop ``f32 x3, i32``, of a constraint its sharding. ``sources`` are lines, largest first, at most
    three; a snapshot does not keep them.
    """

    name: str
    types: str
    function: str
    count: Natural
    sources: tuple[str, ...] = ()
    SHAPE: ClassVar = Shape(optional=("sources",))


@dataclass(frozen=True)
class Signature:
    """What a program takes and returns.

    ``arguments`` and ``results`` are in their order. ``statics`` are the values of static arguments, ``options`` what else a
    target declares: the loss and what the gradient is taken with respect to.
    """

    arguments: tuple[Value, ...] = ()
    results: tuple[Value, ...] = ()
    statics: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[TypedOperation, ...] = ()

    @property
    def stored(self) -> Signature:
        """The signature as a snapshot keeps it: without source lines."""
        return replace(self, operations=tuple(replace(one, sources=()) for one in self.operations))

    SHAPE: ClassVar = Shape(optional=("statics", "options"))


@dataclass(frozen=True)
class SignatureChange:
    """One change of a signature, in words.

    ``metric`` is ``donated.bytes`` (of one argument) or ``types`` (bits of one element, where it became wider), else
    ``argument``, ``result``, ``static`` or ``operation``. ``grown`` says whether it counts as growth.
    """

    metric: str
    level: str
    words: str
    baseline: Number | None = None
    current: Number | None = None
    grown: bool = False
    function: str | None = None
    sources: tuple[str, ...] = ()
