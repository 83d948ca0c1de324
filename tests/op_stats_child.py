"""Runs MLIR's own statistics pass in a process of its own, since the pass prints to file descriptor 2 and nowhere else.

A JSON list of module texts comes in on stdin; a JSON list of what the pass printed goes out on stdout, an empty string
where it printed nothing.
"""

import json
import os
import sys
import tempfile

from jax._src.interpreters import mlir
from jaxlib.mlir import ir, passmanager

PASS = "builtin.module(print-op-stats{json=true})"


def printed(text: str) -> str:
    """What the pass prints of one module: JSON from operation name to number."""
    with mlir.make_ir_context() as context, tempfile.TemporaryFile() as caught:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(text)
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            passmanager.PassManager.parse(PASS).run(module.operation)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        return caught.read().decode()


if __name__ == "__main__":
    json.dump([printed(text) for text in json.load(sys.stdin)], sys.stdout)
