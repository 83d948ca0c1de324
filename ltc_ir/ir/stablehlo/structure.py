"""The structure of a StableHLO module: how its operations are connected, whatever their order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ltc_ir import compat
from ltc_ir.ir import fingerprint
from ltc_ir.ir.fingerprint import CALLED, UNNAMED, Spelled
from ltc_ir.ir.structure import Body, Kind, Operation, Structure, TooLargeError

_DEFAULTS = {
    "precision_config": re.compile(r"\[(#stablehlo<precision DEFAULT>(, )?)*\]"),
    "padding": re.compile(r"dense<0> : .*"),
    "compare_type": re.compile(r"#stablehlo<comparison_type NOTYPE>"),
    "result_accuracy": re.compile(r"#stablehlo\.result_accuracy<mode = #stablehlo\.result_accuracy_mode<DEFAULT>>"),
    "composite_attributes": re.compile(r"\{\}"),
    "version": re.compile(r"0 : i32"),
    "api_version": re.compile(r"1 : i32"),
    "called_computations": re.compile(r"\[\]"),
    "backend_config": re.compile(r'""'),
    "operand_batching_dims": re.compile(r"array<i64>"),
} | dict.fromkeys(
    ("window_strides", "lhs_dilation", "rhs_dilation", "base_dilations", "window_dilations"),
    re.compile(r"array<i64: 1(, 1)*>"),
) | dict.fromkeys(
    ("indices_are_sorted", "unique_indices", "is_stable", "has_side_effect", "is_host_transfer"),
    re.compile(r"false"),
) | {"window_reversal": re.compile(r"array<i1: false(, false)*>")}  # fmt: skip
"""What an attribute says that may be left out: JAX leaves it out, and a portable artifact writes it."""
MOST_ELEMENTS = 64
"""Elements of a constant up to which it is told by its values."""
_PLAIN = re.compile(r"tensor<((?:\d+x)*)(?:bf16|f\d\d|u?i\d+)>", re.ASCII)
_IGNORED = frozenset({("chlo.top_k", "is_stable")})
"""Attributes that are left out where they are true."""
_ENDS = frozenset({"stablehlo.return", "func.return", "sdy.return"})
_CALLS = frozenset({"sdy.manual_computation"})
_BRANCHES = frozenset({"stablehlo.case", "stablehlo.if"})
_EACH = frozenset({"stablehlo.optimization_barrier"})
_COMMUTATIVE = frozenset({"stablehlo.add"})
"""What the sums of a gradient become."""


def of_module(module: Any) -> str | None:
    """The structure of a lowered module, from its ``main``; ``None`` where it has none, or is too large."""
    reading = _Reading(module.operation)
    if "main" not in reading.functions:
        return None
    body = reading.function("main")
    labels = [f"in {number} {reading.spelled[argument.type]}" for number, argument in enumerate(body.inputs)]
    try:
        return Structure(reading.size).of_program(body, labels)
    except TooLargeError:
        return None


def _is_small(constant: Any) -> bool:
    """Whether the values of a constant are quickly printed; some bindings end the process for one of complex numbers."""
    match = _PLAIN.fullmatch(str(constant.results[0].type))
    return match is not None and math.prod(map(int, match[1].split("x")[:-1])) <= MOST_ELEMENTS


def hash_module(module: Any, fingerprints: tuple[bool, bool]) -> dict[str, Any]:
    """The fingerprint and the structure of a module, each where it is wanted."""
    read = {"fingerprint": fingerprint.of_module, "structure": of_module}
    return {name: hashed(module) for (name, hashed), wanted in zip(read.items(), fingerprints, strict=True) if wanted}


class _Reading:
    """The functions of a module, as bodies of operations."""

    def __init__(self, root: Any) -> None:
        self.functions: dict[str, Any] = {}
        self.bodies: dict[str, Body] = {}
        self.spelled = Spelled()
        self.size = 0
        self.texts: dict[tuple[str, str], bool] = {}
        pending = [root]
        while pending:
            for region in pending.pop().regions:
                for block in region.blocks:
                    for view in block.operations:
                        operation = view.operation
                        self.size += 1
                        if operation.name == "func.func":
                            self.functions[operation.attributes["sym_name"].value] = operation
                        if len(operation.regions):
                            pending.append(operation)

    def function(self, name: str) -> Body:
        """The body of a function, read once."""
        if name not in self.bodies:
            self.bodies[name] = self.body(self.functions[name], 0)
        return self.bodies[name]

    def body(self, operation: Any, number: int) -> Body:
        """A region of an operation."""
        region = operation.regions[number]
        blocks = list(region.blocks)
        inputs = [argument for block in blocks for argument in block.arguments]
        read: list[Operation] = []
        outputs: list[Any] = []

        def operations() -> Sequence[Operation]:
            if not read:
                self._read(blocks, read, outputs)
            return read

        return Body(inputs, operations, lambda: outputs)

    def _read(self, blocks: list[Any], read: list[Operation], outputs: list[Any]) -> None:
        for block in blocks:
            for view in block.operations:
                operation = view.operation
                if operation.name in _ENDS:
                    outputs[:] = operation.operands
                else:
                    read.append(self._operation(operation))

    def _operation(self, operation: Any) -> Operation:
        name, operands, results = operation.name, list(operation.operands), list(operation.results)
        types = ",".join([self.spelled[result.type] for result in results])
        attributes = ";".join(self._attributes(operation))
        regions = len(operation.regions)
        if name in CALLED:
            callee = operation.attributes[CALLED[name]].value
            if callee in self.functions and len(self.functions[callee].regions[0].blocks):
                text = f"{name}->{sorted(types.split(','))} {attributes}"
                return Operation(text, operands, results, Kind.CALL, (self.function(callee),))
        if name in _EACH:
            return Operation(f"{name} {attributes}", operands, results, Kind.EACH)
        text = f"{name}->{types} {attributes}"
        if not regions:
            return Operation(text, operands, results, commutes=name in _COMMUTATIVE)
        bodies = tuple(self.body(operation, number) for number in range(regions))
        if name == "stablehlo.while":
            text = f"{name}->{sorted(types.split(','))} {attributes}"
            return Operation(text, operands, results, Kind.LOOP, bodies, (0, 0), len(operands))
        if name in _BRANCHES:
            return Operation(text, operands, results, Kind.BRANCH, bodies)
        kind = Kind.CALL if name in _CALLS else Kind.OTHER
        return Operation(text, operands, results, kind, bodies)

    def _attributes(self, operation: Any) -> Iterator[str]:
        for name, value in compat.operation_attributes(operation, UNNAMED):  # sorted by MLIR itself
            text = self.spelled[value]
            if (operation.name, name) in _IGNORED or name == "channel_handle":
                continue
            if name in _DEFAULTS and self._is_default(name, text):
                continue
            yield f"{name}={text}"
        if operation.name == "stablehlo.constant" and _is_small(operation):
            yield f"value={self.spelled[operation.attributes['value']]}"

    def _is_default(self, name: str, text: str) -> bool:
        known = self.texts.get((name, text))
        if known is None:
            known = self.texts[name, text] = _DEFAULTS[name].fullmatch(text) is not None
        return known
