"""A staged program's IR as bytes: text as JAX prints it, or a portable artifact made of a copy."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import jax
import numpy as np

from ltc_ir import compat
from ltc_ir.ir.jaxpr import closures
from ltc_ir.ir.jaxpr.printing import print_jaxpr
from ltc_ir.targets.stages import Staged, users_failure


def text_of(staged: Staged, form: str, debug_info: bool = False) -> bytes:
    """The IR of a program: ``jaxpr`` with its names escaped, ``stablehlo``, ``hlo`` or ``bytecode`` as JAX writes it."""
    if form == "hlo" or (debug_info and form != "jaxpr"):
        with compat.whole_locations():
            staged.module()
    if form == "bytecode":
        return portable_artifact(staged.module(), staged.label, debug_info)
    text: str
    if form == "jaxpr":
        text = print_jaxpr(staged.traced.jaxpr, debug_info)
    elif form == "hlo":
        text = staged.compiled.as_text() or ""
    else:
        text = staged.lowered.as_text(debug_info=debug_info)
    return (text if text.endswith("\n") else text + "\n").encode()


def whole_text(staged: Staged, level: str) -> str:
    """The IR of a program with the values of its constants, which a jaxpr's text leaves out and HLO's elides."""
    if level == "hlo":
        return compat.whole_hlo_text(staged.compiled)
    arrays: list[Any] = []
    if level == "jaxpr":
        arrays = list(closures.values(staged.traced.jaxpr))
    else:
        staged.module()
        arrays = list(compat.hoisted_constants(staged.lowered) or ())
    return text_of(staged, level).decode() + "".join(f"constant {_digest(array)}\n" for array in arrays)


def _digest(array: Any) -> str:
    """What stands for an array's value: its type and a hash of its bytes."""
    if hasattr(array, "dtype") and str(array.dtype).startswith("key<"):
        array = jax.random.key_data(array)
    values = np.asarray(array)
    return f"{values.dtype}{list(values.shape)} {hashlib.blake2b(values.tobytes(), digest_size=8).hexdigest()}"


def portable_artifact(module: Any, label: str, debug_info: bool = False) -> bytes:
    """A module as a StableHLO portable artifact of this JAX's current version.

    Serialising rewrites a module in place, so that it cannot be compiled any more: a copy made through bytecode is
    serialised, without its locations unless ``debug_info``. Other dialects are kept where the program has them
    (``chlo.erf``, ``chlo.top_k``, shardings).

    Raises:
        TargetError: the program holds something that cannot be serialised.
    """
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo
    from jaxlib.mlir.passmanager import PassManager

    buffer = io.BytesIO()
    module.operation.write_bytecode(buffer)
    with users_failure(label, "serialise"), module.context:
        copy = ir.Module.parse(buffer.getvalue())
        if not debug_info:
            PassManager.parse("builtin.module(strip-debuginfo)").run(copy.operation)
        return bytes(stablehlo.serialize_portable_artifact(copy, stablehlo.get_current_version(), True))
