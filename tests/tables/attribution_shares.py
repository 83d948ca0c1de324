"""How many operations have a known phase, pooled over programs; ``python -m tests.tables.attribution_shares`` prints it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ltc_ir.ir.hlo.module import Computation, Instruction
from ltc_ir.ir.op import Origin
from ltc_ir.records.vocabulary import Level, Phase
from ltc_ir.tables.build import build
from ltc_ir.tables.inspected import Inspected
from tests.catalogue import PROGRAMS
from tests.tables import line_programs
from tests.tables.counted import plain
from tests.tables.marking import marked, staged

Key = tuple[str, bool]
"""An operation's name, and whether its phase is known."""
NO_WORK = frozenset({"module", "func", "return", "constant"})
"""What StableHLO has besides the operations of equations."""
PLUMBING = frozenset({
    "parameter", "constant", "tuple", "get_tuple_element", "bitcast", "copy", "fusion", "call", "while",
})  # fmt: skip
"""What optimised HLO has besides them; and the broadcast of a constant."""


def programs() -> Iterator[tuple[str, Callable[[], tuple[Inspected, bool]]]]:
    """The programs by name: each makes itself with its marks, and says whether it compiles."""
    for name, program in PROGRAMS.items():
        if program.unavailable() is None and program.lowers_on_cpu:
            yield name, lambda program=program: (_of_registry(program), program.compiles)  # type: ignore[misc]
    for function in line_programs.PROGRAMS:
        compiles = function.__name__ not in line_programs.NOT_COMPILED
        yield function.__name__, lambda function=function, compiles=compiles: (_of_lines(function), compiles)  # type: ignore[misc]


def _of_registry(program: Any) -> Inspected:
    with program.session():
        function, arguments = program.make()
        inspected = marked(staged(function, *arguments))
        inspected.staged.module()
        if program.compiles:
            inspected.hlo_module  # noqa: B018 - compiled
        return inspected


def _of_lines(function: Callable[..., Any]) -> Inspected:
    differentiable = function.__name__ not in line_programs.WITHOUT_GRADIENT
    return marked(staged(jax.grad(function) if differentiable else function, jnp.float32(1.5)))


def is_known(phase: str) -> bool:
    """Whether a phase is one."""
    return phase != Phase.UNATTRIBUTED


def stablehlo(program: Inspected) -> Counter[Key]:
    """The operations of the lowered program, as they stand in its text."""
    table = build(Level.STABLEHLO, program.stablehlo(), program.request.wants)
    found: Counter[Key] = Counter()
    for row, number in table.shown.items():
        if plain(row.name) not in NO_WORK:
            found[plain(row.name), is_known(row.phase)] += number
    return found


def hlo(program: Inspected) -> Counter[Key]:
    """The instructions of the compiled program."""
    attribution = program.attribution()
    assert attribution is not None
    found: Counter[Key] = Counter()
    for computation, instruction in program.hlo_module.instructions():
        origin: Origin = attribution.origins[computation.name, instruction.name]
        if plain(instruction.opcode) not in PLUMBING and not _spreads_constant(computation, instruction):
            found[plain(instruction.opcode), is_known(origin.phase)] += 1
    return found


def _spreads_constant(computation: Computation, instruction: Instruction) -> bool:
    if instruction.opcode != "broadcast":
        return False
    (operand,) = instruction.operands
    return any(other.name == operand and other.opcode == "constant" for other in computation.instructions)


def is_of_known_truth(name: str) -> bool:
    """Whether a program is one whose lines are known."""
    return any(function.__name__ == name for function in line_programs.PROGRAMS)


def share(parts: Iterable[Counter[Key]]) -> float:
    """The share of the operations of several programs whose phase is known."""
    found = sum(parts, Counter[Key]())
    return sum(number for (_, known), number in found.items() if known) / sum(found.values())


Pool = Mapping[str, Mapping[str, Counter[Key]]]
"""What is known of each program, by level."""


def pooled() -> Pool:
    """What is known of each program at each level."""
    found: dict[str, dict[str, Counter[Key]]] = {"stablehlo": {}, "hlo": {}}
    for name, make in programs():
        program, compiles = make()
        found["stablehlo"][name] = stablehlo(program)
        if compiles:
            found["hlo"][name] = hlo(program)
    return found


def main() -> None:
    """Print the shares, and what is not known."""
    from tests.quick_compile import quick_compile

    with quick_compile():
        pool = pooled()
    for level, of_each in pool.items():
        found = sum(of_each.values(), Counter[Key]())
        print(
            f"{level}: {len(of_each)} programs, {sum(found.values()):,} operations, {share(of_each.values()):.2%} known"
        )
        print("  ", {name: number for (name, known), number in found.most_common() if not known})


if __name__ == "__main__":
    main()
