"""The independent side of every count: MLIR's own, XLA's own, and two recursions that share nothing with ltc_ir.

| level | oracle | counts |
|---|---|---|
| jaxpr, expanded | `jaxpr_recursion` | each equation once per use of its jaxpr |
| StableHLO, module | `op_stats` | each operation as it stands, ``builtin.module`` and ``func.func`` included |
| StableHLO, expanded | `expanded_ops` | a function's operations and ``func.func`` once per call path from ``main`` |
| optimised HLO | `xla_instructions` | each instruction of each computation |
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jax._src.interpreters import mlir
from jax.extend import core
from jaxlib.mlir import ir

_CHILD = Path(__file__).with_name("op_stats_child.py")
_KNOWN: dict[str, dict[str, int]] = {}
"""What MLIR said of each text met in this process: the child imports JAX, which costs more than its work."""


def op_stats(mlir_text: str) -> dict[str, int]:
    """How often each operation stands in a module, by MLIR's own ``print-op-stats`` pass; remembered by text.

    Raises:
        AssertionError: MLIR does not parse the text; holds what it said.
    """
    return op_stats_many([mlir_text])[0]


def op_stats_many(mlir_texts: Sequence[str]) -> list[dict[str, int]]:
    """`op_stats` of each text, from one child process for all those not yet known."""
    unknown = list(dict.fromkeys(text for text in mlir_texts if text not in _KNOWN))
    if unknown:
        _KNOWN.update(zip(unknown, map(json.loads, _printed(unknown)), strict=True))
    return [dict(_KNOWN[text]) for text in mlir_texts]


def _printed(texts: list[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(_CHILD)],
        input=json.dumps(texts),
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def jaxpr_recursion(jaxpr: Any) -> Counter[str]:
    """How often each primitive stands in a (closed) jaxpr, nested ones included, each once per use of it.

    A plain recursion (so for programs of moderate depth), with the count of each jaxpr remembered.
    """
    counted: dict[int, Counter[str]] = {}

    def count(inner: Any) -> Counter[str]:
        known = counted.get(id(inner))
        if known is None:
            known = Counter()
            for equation in inner.eqns:
                known[equation.primitive.name] += 1
                for nested in jaxprs_within(list(equation.params.values())):
                    known += count(nested)
            counted[id(inner)] = known
        return known

    return count(_opened(jaxpr))


def jaxprs_within(value: Any) -> Iterator[Any]:
    """The open jaxprs in a value: itself, or in tuples (named ones too), lists and dictionaries, however deep."""
    if isinstance(value, core.Jaxpr | core.ClosedJaxpr):
        yield _opened(value)
    elif isinstance(value, dict):
        yield from jaxprs_within(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from jaxprs_within(item)


def _opened(jaxpr: Any) -> Any:
    return jaxpr.jaxpr if hasattr(jaxpr, "jaxpr") else jaxpr


def expanded_ops(mlir_text: str) -> Counter[str]:
    """How often each operation is reached from ``main``: a function's, its ``func.func`` included, once per call of it.

    ``builtin.module``, what stands in it beside functions (``sdy.mesh``) and ``main`` are counted once, a function that
    nobody calls not at all; bodies of loops and branches once. A ``stablehlo.composite`` calls its decomposition.
    """
    with mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(mlir_text)
        tops = [op.operation for op in module.body]
        functions = {_symbol(op): op for op in tops if op.name == "func.func"}
        others = (inner.name for op in tops if op.name != "func.func" for inner in subtree(op))
        return Counter(["builtin.module", *others]) + _Expansion(functions).of("main")


_CALLEE = {"func.call": "callee", "stablehlo.composite": "decomposition"}
"""The attribute in which a call names the function it runs."""


class _Expansion:
    """The recursion of `expanded_ops`: each function's operations, with those of the functions it calls added."""

    def __init__(self, functions: dict[str, Any]) -> None:
        self.functions = functions
        self.known: dict[str, Counter[str]] = {}

    def of(self, name: str) -> Counter[str]:
        if name not in self.known:
            total: Counter[str] = Counter()
            for op in subtree(self.functions[name]):
                total[op.name] += 1
                if op.name in _CALLEE:
                    total += self.of(ir.FlatSymbolRefAttr(op.attributes[_CALLEE[op.name]]).value)
            self.known[name] = total
        return self.known[name]


def _symbol(op: Any) -> str:
    return str(ir.StringAttr(op.attributes["sym_name"]).value)


def subtree(op: Any) -> Iterator[Any]:
    """An operation and all within it."""
    yield op
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield from subtree(inner.operation)


NO_LISTING = "XLA lists its instructions in JAX from 0.10 on"
"""Why `xla_instructions` has no answer, where it has none."""


def xla_instructions(compiled: Any) -> Counter[str] | None:
    """How often each opcode stands in a ``jax.stages.Compiled``, all its computations, as XLA lists them.

    ``None`` where this JAX has no such list: `NO_LISTING` is the reason.
    """
    computations = [c for module in compiled.runtime_executable().hlo_modules() for c in module.computations()]
    if not all(hasattr(computation, "instructions") for computation in computations):
        return None
    return Counter(mnemonic(i.opcode.name) for computation in computations for i in computation.instructions())


_IRREGULAR = {
    "kClz": "count-leading-zeros",
    "kCos": "cosine",
    "kExp": "exponential",
    "kExpm1": "exponential-minus-one",
    "kLog1p": "log-plus-one",
    "kOptimizationBarrier": "opt-barrier",
    "kPopulationCount": "popcnt",
    "kSin": "sine",
    "kTopK": "topk",
}


def mnemonic(opcode: str) -> str:
    """How HLO text writes an opcode of XLA's list: ``kGetTupleElement`` is ``get-tuple-element``."""
    return _IRREGULAR.get(opcode) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", opcode.removeprefix("k")).lower()


def operations_in(module: Any) -> int:
    """The operations of a lowered module as they stand, the module and its functions included."""
    return sum(1 for _ in subtree(module.operation))
