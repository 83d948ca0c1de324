"""Counts IR as MLIR's bindings and XLA's own parser see it, one JSON question and answer a line; it dies where they do."""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from typing import Any


def stablehlo(data: bytes) -> dict[str, int] | None:
    """How often each operation occurs in a module, text or bytecode; ``None`` where MLIR refuses it."""
    from jax._src.interpreters import mlir
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo as dialect

    from tests.oracles import subtree

    with mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        try:
            if b"StableHLO_v" in data[:16]:
                module = dialect.deserialize_portable_artifact(context, data)
            else:
                module = ir.Module.parse(data)
        except Exception:
            return None
        return Counter(op.name for op in subtree(module.operation))


def hlo(data: bytes) -> dict[str, int] | None:
    """How often each opcode occurs in a text, all computations; ``None`` where XLA refuses it."""
    from tests.ir.xla_listing_child import listing
    from tests.oracles import mnemonic

    listed = listing(data.decode(errors="replace"))
    return None if listed is None else {mnemonic(name): number for name, number in listed.items()}


ORACLES: dict[str, Any] = {"stablehlo": stablehlo, "hlo": hlo}

if __name__ == "__main__":
    for line in sys.stdin:
        question = json.loads(line)
        answer = ORACLES[question["level"]](base64.b64decode(question["data"]))
        print(json.dumps(answer), flush=True)
