"""Holds the models to their formulas, and the default target to the published figures of its IR."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltc_ir.lab.models import CTRNN, LTC, MODELS, NODE, Model, common, ctrnn, ltc, node
from ltc_ir.lab.models.common import AdamState, Problem, adam_start, oscillator_problem
from ltc_ir.lab.physics import oscillator
from ltc_ir.targets.target import Program, Target

pytestmark = [pytest.mark.early, pytest.mark.usefixtures("quick_compile")]

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "seed_ir.json").read_text(encoding="utf-8"))
PROGRAMS = ("rollout", "loss", "grad", "train_step")
ORDERS = (PROGRAMS, PROGRAMS[::-1], ("grad", "rollout", "train_step", "loss"))
VERSION = tuple(int(part) for part in jax.__version__.split(".")[:2])
EACH_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def program_of(target: Target, name: str) -> Program:
    """The program under the name that the reference gives it."""
    return Program(target.fn, target.args) if name == "rollout" else target.programs[name]


def equations(value: Any) -> Iterator[Any]:
    """Every equation within a jaxpr, or within whatever a parameter holds."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from equations(item)
    elif hasattr(value, "eqns"):
        for equation in value.eqns:
            yield equation
            yield from equations(tuple(equation.params.values()))
    elif hasattr(value, "jaxpr"):
        yield from equations(value.jaxpr)


def facts(name: str) -> dict[str, Any]:
    """The default target's figures for one program, counted without the tool."""
    program = program_of(ltc.TARGET, name)
    traced = jax.jit(program.fn).trace(*program.args)
    text = traced.lower().as_text()
    return {
        "primitives": Counter(equation.primitive.name for equation in equations(traced.jaxpr)),
        "top": len(traced.jaxpr.eqns),
        "lines": len(text.splitlines()),
        "while": text.count("stablehlo.while"),
    }


@cache
def published() -> dict[str, dict[str, Any]]:
    return {name: facts(name) for name in PROGRAMS}


@pytest.mark.versions
@pytest.mark.skipif(VERSION != (0, 6), reason="the published figures are those of JAX 0.6.1 and 0.6.2")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_default_target_is_the_published_program(name: str) -> None:
    reference, ours = REFERENCE["programs"][name], published()[name]
    assert ours["primitives"] == reference["jaxpr"]["primitive_counts"]
    assert ours["top"] == reference["jaxpr"]["top_level_eqns"]
    assert {key: ours[key] for key in ("lines", "while")} == reference["stablehlo"]


@pytest.mark.versions
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_default_target_has_the_figures_recorded_for_this_jax(name: str) -> None:
    recorded = [
        by_name for version, by_name in REFERENCE["other_versions"].items() if version.startswith(jax.__version__)
    ]
    if not recorded:
        pytest.skip(f"no figures are recorded under other_versions for JAX {jax.__version__}")
    ours = published()[name]
    equation_count = sum(ours["primitives"].values())
    assert {"lines": ours["lines"], "while": ours["while"], "eqns": equation_count} == recorded[0][name]


@pytest.mark.versions
def test_the_headline_primitives_grow_as_published() -> None:
    headline = {name: grown for name, grown in REFERENCE["headline"].items() if name != "order"}
    if VERSION >= (0, 12):
        headline["scan"] = [2, 5]  # searchsorted became one primitive of its own
    ours = published()
    assert {name: [ours[each]["primitives"][name] for each in ("rollout", "grad")] for name in headline} == headline


@pytest.mark.versions
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_figures_do_not_depend_on_what_was_traced_before(order: tuple[str, ...]) -> None:
    oscillator_problem.cache_clear()  # so the first program builds its constants inside its own trace
    jax.clear_caches()
    assert {name: facts(name) for name in order} == published()


@EACH_MODEL
def test_a_target_has_all_programs_and_allocates_nothing(model: Model[Any]) -> None:
    target = {LTC: ltc, CTRNN: ctrnn, NODE: node}[model].TARGET
    programs = [program_of(target, name) for name in PROGRAMS]
    assert {type(leaf) for leaf in jax.tree.leaves([each.args for each in programs])} == {jax.ShapeDtypeStruct}
    shapes = [jax.eval_shape(each.fn, *each.args) for each in programs]
    flat = (model.size(),)
    assert jax.tree.map(lambda leaf: leaf.shape, shapes) == [(100, 8), (), flat, (flat, AdamState(flat, flat, ()), ())]


def python(code: str) -> int:
    """The exit code of an interpreter in which JAX has no platform to compute on."""
    environment = {**os.environ, "JAX_PLATFORMS": "no_such_platform"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False).returncode


def test_importing_the_models_computes_nothing() -> None:
    assert python("import ltc_ir.lab.models") == 0
    assert python("import ltc_ir.lab.models.ltc as ltc; ltc.oscillator_problem()") != 0


@pytest.mark.parametrize(("model", "size"), [(LTC, 184), (CTRNN, 96), (NODE, 160)], ids=MODELS)
def test_parameter_counts(model: Model[Any], size: int) -> None:
    assert model.size() == size == model.flatten(model.init(jax.random.key(42))).size


@EACH_MODEL
def test_a_record_starts_as_published(model: Model[Any]) -> None:
    record = model.init(jax.random.key(42), input_size=30, hidden_size=40)
    matrices = np.concatenate([leaf.ravel() for leaf in record if leaf.ndim == 2])
    assert abs(matrices.mean()) < 0.01
    assert matrices.std() == pytest.approx(0.1, rel=0.05)
    vectors = {name: set(leaf.tolist()) for name, leaf in record._asdict().items() if leaf.ndim == 1}
    assert vectors == {name: {1.0 if name == "tau0" else 0.0} for name in vectors}
    assert {leaf.dtype for leaf in record} == {jnp.dtype("float32")}


@EACH_MODEL
def test_a_record_survives_the_flat_form(model: Model[Any]) -> None:
    sizes = {"input_size": 3, "hidden_size": 4}
    record = jax.tree.map(
        lambda leaf: leaf + jnp.arange(leaf.size).reshape(leaf.shape), model.init(jax.random.key(0), **sizes)
    )
    flat = model.flatten(record)
    back = model.unflatten(flat, **sizes)
    assert type(back) is model.record
    jax.tree.map(np.testing.assert_array_equal, back, record)
    np.testing.assert_array_equal(flat[:16], np.asarray(record[0]).flatten(order="F"))


def test_a_vector_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ctrnn with input size 2 .* shape \(96,\), not \(184,\)"):
        CTRNN.rollout(jnp.zeros(184))


def strong(model: Model[Any]) -> Any:
    """Parameters far from where the model starts, so that every term counts."""
    flat = model.flatten(model.init(jax.random.key(1)))
    return model.unflatten(flat + 0.3 * jax.random.normal(jax.random.key(2), flat.shape))


def short_problem() -> Problem:
    """Nine points, and an initial state that is not zero."""
    times = np.linspace(0.0, 3.0, 9)
    series = oscillator(times, 0.3)
    return Problem(*(jnp.asarray(part, jnp.float32) for part in (np.linspace(-1, 1, 8), series, times, series)))


def rate(name: str, p: dict[str, np.ndarray], x: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The table of the models' equations, once more, in float64."""
    if name == "ltc":
        tau = p["tau0"] + np.log1p(np.exp(p["W_tau"] @ x + p["U_tau"] @ u + p["b_tau"]))
        return -x / tau + np.tanh(p["W_f"] @ x + p["U_f"] @ u + p["b_f"])
    if name == "ctrnn":
        return -x / np.exp(p["log_tau"]) + np.tanh(p["W"] @ x + p["U"] @ u + p["b"])
    return p["W2"] @ np.tanh(p["W1"] @ x + p["U1"] @ u + p["b1"]) + p["b2"]


def runge_kutta(name: str, record: Any, problem: Problem, steps: int = 20) -> np.ndarray:
    """The states at the problem's times by the classical fourth-order rule, each input held up to its own time."""
    p = {field: np.asarray(leaf, np.float64) for field, leaf in record._asdict().items()}
    states = [np.asarray(problem.initial, np.float64)]
    for span, u in zip(np.diff(problem.times), np.asarray(problem.inputs)[1:], strict=True):
        x, h = states[-1], float(span) / steps
        for _ in range(steps):
            a = rate(name, p, x, u)
            b = rate(name, p, x + h / 2 * a, u)
            c = rate(name, p, x + h / 2 * b, u)
            x = x + h / 6 * (a + 2 * b + 2 * c + rate(name, p, x + h * c, u))
        states.append(x)
    return np.stack(states)


@cache
def jitted(model: Model[Any], name: str) -> Any:
    """A function of the model on `short_problem`, compiled once per form of its parameters.

    Without jit each call compiles the solver.
    """
    return jax.jit(partial(getattr(model, name), problem=short_problem()))


@pytest.mark.versions
@EACH_MODEL
def test_a_rollout_solves_the_equations(model: Model[Any]) -> None:
    record, problem = strong(model), short_problem()
    problem = problem._replace(inputs=jnp.full_like(problem.inputs, 0.7))
    ours = model.rollout(record, problem)
    np.testing.assert_allclose(ours, runge_kutta(model.name, record, problem), atol=2e-5)
    assert np.ptp(ours, axis=0).min() > 1e-2


@pytest.mark.versions
@EACH_MODEL
def test_each_input_is_held_up_to_its_own_time(model: Model[Any]) -> None:
    record, problem = strong(model), short_problem()
    held = runge_kutta(model.name, record, problem)
    late = runge_kutta(model.name, record, problem._replace(inputs=jnp.roll(problem.inputs, 1, axis=0)))
    # The solver's error estimate gives its first stage a weight of 0.0008, so it hardly sees a jump at a step's start.
    np.testing.assert_allclose(model.rollout(record, problem), held, atol=3e-3)
    assert np.abs(late - held).max() > 3e-2


@EACH_MODEL
def test_the_loss_compares_the_first_two_states(model: Model[Any]) -> None:
    record, problem = strong(model), oscillator_problem()
    states = np.asarray(model.rollout(record))
    assert float(model.loss(record)) == pytest.approx(float(np.mean((states[:, :2] - problem.target) ** 2)), rel=1e-5)


@pytest.mark.versions
@EACH_MODEL
def test_the_gradient_agrees_with_finite_differences(model: Model[Any]) -> None:
    flat, loss = model.flatten(strong(model)), jitted(model, "loss")
    gradient = jitted(model, "grad")(flat)
    direction = gradient / jnp.linalg.norm(gradient)
    ahead, behind = (float(loss(flat + step * direction)) for step in (1e-2, -1e-2))
    assert (ahead - behind) / 2e-2 == pytest.approx(float(jnp.linalg.norm(gradient)), rel=2e-2)


@EACH_MODEL
def test_record_and_flat_form_agree(model: Model[Any]) -> None:
    record, problem = strong(model), short_problem()
    flat = model.flatten(record)
    np.testing.assert_array_equal(model.rollout(record, problem), model.rollout(flat, problem))
    assert jax.eval_shape(lambda each: model.grad(each, problem), record) == jax.eval_shape(lambda: record)
    stepped, state, loss = model.train_step(record, adam_start(record), problem)
    stepped_flat, state_flat, loss_flat = model.train_step(flat, adam_start(flat), problem)
    assert type(stepped) is type(state.first) is model.record
    np.testing.assert_allclose(model.flatten(stepped), stepped_flat, atol=1e-5)
    np.testing.assert_allclose(model.flatten(state.first), state_flat.first, rtol=1e-3, atol=1e-6)
    assert float(loss) == pytest.approx(float(loss_flat))
    assert state.step.dtype == state_flat.step.dtype == jnp.int32


def test_a_train_step_is_adam_on_the_clipped_gradient() -> None:
    problem = short_problem()._replace(target=jnp.full((9, 2), 9.0))
    flat = LTC.flatten(LTC.init(jax.random.key(42)))
    gradient = np.asarray(LTC.grad(flat, problem), np.float64)
    assert np.linalg.norm(gradient) > 1.0
    clipped = gradient / np.linalg.norm(gradient)
    stepped, state, loss = LTC.train_step(flat, adam_start(flat), problem)
    np.testing.assert_allclose(state.first, 0.1 * clipped, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(state.second, 0.001 * clipped**2, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(stepped - flat, -1e-3 * clipped / (np.abs(clipped) + 1e-8), atol=1e-5)
    assert (int(state.step), float(loss)) == (1, pytest.approx(float(LTC.loss(flat, problem))))


@EACH_MODEL
def test_training_lowers_the_loss(model: Model[Any]) -> None:
    step, loss = jitted(model, "train_step"), jitted(model, "loss")
    params = model.init(jax.random.key(42))
    state, before = adam_start(params), loss(params)
    for _ in range(30):
        params, state, _ = step(params, state)
    assert loss(params) < before
    assert int(state.step) == 30


@pytest.mark.parametrize("zeta", [0.1, 0.8, 1.0, 1.2])
def test_the_oscillator_obeys_its_equation(zeta: float) -> None:
    times = np.linspace(0.0, 20.0, 20_001)
    u, v = oscillator(times, zeta).T
    assert (u[0], v[0]) == (1.0, 0.0)
    np.testing.assert_allclose(np.gradient(u, times)[1:-1], v[1:-1], atol=1e-6)
    np.testing.assert_allclose(np.gradient(v, times)[1:-1], (-2 * zeta * v - u)[1:-1], atol=1e-6)


def test_the_published_problem_is_teacher_forced_on_the_even_points() -> None:
    problem = oscillator_problem()
    np.testing.assert_allclose(problem.times, np.arange(0, 200, 2) * 20 / 199, rtol=1e-6)
    np.testing.assert_array_equal(problem.inputs, problem.target)
    np.testing.assert_allclose(problem.target, oscillator(np.asarray(problem.times, np.float64), 0.1), atol=1e-5)
    np.testing.assert_array_equal(problem.initial, np.zeros(common.HIDDEN_SIZE))
