"""Reads facts of MLIR operations: static trip counts of loops, sizes of constants and of the text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ltc_ir import compat
from ltc_ir.compat import mlir
from ltc_ir.ir.details import MlirDetails, tensor_bytes

NOT_PRINTED = "the text was not printed (--no-text)"


@dataclass(slots=True)
class Constants:
    """Bytes of the constants in a module's text that are neither scalar nor splat."""

    embedded_bytes: int = 0

    def add(self, operation: Any) -> None:
        """Count one ``stablehlo.constant``."""
        kind = operation.results[0].type
        if getattr(kind, "rank", 0) == 0:
            return
        if not _is_splat(operation, kind):
            self.embedded_bytes += tensor_bytes(kind)


def _is_splat(operation: Any, kind: Any) -> bool:
    """Whether a constant is one value throughout.

    The bindings have no class for complex elements: asking for such an attribute raises, on 0.6.x it ends the process.
    Therefore the text is read, which stays short, as other values are elided in it.
    """
    if not str(kind.element_type).startswith("complex"):
        return bool(getattr(operation.attributes["value"], "is_splat", False))
    return "dense<(" in operation.get_asm(large_elements_limit=1)


def printed(module: Any) -> bytes:
    """A module's text as JAX prints it, without locations; it was verified when it was made, which costs as much again."""
    return bytes(module.operation.get_asm(binary=True, assume_verified=True))


def text_size(module: Any) -> dict[str, Any]:
    """The ``lines`` and the ``bytes`` of a module's text."""
    text = printed(module)
    return {"lines": text.count(b"\n") + (not text.endswith(b"\n")), "bytes": len(text)}


def text_figures(module: Any, print_text: bool) -> tuple[dict[str, int | float | None], dict[str, str]]:
    """The lines and bytes of a module's text, where that is wanted; else why they are unknown."""
    return (text_size(module), {}) if print_text else ({}, dict.fromkeys(("lines", "bytes"), NOT_PRINTED))


def devices_of(module: Any) -> int:
    """The devices a lowered program spans: its partitions times its replicas."""
    attributes = module.operation.attributes
    names = (f"mhlo.num_{part}" for part in ("partitions", "replicas"))
    return math.prod(int(attributes[name].value) for name in names if name in attributes)


DONATED = ("tf.aliasing_output", "jax.buffer_donor")
"""The attributes of an argument whose memory a program may reuse; JAX leaves them out where no result could use it."""


def argument_attributes(main: Any) -> list[dict[str, Any]]:
    """The attributes of each argument of a function."""
    if "arg_attrs" not in main.attributes:
        return [{} for _ in main.attributes["function_type"].value.inputs]
    return [dict(compat.named_attributes(values)) for values in main.attributes["arg_attrs"]]


def donated_bytes(module: Any) -> int:
    """Bytes of the arguments of main functions whose memory they may reuse: a module's own, and those of modules in it."""
    inner = [view for view in module.body.operations if view.operation.name == "builtin.module"]
    mains = [main for main in map(compat.main_function, (module, *inner)) if main is not None]
    sizes = MlirDetails()
    return sum(
        sizes.bytes(kind)
        for main in mains
        for kind, attributes in zip(
            main.attributes["function_type"].value.inputs, argument_attributes(main), strict=False
        )
        if any(name in attributes for name in DONATED)
    )


def trip_count(loop: Any) -> int | None:
    """How often a ``stablehlo.while`` runs, where its counter starts, steps and ends at constants; else ``None``.

    Recognised: a condition that compares a carried integer with a constant (or with a carried value that never changes and
    starts as one), and a body that adds a constant to it: what JAX lowers ``scan`` and ``fori_loop`` to.
    """
    try:
        return _trip_count(loop)
    except (AttributeError, IndexError, KeyError, ValueError, TypeError):
        return None


def _trip_count(loop: Any) -> int | None:
    condition, body = (region.blocks[0] for region in loop.regions)
    returned = _last(body).operands
    compared = _defining(_last(condition).operands[0])
    if compared is None or compared.name != "stablehlo.compare":
        return None
    direction = _direction(compared)
    position = _argument(compared.operands[0], condition)
    limit_of = compared.operands[1]
    if position is None:
        position, limit_of, direction = (
            _argument(compared.operands[1], condition),
            compared.operands[0],
            _MIRROR[direction],
        )
    if position is None:
        return None
    start = _integer(loop.operands[position])
    limit = _limit(limit_of, condition, body, returned, loop)
    step = _step(returned[position], body, position, lambda value: _limit(value, body, body, returned, loop))
    if start is None or limit is None or not step:
        return None
    trips = _iterations(start, limit, step, direction)
    return (
        trips if trips is not None and _fits(start + trips * step, loop.operands[position].type.element_type) else None
    )


def _fits(value: int, kind: Any) -> bool:
    """Whether an integer type holds a value: a counter that wraps around runs on."""
    unsigned = str(kind).startswith("ui")
    half = 1 << (int(kind.width) - (0 if unsigned else 1))
    return (0 if unsigned else -half) <= value < half


_MIRROR = {"LT": "GT", "GT": "LT", "LE": "GE", "GE": "LE", "EQ": "EQ", "NE": "NE"}


def _iterations(start: int, limit: int, step: int, direction: str) -> int | None:
    """Iterations of ``while counter <direction> limit: counter += step``; ``None`` where that never ends."""
    if direction in {"GT", "GE"}:
        start, limit, step = -start, -limit, -step
        direction = _MIRROR[direction]
    span = limit - start + (direction == "LE")
    if direction == "NE":
        return span // step if span % step == 0 and span // step >= 0 else None
    if direction not in {"LT", "LE"} or (step < 0 < span):
        return None
    return max(0, -(-span // step)) if step > 0 else 0


def _last(block: Any) -> Any:
    operations = block.operations
    return operations[len(operations) - 1].operation


def _direction(compared: Any) -> str:
    text = str(compared.attributes["comparison_direction"])
    return text.rstrip(">").rpartition(" ")[2]


def _defining(value: Any) -> Any | None:
    owner = value.owner
    return owner.operation if hasattr(owner, "operation") else (owner if hasattr(owner, "operands") else None)


def _argument(value: Any, block: Any) -> int | None:
    """The position of a block argument of ``block``; ``None`` for anything else."""
    if _defining(value) is not None or value.owner != block:
        return None
    return next((number for number, argument in enumerate(block.arguments) if argument == value), None)


def _integer(value: Any) -> int | None:
    operation = _defining(value)
    if operation is None or operation.name != "stablehlo.constant":
        return None
    if not str(operation.results[0].type.element_type).startswith(("i", "ui")):
        return None
    attribute = operation.attributes["value"]
    dense = mlir.mlir_ir().DenseIntElementsAttr(attribute)
    return int(dense[0]) if len(dense) == 1 else None


def _limit(value: Any, block: Any, body: Any, returned: Any, loop: Any) -> int | None:
    """A constant as a block of a loop sees it: its own, or a carried value that never changes and starts as one."""
    position = _argument(value, block)
    if position is None:
        return _integer(value)
    unchanged = _argument(returned[position], body) == position
    return _integer(loop.operands[position]) if unchanged else None


def _step(value: Any, body: Any, position: int, constant: Callable[[Any], int | None]) -> int | None:
    operation = _defining(value)
    if operation is None or operation.name not in {"stablehlo.add", "stablehlo.subtract"}:
        return None
    left, right = operation.operands
    if _argument(left, body) == position:
        step = constant(right)
    elif operation.name == "stablehlo.add" and _argument(right, body) == position:
        step = constant(left)
    else:
        return None
    return -step if step is not None and operation.name == "stablehlo.subtract" else step
