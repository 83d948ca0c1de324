"""Reads the optimised HLO of a marked program: an instruction has the origin of the equation that its name refers to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ltc_ir.ir.hlo.merged import Merges
from ltc_ir.ir.hlo.module import Computation, HloModule, Instruction
from ltc_ir.ir.hlo.reader import Reader, borrows_name
from ltc_ir.ir.marks import Marks, Path
from ltc_ir.ir.op import Details, Origin, Stream, callers_first, paused_collector
from ltc_ir.ir.origin import Evidence, Ownership
from ltc_ir.records.vocabulary import By, Part, Phase

UNKNOWN = Origin(complete=False)
"""The origin of what no equation is known of."""


def agreed(origins: Iterable[Origin]) -> Origin:
    """What origins have in common: the phase, the line and the scope, each where all agree on it."""
    distinct = list(dict.fromkeys(origins))
    if not distinct:
        return UNKNOWN
    first, others = distinct[0], distinct[1:]
    same_phase = all(other.phase is first.phase for other in others)
    same_source = all(other.source == first.source for other in others)
    return Origin(
        flags=first.flags if same_phase else 0,
        complete=same_phase and first.complete,
        marked=same_phase and first.marked,
        transforms=first.transforms if all(other.transforms == first.transforms for other in others) else (),
        scope=first.scope if all(other.scope == first.scope for other in others) else "",
        source=first.source if same_source else None,
        stack=first.stack if all(other.stack == first.stack for other in others) else (),
    )


class Attribution:
    """The origins of a module's instructions, by the names of their computation and of themselves.

    An instruction without a mark that names an equation has the origin on which all marked instructions of its computation
    and what runs the computation agree.

    Args:
        module: the module of a marked program.
        marks: what the marks mean.
        doubtful: what is known of the paths that stand for several calls of a function (JAX 0.6.x).
        merges: which equations were merged into one instruction.
        pure: whether all equations are primal.

    ``paths`` are the paths of instructions as their names spell them.
    """

    def __init__(
        self,
        module: HloModule,
        marks: Marks,
        doubtful: Mapping[Path, Origin] | None = None,
        merges: Merges | None = None,
        *,
        pure: bool = False,
    ) -> None:
        self.module = module
        self.marks = marks
        self.doubtful = doubtful or {}
        self.merges = merges
        self.default = Origin() if pure else UNKNOWN
        self.origins: dict[tuple[str, str], Origin] = {}
        self.paths: dict[tuple[str, str], Path] = {}
        self._by_path: dict[Path, Origin | None] = {}
        self._attribute()

    def of_path(self, path: Path) -> Origin | None:
        """The origin of the equation that a path leads to; ``None`` where it names none."""
        if path not in self._by_path:
            self._by_path[path] = self.doubtful.get(path) or self.marks.origin(path)
        return self._by_path[path]

    def merged_into(self, computation: str, instruction: Instruction) -> Collection[Path]:
        """The paths of the equations that an instruction computes besides the one that it names."""
        path = self.paths.get((computation, instruction.name))
        if path is None:
            return ()
        joined = {other for other in self.marks.paths(instruction.op_name) if other and other != path}
        return joined.union(() if self.merges is None else self.merges.into(path, instruction.opcode))

    def _attribute(self) -> None:
        computations = {computation.name: computation for computation in self.module.computations}
        own = {name: self._own_origins(computation) for name, computation in computations.items()}
        telling = {name: _telling(computations[name], origins) for name, origins in own.items()}
        calls = {name: _called(computation, computations) for name, computation in computations.items()}
        callers: dict[str, list[tuple[str, str]]] = {name: [] for name in computations}
        order = callers_first({name: {callee for _, callee in pairs} for name, pairs in calls.items()})
        for name in [*order, *(computations.keys() - set(order))]:
            computation = computations[name]
            outer = [self.origins[caller] for caller in callers[name]]
            inherited = self.default if computation.is_entry else agreed([*outer, *telling[name]])
            for instruction in computation.instructions:
                origin = own[name].get(instruction.name)
                if instruction.opcode == "fusion":
                    fused = [one for _, callee in instruction.called for one in telling.get(callee, ())]
                    origin = _of_fusion(origin, fused)
                self.origins[name, instruction.name] = origin or inherited
            for caller, callee in calls[name]:
                callers[callee].append((name, caller))

    def _own_origins(self, computation: Computation) -> dict[str, Origin]:
        """The origins of the instructions of a computation that name equations."""
        own: dict[str, Origin] = {}
        for instruction in computation.instructions:
            path = () if borrows_name(instruction) else self.marks.path(instruction.op_name)
            origin = self.of_path(path) if path else None
            if origin is not None:
                self.paths[computation.name, instruction.name] = path
                others = [self.of_path(other) or UNKNOWN for other in self.merged_into(computation.name, instruction)]
                own[instruction.name] = merged(origin, *others)
        return own


def _telling(computation: Computation, own: Mapping[str, Origin]) -> list[Origin]:
    """The origins that tell what a computation is part of: not those of constants, which XLA shares, where there are others."""
    constants: set[str] = set()
    for instruction in computation.instructions:
        constant_operands = bool(instruction.operands) and constants.issuperset(instruction.operands)
        if instruction.opcode == "constant" or (instruction.opcode in _OF_CONSTANTS and constant_operands):
            constants.add(instruction.name)
    return [origin for name, origin in own.items() if name not in constants] or list(own.values())


_OF_CONSTANTS = frozenset({"broadcast", "bitcast", "convert", "copy", "reshape", "tuple"})
"""Opcodes that make a constant of a constant."""


def merged(*origins: Origin) -> Origin:
    """The origin of what several equations were merged into: of phase ``mixed``, with its parts, where their phases differ."""
    if len(origins) == 1:
        return origins[0]
    phases = {phase for origin in origins for phase in origin.parts or (Part(origin.phase.value),)}
    common = agreed(origins)
    if len(phases) == 1:
        return common
    return common._replace(parts=tuple(sorted(phases, key=lambda part: list(Phase).index(Phase(part.phase)))))


def _of_fusion(origin: Origin | None, fused: Collection[Origin]) -> Origin | None:
    """The origin of a fusion: the line of the equation that it names, the phases of all that it fuses."""
    if not fused:
        return origin
    whole = merged(*dict.fromkeys([*([] if origin is None else [origin]), *fused]))
    if origin is None:
        return whole
    return whole.at(origin.source, origin.stack, "")


def _called(computation: Computation, computations: Collection[str]) -> list[tuple[str, str]]:
    """The instructions of a computation that run others, each with the name of one; a damaged text may name undefined ones."""
    return [
        (instruction.name, callee)
        for instruction in computation.instructions
        for _, callee in instruction.called
        if callee in computations
    ]


@dataclass
class MarkedReader(Reader):
    """The state of one reading by an attribution."""

    attribution: Attribution = field(kw_only=True)

    def place(self, computation: Computation, instruction: Instruction) -> Origin:
        """What tells instructions of one name apart: their origin."""
        return self.attribution.origins[computation.name, instruction.name]

    def origin(self, computation: Computation, instruction: Instruction, region: str) -> Origin:
        """The origin of an instruction."""
        origin = self.attribution.origins[computation.name, instruction.name]
        return origin.at(origin.source, origin.stack, region)


def read(attribution: Attribution, wants: Collection[By] = (), *, details: Details = Details.NONE) -> Stream:
    """The stream of a marked program's optimised HLO.

    Args:
        attribution: the parsed module with the origins of its instructions.
        wants: the requested groupings, as the jaxpr was read with them.
        details: how much of each operation's types and attributes to keep.
    """
    module, named = attribution.module, (Ownership(), Evidence())
    with paused_collector():
        return MarkedReader(module, frozenset(wants), *named, False, details, attribution=attribution).read()
