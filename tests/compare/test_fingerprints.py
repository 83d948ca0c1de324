"""What a diff says of programs with the same operations: whether operands, parameters and types are the same, too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ltc_ir.api.count import count
from ltc_ir.api.diff import diff
from ltc_ir.api.lower import lower
from ltc_ir.compat import mlir
from ltc_ir.errors import LtcIrError
from ltc_ir.ir.stablehlo.structure import of_module
from ltc_ir.records.count import Count
from ltc_ir.records.diff import NOT_COMPARED, NOT_RECORDED, Diff
from ltc_ir.records.serialization import dumps
from ltc_ir.render.layouts.diff import REWIRED, diff_rows, diff_sheets
from ltc_ir.targets.lowering import text_of
from ltc_ir.targets.prepare import resolve, stage
from tests.catalogue import PROGRAMS

pytestmark = pytest.mark.versions

MATRIX = jax.ShapeDtypeStruct((4, 4), jnp.float32)
LEVELS = ("jaxpr", "stablehlo")


def two(x: Any, y: Any) -> Any:
    return jnp.sin(x), jnp.sin(y)


def two_exchanged(x: Any, y: Any) -> Any:
    return jnp.sin(y), jnp.sin(x)


def two_in_another_order(first: Any, second: Any) -> Any:
    last = jnp.sin(second)

    before = jnp.sin(first)
    return before, last


def branches(x: Any, y: Any) -> Any:
    return lax.cond(x[0, 0] > 0, lambda: x @ y, lambda: y @ x)


def branches_exchanged(x: Any, y: Any) -> Any:
    return lax.cond(x[0, 0] > 0, lambda: y @ x, lambda: x @ y)


def difference(x: Any, y: Any) -> Any:
    return jnp.exp(x) - y


def difference_exchanged(x: Any, y: Any) -> Any:
    return y - jnp.exp(x)


def rows(x: Any, y: Any) -> Any:
    return x[0:2] + y[1:3]


def rows_exchanged(x: Any, y: Any) -> Any:
    return x[1:3] + y[0:2]


def compared(x: Any, y: Any) -> Any:
    return jnp.where(x < y, x, y)


def compared_otherwise(x: Any, y: Any) -> Any:
    return jnp.where(x > y, x, y)


def gates(x: Any, y: Any) -> Any:
    def body(carry: Any, z: Any) -> Any:
        update = jnp.tanh(carry @ x)
        reset = jnp.tanh(carry @ y)
        return update - reset * z, update

    return lax.scan(body, x, jnp.zeros((3,)))


def gates_exchanged(x: Any, y: Any) -> Any:
    def body(carry: Any, z: Any) -> Any:
        update = jnp.tanh(carry @ x)
        reset = jnp.tanh(carry @ y)
        return reset - update * z, update

    return lax.scan(body, x, jnp.zeros((3,)))


def once(function: Callable[..., Any], levels: tuple[str, ...] = LEVELS, **asked: Any) -> Count:
    return count(function, args=(MATRIX, MATRIX), levels=levels, hashes=True, text=False, **asked)


def told(compared: Diff) -> set[str]:
    return {level.fingerprints for pair in compared.pairs for level in pair.levels.values()}


EXCHANGED = [
    (two, two_exchanged),
    (branches, branches_exchanged),
    (difference, difference_exchanged),
    (rows, rows_exchanged),
    (compared, compared_otherwise),
    (gates, gates_exchanged),
]


@pytest.mark.parametrize(("before", "after"), EXCHANGED, ids=lambda function: function.__name__)
def test_the_same_operations_connected_otherwise_differ_at_every_level(
    before: Callable[..., Any], after: Callable[..., Any], quick_compile: None
) -> None:
    made = diff(once(before, (*LEVELS, "hlo")), once(after, (*LEVELS, "hlo")))
    assert told(made) == {"different"}, made
    assert not made.empty
    for level in made.pairs[0].levels.values():
        assert level.rewired or any(change.change for change in level.ops)
    said = [note for sheet in diff_sheets(made) for note in sheet.notes]
    assert REWIRED in said
    assert REWIRED in [row[-1] for row in diff_rows(made)]
    assert "no operation differs" not in said


def test_names_lines_and_the_order_of_independent_operations_make_no_difference(quick_compile: None) -> None:
    made = diff(once(two, (*LEVELS, "hlo")), once(two_in_another_order, (*LEVELS, "hlo")))
    assert told(made) == {"same"}
    assert made.empty


def test_files_of_ir_are_compared_by_fingerprints_too(tmp_path: Path, quick_compile: None) -> None:
    paths = {}
    forms = ("text.mlir", "stablehlo", False), ("named.mlir", "stablehlo", True), ("b.bc", "bytecode", False)
    for name, form, debug in (*forms, ("o.hlo", "hlo", False)):
        for function in (gates, gates_exchanged):
            path = tmp_path / f"{function.__name__}.{name}"
            path.write_bytes(lower(function, args=(MATRIX, MATRIX), form=form, debug_info=debug))
            paths[function, name] = str(path)
    for name in ("text.mlir", "named.mlir", "b.bc", "o.hlo"):
        live = once(gates, ("hlo",) if name == "o.hlo" else ("stablehlo",))
        assert told(diff(paths[gates, name], live)) == {"same"}, name
        assert told(diff(paths[gates_exchanged, name], live)) == {"different"}, name


def test_a_record_has_fingerprints_and_an_older_one_says_that_it_has_none(tmp_path: Path) -> None:
    record = tmp_path / "count.json"
    record.write_text(dumps(once(two)))
    assert told(diff(str(record), once(two_exchanged))) == {"different"}
    assert told(diff(str(record), once(two))) == {"same"}
    older = count(two, args=(MATRIX, MATRIX), text=False)
    made = diff(older, once(two_exchanged))
    assert told(made) == {NOT_RECORDED}
    assert any("no fingerprint" in note for note in made.notes)


def test_narrowed_counts_are_not_compared_by_fingerprints() -> None:
    made = diff(once(two, ops=("sin",)), once(two_exchanged, ops=("sin",)))
    assert told(made) == {NOT_COMPARED}
    assert not any("fingerprint" in note for note in made.notes)


def test_a_forward_and_its_gradient_are_other_programs_anyway() -> None:
    assert told(diff(lambda x: jnp.sum(jnp.sin(x)), args=(MATRIX,), text=False)) == {NOT_COMPARED}


def lines_in(container: Callable[..., Any], order: tuple[int, ...]) -> Callable[..., Any]:
    """A function whose lines are in this order, each of which closes over another array, in a loop, a branch or a call.

    Two of them use the state: of three, a gradient would be a sum in another order, which is another program.
    """

    def function(x: Any, y: Any) -> Any:
        closed = [x * 2, y @ x, jnp.cos(y)]

        def inside(state: Any) -> Any:
            lines = [
                lambda: state @ closed[0],
                lambda: jnp.tanh(state * closed[1]),
                lambda: closed[2] - CAPTURED,
            ]
            values = {}
            for number in order:
                values[number] = lines[number]()
            return jnp.sin(values[0] * values[1] - values[2])

        return container(inside, x)

    return function


def _fori(inside: Any, x: Any) -> Any:
    return lax.fori_loop(0, 3, lambda i, state: inside(state), x)


def _while(inside: Any, x: Any) -> Any:
    return lax.while_loop(lambda c: jnp.sum(c[0]) + c[1] < 9.0, lambda c: (inside(c[0]), c[1] + 1), (x, 0.0))[0]


CAPTURED = np.arange(16, dtype=np.float32).reshape(4, 4)
CONTAINERS = {
    "scan": lambda inside, x: lax.scan(lambda c, z: (inside(c) * z, c), x, jnp.ones((3,))),
    "fori": _fori,
    "while": _while,
    "cond": lambda inside, x: lax.cond(x[0, 0] > 0, inside, lambda c: c, x),
    "call": lambda inside, x: jax.jit(inside)(x) + x,
    "remat": lambda inside, x: jax.checkpoint(inside)(x),
    "nested": lambda inside, x: lax.scan(lambda c, z: (_fori(jax.checkpoint(inside), c), z), x, jnp.ones((3,))),
    "vmap": lambda inside, x: jax.vmap(inside)(jnp.stack([x, x]))[0],
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_order_of_lines_makes_no_difference_in_loops_branches_and_calls(name: str, quick_compile: None) -> None:
    levels = (*LEVELS, "hlo") if name in {"scan", "call", "while"} else LEVELS
    first, second = (lines_in(CONTAINERS[name], order) for order in ((0, 1, 2), (2, 0, 1)))
    assert told(diff(once(first, levels), once(second, levels))) == {"same"}
    if name == "while":
        return
    gradients = [_gradient(function) for function in (first, second)]
    assert told(diff(*map(once, gradients))) == {"same"}


def _gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax.grad(lambda x, y: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(function(x, y))), (0, 1))


def test_another_value_of_a_constant_makes_no_difference(quick_compile: None) -> None:
    levels = (*LEVELS, "hlo")
    sides = [once(lambda x, y, rate=rate: x - rate * y, levels) for rate in (0.1, 0.2)]
    assert told(diff(*sides)) == {"same"}


def test_every_form_of_a_module_has_the_structure_of_the_live_one() -> None:
    others = []
    for program in (program for program in PROGRAMS.values() if program.lowers_on_cpu and not program.unavailable()):
        with program.session():
            function, args = program.make()
            staged = stage(resolve(function, args, None), "forward", None)
            context = mlir.mlir_context()
            expected = of_module(staged.module())
            text = mlir.mlir_ir().Module.parse(text_of(staged, "stablehlo", debug_info=False), context)
            modules = [text]
            with suppress(LtcIrError):  # no portable artifact has these operations
                modules.append(mlir.read_artifact(context, text_of(staged, "bytecode", debug_info=False)))
            others += [(program.name, number) for number, one in enumerate(modules) if of_module(one) != expected]
    assert not others
