"""Reads an HLO module's text as a stream: a body per computation, each instruction with the origin in its metadata."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field

from ltc_ir.ir.hlo.collectives import Collective, collectives_of, entries_by_kind
from ltc_ir.ir.hlo.details import of_instruction
from ltc_ir.ir.hlo.parser import Computation, HloModule, Instruction
from ltc_ir.ir.op import NEEDS_FRAMES, Body, Details, Frame, Op, Origin, Region, Stream, callers_first, paused_collector
from ltc_ir.ir.origin import Element, Evidence, Ownership, digest, is_call, parse_name
from ltc_ir.records.figures import of_collectives
from ltc_ir.records.vocabulary import By, Part

_LOOP_PLUMBING = frozenset(
    {
        "while",
        "tuple",
        "get-tuple-element",
        "parameter",
        "constant",
        "copy",
        "bitcast",
        "broadcast",
        "call",
        "conditional",
    }
)
"""The instructions that implement a loop: their name is that of the loop."""


@dataclass
class Reader:
    """The state of one reading of a module whose names tell origins."""

    module: HloModule
    wants: frozenset[By]
    ownership: Ownership
    evidence: Evidence
    library: bool
    details: Details = Details.NONE
    stream: Stream = field(default_factory=Stream)
    lossy: bool = False
    merged: dict[tuple[str, str], Collective] = field(default_factory=dict)

    def read(self) -> Stream:
        """Read every computation, the entry included."""
        depths, regions = _nesting(self.module)
        self.lossy = not self.evidence.lowered and any(
            name is not None and "/jit(main)/" in name for name in self._names()
        )
        collectives = list(collectives_of(self.module))
        self.merged = {(each.computation.name, each.instruction.name): each for each in collectives if each.elements}
        for computation in self.module.computations:
            body = self.stream.add_body(computation.name)
            body.depth = depths.get(computation.name, 0)
            self.read_computation(computation, body, regions.get(computation.name, ""))
        self.stream.roots = list(range(len(self.stream.bodies)))
        entries, reason = entries_by_kind(self.module, collectives, self.parts_of)
        self.stream.figures = {
            "max_depth": max(depths.values(), default=0),
            "fusions": sum(
                instruction.opcode in {"fusion", "fusion-start"} for _, instruction in self.module.instructions()
            ),
            **of_collectives(entries),
        }
        self.stream.facts = {
            "elided": sum(computation.elided for computation in self.module.computations),
            "reasons": {"collectives.executed": reason} if reason else {},
        }
        return self.stream

    def _names(self) -> list[str | None]:
        return [instruction.op_name for _, instruction in self.module.instructions()]

    def read_computation(self, computation: Computation, body: Body, region: str) -> None:
        """Write the codes of one computation's own instructions."""
        region_path = region if By.REGION in self.wants else ""
        codes = self.stream.codes
        shapes = (
            {instruction.name: instruction.shape for instruction in computation.instructions} if self.details else {}
        )
        for instruction in computation.instructions:
            place = self.place(computation, instruction)
            collective = self.merged.get((computation.name, instruction.name))
            if collective is not None:
                place = (place, instruction.name)
            detail = of_instruction(instruction, shapes, self.details) if self.details else None
            key: Hashable = (instruction.opcode, instruction.op_name, place, region_path, detail)
            code = codes.get(key)
            if code is None:
                origin = self.origin(computation, instruction, region_path)
                if collective is not None:
                    origin = collective.origin(origin, lambda other: self.origin(computation, other, ""))
                code = codes[key] = self.stream.add_op(Op(instruction.opcode, origin, detail))
            body.codes.append(code)
            if instruction.opcode == "while":
                body.regions[Region("while", instruction.trip_count, code)] += 1

    def parts_of(self, collective: Collective) -> Sequence[Part]:
        """The phases of a collective that was read, each with the bytes of its part."""
        origin = self.stream.ops[self.stream.bodies[collective.number].codes[collective.position]].origin
        parts = origin.parts or (Part(origin.phase.value),)
        return [part if part.bytes is not None else Part(part.phase, collective.bytes) for part in parts]

    def place(self, _computation: Computation, instruction: Instruction) -> Hashable:
        """What tells instructions of one name apart."""
        if not self.wants & NEEDS_FRAMES:
            return None
        return instruction.file, instruction.line, instruction.stack_frame

    def origin(self, _computation: Computation, instruction: Instruction, region: str) -> Origin:
        """The origin of an instruction; without an ``op_name`` it has no phase.

        A name that does not begin with ``jit(f)`` is a parameter's, or was written in a function for its callers to complete,
        which XLA does not do in a reducer: transforms may be missing, as in every name of a file of JAX 0.6.x.
        """
        name = instruction.op_name
        origin = Origin(marked=self.evidence.pure)
        if name:
            elements = parse_name(name, self.evidence.masked, self.evidence.lowered)
            flags, transforms, scope = digest(elements[:-1])
            flags = self.evidence.believed(flags)
            argument = instruction.opcode == "parameter" and not _is_whole(elements)
            origin = Origin(
                flags=0 if argument else flags,
                complete=self.is_complete(instruction, elements, flags),
                marked=self.evidence.marks(flags, instruction.opcode),
                transforms=transforms if By.TRANSFORMS in self.wants else (),
                scope=scope if By.SCOPE in self.wants else "",
            )
            if name in self.evidence.doubtful:
                origin = origin._replace(flags=0)
        source, stack = self.frames(instruction)
        return origin._replace(source=source, stack=stack, region=region)

    def is_complete(self, instruction: Instruction, elements: tuple[Element, ...], flags: int) -> bool:
        """Whether a name has kept all its transforms, so that the absence of one proves something."""
        if self.lossy or instruction.op_name in self.evidence.doubtful:
            return False
        if self.evidence.pure:
            return True
        return not borrows_name(instruction) and _is_whole(elements) and self.evidence.knows(elements, flags)

    def frames(self, instruction: Instruction) -> tuple[Frame | None, tuple[Frame, ...]]:
        """The source and, if requested, the stack of an instruction."""
        if not self.wants & NEEDS_FRAMES:
            return None, ()
        written = [(frame.file, frame.line, frame.function or "?") for frame in self.module.stack(instruction)]
        return self.ownership.source_and_stack(written, library=self.library, whole=By.STACK in self.wants)


def borrows_name(instruction: Instruction) -> bool:
    """Whether an instruction has the name of the loop that contains it: XLA gives it to what it rewrites in a loop's body."""
    return (instruction.op_name or "").endswith("/while") and instruction.opcode not in _LOOP_PLUMBING


def _is_whole(elements: tuple[Element, ...]) -> bool:
    return bool(elements) and is_call(elements[0][1])


def _nesting(module: HloModule) -> tuple[dict[str, int], dict[str, str]]:
    """The depth of each computation below the entry (by the longest path), and the path of its region."""
    calls: dict[str, dict[str, str]] = {computation.name: {} for computation in module.computations}
    for computation in module.computations:
        for instruction in computation.instructions:
            for role, name in instruction.called:
                if name in calls:  # a damaged text may name an undefined computation
                    calls[computation.name].setdefault(name, _label(instruction, role))
    inner = {name for targets in calls.values() for name in targets}
    depths = {name: 0 for name in calls if name not in inner}
    regions = dict.fromkeys(depths, "")
    for caller in callers_first(calls):
        for name, label in calls[caller].items():
            if depths[caller] + 1 > depths.get(name, 0):
                depths[name] = depths[caller] + 1
                regions[name] = f"{regions[caller]}/{label}"
    return depths, regions


_ROLES = {"calls": "", "to_apply": "", "condition": ".cond", "body": ".body"}


def _label(instruction: Instruction, role: str) -> str:
    trips = f"[{instruction.trip_count}]" if role == "body" and instruction.trip_count is not None else ""
    return instruction.opcode + trips + _ROLES.get(role, f".{role}")


def read(
    module: HloModule,
    wants: Collection[By] = (),
    ownership: Ownership | None = None,
    evidence: Evidence | None = None,
    *,
    library: bool = False,
    details: Details = Details.NONE,
) -> Stream:
    """The stream of a parsed HLO module; the arguments are those of the StableHLO reader."""
    who, evidence = ownership or Ownership(), evidence or Evidence()
    with paused_collector():
        return Reader(module, frozenset(wants), who, evidence, library, details).read()
