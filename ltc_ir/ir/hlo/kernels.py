"""Where the instructions of optimised HLO sit: the fusion that computes each, the loop that contains it."""

from __future__ import annotations

from collections.abc import Iterator

from ltc_ir.ir.hlo.module import Computation, HloModule, Instruction

PLUMBING = frozenset(
    {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "copy", "call", "while", "conditional"}
)
"""Opcodes of instructions that hold, pass on or arrange values and are no kernel."""
_RUNS = frozenset({"call", "while", "conditional", "async-start"})
"""Opcodes of instructions that run computations whose instructions are kernels themselves."""


class Places:
    """The callers of each computation of a module, followed upwards and downwards; a damaged text may call in a circle."""

    def __init__(self, module: HloModule) -> None:
        self.computations = {computation.name: computation for computation in module.computations}
        self.instructions = {instruction.name: (within, instruction) for within, instruction in module.instructions()}
        self.callers: dict[str, tuple[Computation, Instruction]] = {}
        for computation, instruction in module.instructions():
            for _, callee in instruction.called:
                self.callers.setdefault(callee, (computation, instruction))
        self._kernels: dict[str, str | None] = {}
        self._loops: dict[str, str | None] = {}

    def kernel(self, computation: Computation, instruction: Instruction) -> str | None:
        """The outermost fusion that computes an instruction; outside of fusions the instruction itself, if it computes."""
        outer = self._kernel_of(computation.name)
        if outer is not None:
            return outer
        return None if instruction.opcode in PLUMBING else instruction.name

    def _kernel_of(self, name: str) -> str | None:
        """The kernel that runs a computation as a part of itself."""
        if name not in self._kernels:
            self._kernels[name] = None
            caller = self.callers.get(name)
            if caller is not None and caller[1].opcode not in _RUNS:
                self._kernels[name] = self._kernel_of(caller[0].name) or caller[1].name
        return self._kernels[name]

    def loop(self, name: str) -> str | None:
        """The innermost ``while`` that runs a computation."""
        if name not in self._loops:
            self._loops[name] = None
            caller = self.callers.get(name)
            if caller is not None:
                self._loops[name] = caller[1].name if caller[1].opcode == "while" else self.loop(caller[0].name)
        return self._loops[name]

    def named(self, name: str) -> Instruction | None:
        """The instruction that a profile means by a name: it may write ``_`` for ``.`` and ``-``."""
        known = self.instructions.get(name.removeprefix("%"))
        if known is not None:
            return known[1]
        spelled = [one for other, (_, one) in self.instructions.items() if _spelled(other) == _spelled(name)]
        return spelled[0] if len(spelled) == 1 else None

    def contents(self, name: str) -> Iterator[tuple[Computation, Instruction]]:
        """An instruction and all that it runs, each once."""
        computation, instruction = self.instructions[name]
        yield computation, instruction
        pending, seen = [callee for _, callee in instruction.called], set[str]()
        while pending:
            callee = pending.pop()
            inner = self.computations.get(callee)
            if inner is None or callee in seen:
                continue
            seen.add(callee)
            for one in inner.instructions:
                yield inner, one
                pending += [other for _, other in one.called]


def _spelled(name: str) -> str:
    return name.removeprefix("%").replace(".", "_").replace("-", "_")
