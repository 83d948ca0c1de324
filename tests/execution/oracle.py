"""The independent side of executed counts: an interpreter of jaxprs in Python, whose loops and branches are Python's own.

It shares nothing with ltc_ir. JAX's own dead-code elimination goes before, as XLA would remove that code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.interpreters.partial_eval import dce_jaxpr


def executed(fn: Callable[..., Any], args: Sequence[Any]) -> tuple[list[Any], Counter[str]]:
    """The results of a function, and how often each primitive's equations ran."""
    closed = (fn if hasattr(fn, "trace") else jax.jit(fn)).trace(*args).jaxpr
    jaxpr = _open(closed)
    live = dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars), True)[0]
    counts: Counter[str] = Counter()
    return _run(live, closed.consts, jax.tree.leaves(args), counts), counts


def _open(jaxpr: Any) -> Any:
    return jaxpr.jaxpr if hasattr(jaxpr, "jaxpr") else jaxpr


def _call(holder: Any, args: Sequence[Any], counts: Counter[str]) -> list[Any]:
    return _run(_open(holder), getattr(holder, "consts", ()), args, counts)


def _run(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], counts: Counter[str]) -> list[Any]:
    env = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else env[atom]

    for eqn in jaxpr.eqns:
        counts[eqn.primitive.name] += 1
        env.update(zip(eqn.outvars, _equation(eqn, [read(atom) for atom in eqn.invars], counts), strict=True))
    return [read(atom) for atom in jaxpr.outvars]


_CALLS = {
    "call_jaxpr": {"custom_jvp_call", "custom_vjp_call", "closed_call", "core_call", "eval_jaxpr"},
    "jaxpr": {"jit", "pjit", "checkpoint", "remat2", "composite"},
    "fun_jaxpr": {"custom_vjp_call_jaxpr"},
}


def _equation(eqn: Any, values: list[Any], counts: Counter[str]) -> list[Any]:
    name, params = eqn.primitive.name, eqn.params
    if name == "while":
        return _while(params, values, counts)
    if name == "scan":
        return _scan(eqn, values, counts)
    if name == "cond":
        branches = params["branches"]
        return _call(branches[min(max(int(values[0]), 0), len(branches) - 1)], values[1:], counts)
    if name == "custom_linear_solve":
        lengths = params["const_lengths"]
        start = lengths.matvec + lengths.vecmat
        return _call(params["jaxprs"].solve, [*values[start : start + lengths.solve], *values[sum(lengths) :]], counts)
    for key, names in _CALLS.items():
        if name in names:
            return _call(params[key] if key in params else params["call_jaxpr"], values, counts)
    values = [jnp.asarray(value) if isinstance(value, bool | int | float | complex) else value for value in values]
    results = _bound(eqn.primitive, params)(values)
    return list(results) if eqn.primitive.multiple_results else [results]


def _bound(primitive: Any, params: Any) -> Callable[[Sequence[Any]], Any]:
    """What an equation computes, as a function of its operands."""
    bound = primitive.get_bind_params(params)
    if isinstance(bound, tuple):
        functions, keywords = bound
        return lambda values: primitive.bind(*functions, *values, **keywords)
    try:
        return _compiled(primitive, tuple((name, type(value), value) for name, value in sorted(bound.items())))
    except TypeError:  # a parameter that cannot be hashed, or compared
        return lambda values: primitive.bind(*values, **bound)


@cache
def _compiled(primitive: Any, params: tuple[tuple[str, type, Any], ...]) -> Callable[[Sequence[Any]], Any]:
    """A primitive compiled once per operand types: a count clears JAX's own cache of them, and they are alike everywhere."""
    keywords = {name: value for name, _, value in params}
    programs: dict[Any, Any] = {}

    def run(values: Sequence[Any]) -> Any:
        types = tuple((value.shape, value.dtype, getattr(value, "weak_type", False)) for value in values)
        if types not in programs:
            function = jax.jit(lambda *operands: primitive.bind(*operands, **keywords))
            programs[types] = function.lower(*values).compile()
        return programs[types](*values)

    return run


def _while(params: Any, values: list[Any], counts: Counter[str]) -> list[Any]:
    first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    asked, given, carry = values[:first], values[first:second], values[second:]
    while True:
        go = np.asarray(_call(params["cond_jaxpr"], [*asked, *carry], counts)[0])
        if not go.any():
            return carry
        new = _call(params["body_jaxpr"], [*given, *carry], counts)
        carry = [_select(go, left, right) for left, right in zip(new, carry, strict=True)] if go.shape else new


def _select(go: Any, new: Any, old: Any) -> Any:
    mask = jnp.asarray(go.reshape(go.shape + (1,) * (jnp.ndim(new) - go.ndim)))
    return jnp.where(jnp.broadcast_to(mask, jnp.shape(new)), new, old)


def _scan(eqn: Any, values: list[Any], counts: Counter[str]) -> list[Any]:
    params = eqn.params
    if "num_consts" in params:
        constants, carries = params["num_consts"], params["num_carry"]
    else:
        constants, carries = (len(list(part)) for part in list(params["ft_in"].update(values).unpack())[:2])
    consts, carry, over = values[:constants], values[constants:][:carries], values[constants + carries :]
    steps = range(params["length"])
    rows = []
    for step in reversed(steps) if params["reverse"] else steps:
        made = _call(params["jaxpr"], [*consts, *carry, *(jnp.asarray(one)[step] for one in over)], counts)
        carry = made[:carries]
        rows.append(made[carries:])
    rows = rows[::-1] if params["reverse"] else rows
    outs = eqn.outvars[carries:]
    if not rows:
        return [*carry, *(jnp.zeros(out.aval.shape, out.aval.dtype) for out in outs)]
    return [*carry, *(jnp.stack([row[number] for row in rows]) for number in range(len(outs)))]
