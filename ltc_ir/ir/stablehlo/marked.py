"""Reads the module of a marked program: an operation has the origin of the equation that its name refers to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltc_ir.compat.mlir import LocationReader
from ltc_ir.ir.marks import Marks, Path
from ltc_ir.ir.op import NOWHERE, Detail, Details, Op, Origin, Stream, paused_collector
from ltc_ir.ir.origin import Evidence, Ownership
from ltc_ir.ir.stablehlo.reader import BARE, Named, Place, Reader
from ltc_ir.records.vocabulary import By

_TOP = frozenset({"main", "module"})
"""The bodies that run of themselves: what has no mark in them is made for no equation."""


@dataclass
class MarkedReader(Reader):
    """The state of one reading; the elements of a name are the marks in it.

    An operation without a mark takes the origin of the operation that holds it, and in a function that of the caller. In the
    program itself it has none, unless nothing was differentiated: ``pure``.
    """

    marks: Marks = field(kw_only=True)
    pure: bool = False

    def named(self, location: Any) -> Named:
        """Read one location."""
        name, _ = self.locations_of.name_of(location)
        return Named(name, self.marks.path(name))

    def whole(self, named: Named, place: Place) -> Path:
        """The path of a name as seen from the function that contains the operation.

        Names begin again in the body of a ``shard_map``, and on JAX 0.6.x in what a scatter applies.
        """
        return self.marks.below(place.holder_name, named.elements)

    def holder_name(self, code: int) -> Path:
        """The path that operations in the regions of an operation take where they have none."""
        return self.elements[code]

    def origin(self, name: str, elements: Path, named: Named, place: Place) -> Origin:  # noqa: ARG002 - as its base has it
        """The origin of an operation from its path."""
        if name in BARE:
            return Origin(marked=False, region=place.region)
        outer = Origin(complete=self.pure or place.body.name not in _TOP)
        origin = self.marks.relative_origin(elements) if elements else outer
        return origin.at(origin.source, origin.stack, place.region)

    def relate_functions(self) -> None:
        """Cut the path of the first caller where a function's paths begin in the program itself (JAX 0.6.x).

        Of a function without a caller nothing is known: an attribute names it, such as a kernel's.
        """
        calls: dict[int, set[Path]] = {}
        for body in self.stream.bodies:
            for edge in body.edges:
                calls.setdefault(edge.child, set()).add(self.elements[edge.code])
        for index, body in enumerate(self.stream.bodies):
            if body.name in _TOP:
                continue
            own = {code: self.elements[code] for code in set(body.codes) if self.stream.ops[code].name not in BARE}
            if index not in calls:
                self._relate(own, None)
            elif any(map(self.marks.is_absolute, own.values())):
                first = [call for call in calls[index] if _begins(call, own.values())]
                self._relate(own, max(first, key=len, default=None))

    def is_marked(self) -> bool:
        """Whether any operation names an equation."""
        return any(self.elements)

    def _relate(self, own: Mapping[int, Path], first: Path | None) -> None:
        """Cut the first caller's path from a function's paths; where no caller is known, neither are they."""
        unknown = Origin(complete=self.pure)
        for code, path in own.items():
            op = self.stream.ops[code]
            if path or first is None:
                self.elements[code] = () if first is None else path[len(first) :]
                origin = unknown if first is None else self.marks.relative_origin(path[len(first) :])
                self.stream.ops[code] = op._replace(origin=origin.at(origin.source, origin.stack, op.origin.region))


def _begins(call: Path, paths: Collection[Path]) -> bool:
    """Whether a call's path begins all paths that there are."""
    return bool(call) and all(path[: len(call)] == call for path in paths if path)


def drops_marks(module: Any, marks: Marks) -> bool:
    """Whether operations of a lowered module have the names of equations, and none of these names has a mark."""
    name_of, named, pending = LocationReader().name_of, False, [_operations_in(module.operation)]
    while pending:
        operation = next(pending[-1], None)
        if operation is None:
            pending.pop()
            continue
        name, _ = name_of(operation.location)
        if marks.path(name):
            return False
        named = named or "/" in (name or "")
        pending.append(_operations_in(operation))
    return named


def _operations_in(operation: Any) -> Iterator[Any]:
    return (view.operation for region in operation.regions for block in region.blocks for view in block.operations)


def read(
    module: Any,
    marks: Marks,
    wants: Collection[By] = (),
    *,
    pure: bool = False,
    details: Details = Details.NONE,
) -> Stream | None:
    """The stream of a marked program's module; ``None`` where no operation has a mark.

    Args:
        module: a ``jaxlib.mlir.ir.Module``.
        marks: what the marks in its names mean.
        wants: the requested groupings, as the jaxpr was read with them.
        pure: whether all equations are primal: then so is what has no mark.
        details: how much of each operation's types and attributes to keep.
    """
    reader = MarkedReader(frozenset(wants), Ownership(), Evidence(), False, details, marks=marks, pure=pure)
    with paused_collector():
        stream = reader.read_module(module)
    return stream if reader.is_marked() else None


@dataclass
class PathReader(MarkedReader):
    """The state of a reading of paths alone, in half the time: operations have no origin."""

    paths: dict[Any, tuple[str | None, Path]] = field(default_factory=dict)
    ops: dict[str, Op] = field(default_factory=dict)

    def code(self, operation: Any, location: Any, place: Place, detail: Detail | None = None) -> int:  # noqa: ARG002 - as its base has it
        """The code of an operation met for the first time at this location, in such a place."""
        read = self.paths.get(location)
        if read is None:
            name, _ = self.locations_of.name_of(operation.location)
            read = self.paths[location] = (name, self.marks.path(name))
        op = self.ops.get(operation.name)
        if op is None:
            op = self.ops[operation.name] = Op(operation.name, NOWHERE)
        self.names.append(read[0])
        self.elements.append(self.marks.below(place.holder_name, read[1]))
        return self.stream.add_op(op)


def read_paths(module: Any, marks: Marks) -> Stream | None:
    """The stream of a marked program's module without origins: ``facts["paths"]`` are the paths of its codes.

    ``None`` where no operation has a mark.
    """
    reader = PathReader(frozenset(), Ownership(), Evidence(), False, marks=marks)
    with paused_collector():
        stream = reader.read_module(module)
    stream.facts["paths"] = reader.elements
    return stream if reader.is_marked() else None
