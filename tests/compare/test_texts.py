"""The same program diffs empty however it was printed, and a real change shows as the lines that changed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir.compare.text.canonical import canonical_lines, unified_diff
from ltc_ir.errors import UsageError
from tests.catalogue import PROGRAMS, get

LEVELS = ("jaxpr", "stablehlo", "hlo")


def make(extra: bool = False, other: bool = False) -> Callable[..., Any]:
    """A gradient with loops, nested and repeated functions; with an operation more, or another in place of one."""

    @jax.jit
    def inner(x: jax.Array) -> jax.Array:
        return jnp.where(x > 0, x, jnp.tanh(x))

    def step(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
        return inner(jnp.arctan(carry) if other else jnp.sin(carry)) + x, None

    def program(x: jax.Array, y: jax.Array) -> jax.Array:
        start = jnp.floor(x) * x if extra else x
        carry, _ = jax.lax.scan(step, start @ y, jnp.arange(3.0))
        return jnp.sum(inner(carry) * jax.nn.relu(carry))

    return jax.grad(program)


ARGUMENTS = (jnp.ones((3, 3)), jnp.ones((3, 3)))


def text_of(fn: Callable[..., Any], level: str, debug: bool = False) -> str:
    jax.clear_caches()
    traced = jax.jit(fn).trace(*ARGUMENTS)
    if level == "jaxpr":
        return str(traced.jaxpr.pretty_print(source_info=debug, name_stack=debug, use_color=False))
    lowered = traced.lower()
    return str(lowered.as_text(debug_info=debug) if level == "stablehlo" else lowered.compile().as_text())


def changed(diff: str, sign: str) -> list[str]:
    return [line[1:].strip() for line in diff.splitlines()[2:] if line[0] == sign]


@pytest.mark.versions
@pytest.mark.parametrize("level", LEVELS)
def test_the_same_program_diffs_empty_whatever_was_traced_between(level: str) -> None:
    first = text_of(make(), level)
    jax.make_jaxpr(make(extra=True))(*ARGUMENTS)
    second = text_of(make(), level)
    assert canonical_lines(first, level) == canonical_lines(second, level)
    assert unified_diff(first, second, level) == ""


@pytest.mark.versions
@pytest.mark.parametrize("level", LEVELS)
def test_the_same_program_of_another_process_diffs_empty(level: str) -> None:
    code = (
        "import jax, sys; from tests.compare.test_texts import *;"
        "jax.jit(make(extra=True)).lower(*ARGUMENTS); sys.stdout.write(text_of(make(), sys.argv[1]))"
    )
    made = subprocess.run([sys.executable, "-c", code, level], capture_output=True, text=True, check=True)
    assert unified_diff(text_of(make(), level), made.stdout, level) == ""


@pytest.mark.versions
@pytest.mark.parametrize("level", ["jaxpr", "stablehlo"])
def test_debug_info_changes_nothing(level: str) -> None:
    plain, debug = text_of(make(), level), text_of(make(), level, debug=True)
    assert plain != debug
    assert unified_diff(plain, debug, level) == ""


@pytest.mark.versions
@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() - {"doubling"}))  # JAX prints a million equations of it
def test_every_test_program_diffs_empty_against_its_debug_text(name: str) -> None:
    program = get(name)
    plain, debug = (program.lower().as_text(debug_info=debug) for debug in (False, True))
    assert unified_diff(plain, debug, "stablehlo") == ""
    jaxprs = [str(program.trace().jaxpr.pretty_print(source_info=debug, use_color=False)) for debug in (False, True)]
    assert unified_diff(*jaxprs, "jaxpr") == ""


@pytest.mark.versions
def test_an_inserted_operation_is_an_inserted_line_and_its_use() -> None:
    for level, operation in (("jaxpr", "floor"), ("stablehlo", "stablehlo.floor")):
        diff = unified_diff(text_of(make(), level), text_of(make(extra=True), level), level)
        added, gone = changed(diff, "+"), changed(diff, "-")
        assert sum(operation in line.split() or f" {operation} " in line for line in added) == 1
        assert all("dot_general" in line or "return" in line or line.startswith("in (") for line in gone), diff
        assert 0 < len(gone) <= 3, diff


@pytest.mark.versions
@pytest.mark.parametrize("level", ["jaxpr", "stablehlo"])
def test_another_operation_in_place_of_one_shows_it(level: str) -> None:
    diff = unified_diff(text_of(make(), level), text_of(make(other=True), level), level)
    assert any("sin" in line for line in changed(diff, "-"))
    assert any("atan" in line for line in changed(diff, "+"))
    assert all("tanh" not in line for line in changed(diff, "+")), "an operation that stayed is no change"


def module(*lines: str, function: str = "f_3") -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return (
        "module @jit_f attributes {mhlo.num_partitions = 1 : i32} {\n"
        "  func.func public @main(%arg0: tensor<f32>, %arg1: tensor<f32>) -> tensor<f32> {\n"
        f"{body}\n  }}\n"
        f"  func.func private @{function}(%arg0: tensor<f32>) -> tensor<f32> {{\n"
        "    return %arg0 : tensor<f32>\n  }\n}\n"
    )


CALL = "%0 = call @f_3(%arg0) : (tensor<f32>) -> tensor<f32>"
ADD = "%1 = stablehlo.add %0, %arg1 : tensor<f32>"


def test_swapped_operands_are_a_change_and_only_they() -> None:
    a = module(CALL, ADD, "return %1 : tensor<f32>")
    b = module(CALL, "%1 = stablehlo.add %arg1, %0 : tensor<f32>", "return %1 : tensor<f32>")
    diff = unified_diff(a, b, "stablehlo")
    assert changed(diff, "-") == ["%3 = stablehlo.add %2, %1 : tensor<f32>"]
    assert changed(diff, "+") == ["%3 = stablehlo.add %1, %2 : tensor<f32>"]


def test_a_renumbered_function_and_renamed_values_are_no_change() -> None:
    a = module(CALL, ADD, "return %1 : tensor<f32>")
    b = a.replace("@f_3", "@f_17").replace("%0", "%cst_4").replace("%1 ", "%x ")
    assert a != b
    assert unified_diff(a, b, "stablehlo") == ""


def test_an_inserted_line_does_not_renumber_the_rest() -> None:
    a = module(CALL, ADD, "return %1 : tensor<f32>")
    b = module(
        "%0 = stablehlo.sine %arg1 : tensor<f32>",
        CALL.replace("%0", "%1"),
        ADD.replace("%0", "%1").replace("%1 =", "%2 ="),
        "return %2 : tensor<f32>",
    )
    diff = unified_diff(a, b, "stablehlo")
    assert (changed(diff, "-"), changed(diff, "+")) == ([], ["%2' = stablehlo.sine %1 : tensor<f32>"])


def test_strings_are_left_alone() -> None:
    line = '%0 = stablehlo.custom_call @foo(%arg0) {note = "loc(%arg9) @f_3 \\" %0"} : (tensor<f32>) -> tensor<f32>'
    assert 'note = "loc(%arg9) @f_3 \\" %0"' in "\n".join(canonical_lines(module(line), "stablehlo"))


def test_locations_go_however_deep_they_nest() -> None:
    nested = '"f"("a(.py":1:2)'
    for _ in range(200):
        nested = f"callsite({nested} at #loc1)"
    plain = module(CALL, ADD, "return %1 : tensor<f32>")
    located = plain.replace(ADD, f"{ADD} loc({nested})") + '#loc1 = loc("x":1:1)\n'
    assert unified_diff(plain, located, "stablehlo") == ""


def test_a_callback_is_the_same_in_every_process() -> None:
    call = '%0 = stablehlo.custom_call @xla_callback(%arg0) {backend_config = "NUMBER"} : (tensor<f32>) -> tensor<f32>'
    first, second = (module(call.replace("NUMBER", number)) for number in ("1402", "99"))
    assert unified_diff(first, second, "stablehlo") == ""
    other = [text.replace("_callback", "_solver") for text in (first, second)]
    assert unified_diff(*other, "stablehlo") != "", "a configuration that is no id is kept"


HLO = """HloModule jit_f, entry_computation_layout={(f32[])->f32[]}

FileNames
1 "a.py"

StackFrames
1 {file_location_id=1 parent_frame_id=1}

%fused_computation.2 (param_0.4: f32[]) -> f32[] {
  %param_0.4 = f32[] parameter(0)
  ROOT %add.7 = f32[] add(%param_0.4, %param_0.4), metadata={op_name="jit(f)/add{}" stack_frame_id=1}
}

ENTRY %main.3 (x.1: f32[]) -> f32[] {
  %x.1 = f32[] parameter(0)
  ROOT %fusion.1 = f32[] fusion(%x.1), kind=kLoop, calls=%fused_computation.2, metadata={op_name="jit(f)/add"}
}
"""


def test_hlo_numbering_metadata_and_tables_are_no_change() -> None:
    other = HLO.replace("a.py", "b.py").replace(".4", ".44").replace("add.7", "add").replace("jit(f)/add", "jit(g)/add")
    bare = "\n".join(line for line in other.splitlines() if not line.startswith(("FileNames", "1 ", "StackFrames")))
    assert unified_diff(HLO, bare, "hlo") == ""
    assert not any("metadata" in line or "a.py" in line for line in canonical_lines(HLO, "hlo"))


def test_hlo_without_percent_signs_is_read_by_its_definitions() -> None:
    bare = HLO.replace("%", "")
    assert unified_diff(bare, bare.replace(".4", ".9").replace("fusion.1 ", "fusion.8 "), "hlo") == ""
    assert changed(unified_diff(bare, bare.replace("add(", "multiply("), "hlo"), "+") == [
        "ROOT add' = f32[] multiply(param, param)"
    ]


def test_a_jaxpr_is_the_same_however_it_was_wrapped() -> None:
    flat = "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = add b a in (c,) }"
    wrapped = "{ lambda ; ba:f32[]. let\n    in:f32[] = sin ba\n    add:f32[] = add in\n      ba\n  in (add,) }"
    assert canonical_lines(flat, "jaxpr") == [
        "{ lambda ; a:f32[]. let", "  b:f32[] = sin a", "  c:f32[] = add b a", "in (c,) }",
    ]  # fmt: skip
    assert unified_diff(flat, wrapped, "jaxpr") == ""
    assert unified_diff(flat, wrapped.replace("add in\n", "add ba\n"), "jaxpr") != ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown level 'llvm'"):
        canonical_lines("", "llvm")


def test_a_hundred_thousand_lines_take_seconds() -> None:
    lines = [f"%{n} = stablehlo.add %{max(n - 1, 0)}, %arg0 : tensor<f32>" for n in range(100_000)]
    began = time.perf_counter()
    assert len(canonical_lines(module(*lines), "stablehlo")) == 100_000 + 7
    assert time.perf_counter() - began < 12  # about 1 s on one core
