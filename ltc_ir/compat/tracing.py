"""What JAX's name stacks and tracebacks tell of how an equation was made, by the private names of its functions.

| private name | why | tried on |
|---|---|---|
| frames of `jax._src` (`api`, `interpreters.ad`, `partial_eval`) | what a derivative makes has no name | 0.6.2 to 0.12.0 |
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from ltc_ir.compat import stack_class, stack_elements


def flags_in(name_stack: Any, transforms: Mapping[str, int], scopes: Mapping[str, int]) -> int:
    """The bits of a name stack's elements together, by the names of its transforms and of its scopes."""
    transform = stack_class("Transform")
    flags = 0
    for element in name_stack.stack:
        flags |= (transforms if isinstance(element, transform) else scopes).get(element.name, 0)
    return flags


def leading_scopes(name_stack: Any, scope: str) -> int:
    """How many scopes of one name a name stack begins with."""
    transform = stack_class("Transform")
    count = 0
    for element in name_stack.stack:
        if isinstance(element, transform) or element.name != scope:
            break
        count += 1
    return count


def outermost_transposition(name_stack: Any) -> tuple[str, ...]:
    """The transforms of a name stack up to the outermost ``transpose``; all of them where there is none."""
    transforms, _ = stack_elements(name_stack)
    return tuple(transforms[: transforms.index("transpose") + 1] if "transpose" in transforms else transforms)


DERIVATIVE, PULLBACK, LINEAR = 1, 2, 4
"""What made an equation by its frames, see `tracing_of`: a derivative, its backward pass, its linear part (from 0.7 on)."""
_LINEAR = frozenset({"linearized", "tangent_fun"})
"""JAX's functions that are traced to the linear part of a derivative: a constant they make runs where that part does."""
_DERIVATIVES = frozenset({
    "_jvp", "_std_basis", "_vjp", "grad", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "value_and_grad", "vjp",
})  # fmt: skip
_PULLBACKS = frozenset(
    {"VJP", "linear_transpose", "_vjp3_bwd", "_vjp_pullback_wrapper", "backward_pass", "backward_pass3", "unbound_vjp"}
)
_PASSED_OVER = ("/jax/_src/", "/jax/experimental/", "/contextlib.py", "/functools.py")


@lru_cache(maxsize=65536)
def tracing_of(traceback: Any) -> tuple[CodeType | None, int]:
    """The outermost function, not of JAX, in which an equation was traced, and the bits of what made the equation.

    From 0.7 on a traceback begins where tracing did; before, it goes on through the frames of JAX that trace a jaxpr.
    Functions of JAX are passed over: those around the bodies of loops are the same for all loops.
    """
    root, maker = None, 0
    for code in traceback.raw_frames()[0] if traceback is not None else ():
        kind = _frame_kind(code)
        if kind == _TRACES:
            break
        if kind == _OUTSIDE:
            root = code
        else:
            maker |= kind
    return root, maker


_OUTSIDE, _TRACES = -1, -2
_FRAME_KINDS: dict[int, tuple[CodeType, int]] = {}
"""By the identity of their code object, which is kept: hashing one hashes all its bytecode."""


def _frame_kind(code: CodeType) -> int:
    entry = _FRAME_KINDS.get(id(code))
    if entry is None:
        entry = _FRAME_KINDS[id(code)] = (code, _kind_of_frame(code.co_filename, code.co_qualname))
    return entry[1]


def _kind_of_frame(file: str, function: str) -> int:
    """What a frame says of the equations made below it."""
    if not any(part in file for part in _PASSED_OVER):
        return _OUTSIDE
    name, _, inner = function.partition(".")
    if file.endswith("/jax/_src/interpreters/partial_eval.py"):
        return _TRACES if name == "trace_to_jaxpr_dynamic" else 0
    derivative = file.endswith("/jax/_src/interpreters/ad.py")
    derivative |= file.endswith("/jax/_src/api.py") and name in _DERIVATIVES | _PULLBACKS
    if derivative:
        return DERIVATIVE | (PULLBACK if name in _PULLBACKS else 0)
    return LINEAR if inner.rpartition(".")[2] in _LINEAR else 0
