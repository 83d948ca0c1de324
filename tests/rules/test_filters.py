"""What a filter says that admits nothing, on one live program: an error, a note, or nothing to say; never a silent pass."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.op_table import tables_of_snapshot
from ltc_ir.rules.evaluate import Judgement, judge, settle_notes
from ltc_ir.rules.grammar import parse_rule
from ltc_ir.rules.nearness import nearest
from ltc_ir.snapshots.capture import capture, capture_request
from ltc_ir.targets.target import Target


@jax.jit
def mixing_layer(x, w):
    return jnp.tanh(x @ w)


def energy(w, x):
    def step(carry, _):
        return mixing_layer(carry, w), None

    last, _ = jax.lax.scan(step, x, None, length=5)
    values, _ = jnp.linalg.eigh(last.T @ last)
    return jnp.sum(jnp.sin(values) ** 2)


SHAPES = jax.ShapeDtypeStruct((8, 8), "float32"), jax.ShapeDtypeStruct((4, 8), "float32")
PROGRAMS = ("forward", "grad")


@pytest.fixture(scope="module")
def captured():
    target = Target(energy, SHAPES, name="energy")
    request = capture_request(details=True)
    return {program: capture(target, program, request) for program in PROGRAMS}


@pytest.fixture(scope="module")
def tables(captured):
    return {program: made.tables for program, made in captured.items()}


def outcome(judged: Judgement[str]) -> str:
    if judged.problems:
        return "problem"
    if any(judged.changes.values()):
        return "broken"
    return "note" if judged.notes else "holds"


TABLE = {
    # types are a closed vocabulary
    "dot_general[f64] = 0": "holds",
    "dot_general[F64] = 0": "holds",
    "dot_general[ f64 ] = 0": "holds",
    "dot_general[f32, f32 -> f64] = 0": "holds",
    "dot_general[->f64] = 0": "holds",
    "dot_general[complex] = 0": "holds",
    "dot_general[key<fry>] = 0": "holds",
    "dot_general[key<mine>] = 0": "holds",
    "dot_general[f8e4m3fn] = 0": "holds",
    "exp2[f64] = 0": "holds",
    "total[f64] = 0": "holds",
    "dot_general[f32] = 0": "broken",
    "dot_general[float] = 0": "broken",
    "dot_general[float23] = 0": "refused: did you mean f32?",
    "dot_general[f33] = 0": "refused: did you mean f32?",
    "dot_general[bf15] = 0": "refused: did you mean bf16?",
    "dot_general[int33] = 0": "refused: did you mean i32?",
    "dot_general[int8,int8->int33] = 0": "refused: did you mean i32?",
    "dot_general[int8,itn8->int32] = 0": "refused: did you mean i8?",
    "dot_general[fp32] = 0": "refused: did you mean f32?",
    "dot_general[double] = 0": "refused: did you mean f64?",
    "dot_general[half] = 0": "refused: did you mean f16?",
    "dot_general[floats] = 0": "refused: did you mean float?",
    "dot_general[boolean] = 0": "refused: did you mean bool?",
    "dot_general[key<fri>] = 0": "refused: did you mean key<fry>?",
    "dot_general[f8e9m9] = 0": "refused: is no type",
    "dot_general[f32[8]] = 0": "refused: no shapes",
    "dot_general[f32[8,8],f32->f32] = 0": "refused: no shapes",
    "dot_general[f64->f64] = 0": "problem: names 1 operand, and a dot_general has 2",
    "tanh[f64,f64->f64] = 0": "problem: names 2 operands, and a tanh has 1",
    "exp2[f33] = 0": "refused: did you mean f32?",
    # names are an open one: what is near is an error
    "custom_call[lapack_ssyevd_ffi] = 0": "broken",
    "custom_call[lapack_ssyevd_ffi] = 1": "holds",
    "custom_call[lapack_ssyevd_fi] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[lapack_syevd_ffi] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[LAPACK_SSYEVD_FFI] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[lapack-ssyevd-ffi] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[lapack_ssyevd] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[ssyevd_ffi] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[jaxlib.lapack:lapack_ssyevd_ffi] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "custom_call[lapack_ssyevd_fi] = 1": "problem: did you mean lapack_ssyevd_ffi?",
    'custom_call["lapack_dsyevd_ffi"] = 0': "note: is called lapack_dsyevd_ffi",
    "custom_call[tpu_custom_call] = 0": "note: there is lapack_ssyevd_ffi",
    "custom_call[misspelt] = 0": "note: there is lapack_ssyevd_ffi",
    "custom_call[misspelt] = 1": "broken",
    "forward/custom_call[misspelt] = 0": "note: there is lapack_ssyevd_ffi",
    "custom_call[target=lapack_ssyevd_fi] = 0": "problem: did you mean lapack_ssyevd_ffi?",
    "jit[mixing_layer] >= 1": "holds",
    "jit[mixing_layr] = 0": "problem: did you mean mixing_layer?",
    "jit[mixing] = 0": "problem: did you mean mixing_layer?",
    "jit[tests.rules.test_filters:mixing_layer] = 0": "problem: did you mean mixing_layer?",
    "jit[quite_another] = 0": "note: is called quite_another",
    "pallas_call[mixing_layer] = 0": "note: jaxpr:jit is called so",
    "pallas_call[quite_another] = 0": "note: there is no pallas_call",
    "tanh[mixing_layer] = 0": "problem: bears a name",
    "total[Sharding] = 0": "note: is called Sharding",
    # attributes and their values
    "scan[length=5] >= 1": "holds",
    "scan[length=6] = 0": "note: there is 5",
    "scan[length=five] = 0": "problem: it is a number",
    "scan[lenght=5] = 0": "problem: did you mean length?",
    "scan[reverse=Tru] = 0": "problem: it is true or false",
    "scan[trips=5] = 0": "problem: attributes are",
    "erf[axis=1] = 0": "note: there is no erf",
    # everything else that could not be broken
    "dot_genral = 0": "problem: did you mean dot_general?",
    "Dot_General = 0": "problem: did you mean dot_general?",
    "jaxpr:sine = 0": "problem: write stablehlo:sine",
    "stablehl:dot_general = 0": "refused: did you mean stablehlo?",
    "HLO:dot_general = 0": "refused: did you mean hlo?",
    "gradd/dot_general = 0": "problem: did you mean grad?",
    "train_step/dot_general = 0": "problem: matches no program",
    "backwrd.dot_general = 0": "refused: did you mean backward?",
    "shared.dot_general = 0": "refused: unknown phase",
    "mixed.dot_general = 0": "problem: has no phase mixed",
    "forward/backward.total = 0": "problem: cannot be broken",
    "max_depth.bytes = 0": "refused: write max_depth alone",
    "constants.byte = 0": "refused: did you mean constants.bytes?",
    "hlo:collectives[all-redcue] = 0": "refused: write hlo:all_reduce",
    "hlo:sine = 0": "problem: was not read at hlo",
    "while = 2": "broken",
}


@pytest.mark.parametrize("text", TABLE)
def test_a_rule_is_judged_or_says_why_not(text, tables):
    expected, _, says = TABLE[text].partition(": ")
    try:
        judged = judge([parse_rule(text)], tables)
    except UsageError as error:
        found, said = "refused", f"{error.message}; {error.hint}"
    else:
        found, said = (
            outcome(judged),
            "; ".join(f"{one.message}; {one.hint}" for one in (*judged.problems, *judged.notes)),
        )
    assert (found, says in said) == (expected, True), f"{found}: {said}"


def test_a_note_is_a_problem_where_a_check_is_strict(tables):
    judged = judge([parse_rule("custom_call[misspelt] = 0")], tables)
    assert settle_notes(judged, strict=False) == ((), judged.notes)
    assert settle_notes(judged, strict=True) == (judged.notes, ())
    assert judged.notes[0].code == 2


def test_a_name_in_quotes_is_meant_as_written(tables):
    judged = judge([parse_rule('custom_call["lapack_dsyevd_ffi"] = 0')], tables)
    assert settle_notes(judged, strict=True) == ((), judged.notes)


def test_what_is_near_is_a_note_where_other_targets_may_have_it(tables):
    rule = parse_rule("custom_call[lapack_ssyevd_fi] = 0", where="pyproject.toml")
    assert judge([rule], tables, complete=["energy"]).notes
    assert judge([rule], tables, complete=True).problems
    assert judge([replace(rule, where="--rule")], tables, complete=["energy"]).problems


def test_a_name_that_another_program_has_is_known_in_all(tables):
    rule = parse_rule("forward/custom_call[lapack_ssyevd_ffi] = 0")
    without = replace(
        tables["forward"], levels={**tables["forward"].levels, "stablehlo": without_calls(tables["forward"])}
    )
    judged = judge([rule], {"forward": without, "grad": tables["grad"]})
    assert (outcome(judged), judged.notes) == ("holds", ())


def without_calls(tables):
    table = tables.levels["stablehlo"]
    kept = {row: number for row, number in table.weights.items() if row.name != "stablehlo.custom_call"}
    return replace(table, static=None, expanded=kept)


@pytest.mark.parametrize("text", ["dot_general[f64] = 0", "scan[length=6] = 0", "custom_call[misspelt] = 0"])
def test_a_filter_on_what_was_not_read_is_a_problem(text, captured):
    stored = tables_of_snapshot(captured["grad"].snapshot)
    (problem,) = judge([parse_rule(text)], {"grad": stored}).problems
    assert "are not known: a record or a snapshot does not keep them" in problem.message


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("misspelt", None), ("gem", "gemm"), ("te_gemm", "te_gemm_v2"), ("te-gemm", "te_gemm"), ("te_gmem", "te_gemm"),
        ("a", "ab"), ("layer_norm_bwd", "layer_norm_backward"),
    ],
)  # fmt: skip
def test_nearness(text, name):
    near = {"gem": "gemm", "te_gemm": "te_gemm_v2", "te-gemm": "te_gemm", "te_gmem": "te_gemm"}
    assert nearest(text, [name or "quite_another", "unlike_any"]) == near.get(text)
