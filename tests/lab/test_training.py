"""Training: the published step, the same numbers from the same seed, and a killed run that ends as if it had not been."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltc_ir.errors import NOTES, UsageError
from ltc_ir.lab import training
from ltc_ir.lab.data import oscillator_set
from ltc_ir.lab.models import LTC, MODELS
from ltc_ir.lab.models.common import LEARNING_RATE, MAX_NORM, Problem, adam_start
from ltc_ir.lab.training import EPSILON, Recipe, problem_of, start, train

pytestmark = pytest.mark.early

SERIES = oscillator_set()
SHORT = Recipe("ctrnn", "0.5", 3, epochs=8, every=2)


def by_hand(recipe: Recipe) -> tuple[np.ndarray, list[float]]:
    """The published loop: a jitted step called from Python."""
    model = MODELS[recipe.model]
    problem = problem_of(SERIES[recipe.series].train)
    step = jax.jit(lambda params, state: model.train_step(params, state, problem))
    params = model.flatten(model.init(jax.random.key(recipe.seed)))
    state, losses = adam_start(params), []
    for _ in range(recipe.epochs):
        params, state, loss = step(params, state)
        losses.append(float(loss))
    return np.asarray(params), losses


def test_the_compiled_epochs_are_the_published_loop():
    recipe = Recipe("ltc", "0.8", 1, epochs=4, every=2)
    params, losses = by_hand(recipe)
    made = train(recipe, SERIES["0.8"])
    np.testing.assert_allclose(made.losses, losses, rtol=2e-3)
    apart = np.abs(made.last - params)  # Adam takes whole steps on gradients that are rounding errors
    assert np.median(apart) < 1e-5
    assert apart.max() < 2 * LEARNING_RATE
    assert made.losses.shape == (4,)
    assert made.evaluations.shape == (2, 2)


def test_optax_takes_the_same_step():
    optax = pytest.importorskip("optax")
    chain = optax.chain(optax.clip_by_global_norm(MAX_NORM), optax.adam(LEARNING_RATE, 0.9, 0.999, 1e-8))
    params = LTC.flatten(LTC.init(jax.random.key(0)))

    def goal(flat: jax.Array) -> jax.Array:
        return 30 * jnp.sum(jnp.sin(3 * flat) ** 2)  # steep enough to be clipped

    ours, state = params, adam_start(params)
    theirs, kept = params, chain.init(params)
    for _ in range(20):
        ours, state, _ = LTC.descend(goal, ours, state)
        updates, kept = chain.update(jax.grad(goal)(theirs), kept)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert np.abs(ours - params).max() > 10 * LEARNING_RATE


def test_the_best_is_that_of_the_least_loss():
    made = train(Recipe("node", "0.1", 0, epochs=12, every=2), SERIES["0.1"])
    for number, (params, split) in enumerate(
        ((made.test, SERIES["0.1"].test), (made.validation, SERIES["0.1"].validation))
    ):
        found = float(jax.jit(partial(MODELS["node"].loss, problem=problem_of(split)))(params))
        assert found == pytest.approx(made.evaluations[:, number].min(), rel=1e-4)


def test_the_same_seed_gives_the_same_numbers():
    one, two = train(SHORT, SERIES["0.5"]), train(SHORT, SERIES["0.5"])
    assert one.last.tobytes() == two.last.tobytes()
    other = train(Recipe("ctrnn", "0.5", 4, epochs=8, every=2), SERIES["0.5"])
    assert (other.last != one.last).any()


@pytest.mark.parametrize("killed_after", [4])
def test_a_killed_training_ends_as_if_it_had_not_been(
    killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(training, "SEGMENT", 1)

    class KilledError(Exception):
        pass

    def kill(done: int) -> None:
        if done == killed_after:
            raise KilledError

    whole = train(SHORT, SERIES["0.5"])
    with pytest.raises(KilledError):
        train(SHORT, SERIES["0.5"], tmp_path, kill)
    assert [path.name for path in tmp_path.iterdir()] == [f"{SHORT.name}.part.npz"]
    done: list[int] = []
    resumed = train(SHORT, SERIES["0.5"], tmp_path, done.append)
    assert done == list(range(killed_after + 2, 9, 2))
    assert [path.name for path in tmp_path.iterdir()] == [f"{SHORT.name}.npz"]
    again = train(SHORT, SERIES["0.5"], tmp_path, done.append)
    for part in ("last", "test", "validation", "losses", "evaluations"):
        assert getattr(resumed, part).tobytes() == getattr(whole, part).tobytes()
        assert getattr(again, part).tobytes() == getattr(whole, part).tobytes()
    assert len(done) == len(range(killed_after + 2, 9, 2))


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "folder", "other recipe"])
@pytest.mark.parametrize("ending", ["", ".part"])
def test_what_is_not_this_training_is_named_and_trained_again(damage: str, ending: str, tmp_path: Path):
    whole = train(SHORT, SERIES["0.5"], tmp_path)
    path = tmp_path / f"{SHORT.name}.npz"
    data = path.read_bytes()
    path.unlink()
    path = tmp_path / f"{SHORT.name}{ending}.npz"
    if damage == "folder":
        path.mkdir()
    elif damage == "other recipe":
        train(Recipe("ctrnn", "0.5", 9, epochs=8, every=2), SERIES["0.5"], tmp_path)
        (tmp_path / "ctrnn-0.5-seed9-8by2.npz").rename(path)
    else:
        path.write_bytes({"cut": data[:200], "empty": b"", "garbage": b"\x93NUMPY" * 9}[damage])
    NOTES.clear()
    again = train(SHORT, SERIES["0.5"], tmp_path)
    assert again.last.tobytes() == whole.last.tobytes()
    (note,) = NOTES
    assert note.startswith(f"{path} ")
    assert "it was trained again" in note
    kept, aside = sorted(tmp_path.iterdir())
    assert kept.name == f"{SHORT.name}.npz"
    assert aside.name.endswith(".old")
    NOTES.clear()


@pytest.mark.parametrize(
    "changed",
    [
        {"about": np.frombuffer(b"[]", np.uint8)},
        {"losses": np.float32(3)},
        {"losses": np.zeros(6, np.float32)},
        {"evaluations": np.zeros((2, 2), np.float32)},
        {"0": np.zeros(3, np.float32)},
        {"0": np.zeros(99, np.float64)},
    ],
)
@pytest.mark.parametrize("ending", ["", ".part"])
def test_arrays_that_no_training_can_have_are_not_used(changed: dict[str, np.ndarray], ending: str, tmp_path: Path):
    train(SHORT, SERIES["0.5"], tmp_path)
    path = tmp_path / f"{SHORT.name}.npz"
    held = dict(np.load(path))
    path.unlink()
    np.savez(tmp_path / f"{SHORT.name}{ending}.npz", **(held | changed))
    NOTES.clear()
    train(SHORT, SERIES["0.5"], tmp_path)
    (note,) = NOTES
    assert "it was trained again" in note
    NOTES.clear()


def test_numbers_of_another_width_are_refused_before_the_work():
    wide = jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()
    with wide, pytest.raises(UsageError, match="float32"):
        train(SHORT, SERIES["0.5"])


def test_a_series_that_is_not_the_recipe_s_is_refused():
    with pytest.raises(UsageError, match=r"for 0\.5, the series is 0\.3"):
        train(SHORT, SERIES["0.3"])


def test_a_training_on_other_noise_is_not_taken_for_this_one(tmp_path: Path):
    noisy = replace(SHORT, noisy=True)
    train(noisy, SERIES["0.5"], tmp_path)
    NOTES.clear()
    train(noisy, oscillator_set(1)["0.5"], tmp_path)
    assert "other data" in " ".join(NOTES)
    NOTES.clear()


def test_evaluations_have_names():
    made = train(SHORT, SERIES["0.5"])
    assert made.evaluated.tolist() == [2, 4, 6, 8]
    assert np.stack([made.on_test, made.on_validation], axis=1).tolist() == made.evaluations.tolist()


def test_omega_of_the_code_is_of_tau0_alone():
    problem = problem_of(SERIES["0.3"].train)
    flat = LTC.flatten(LTC.init(jax.random.key(0))) + 0.1
    plain = training.objective(Recipe("ltc", "0.3", 0), problem, 0.5)(flat)
    with_omega = training.objective(Recipe("ltc", "0.3", 0, omega="static"), problem, 0.5)(flat)
    omega = -np.mean(np.log(np.asarray(LTC.unflatten(flat).tau0) + EPSILON))
    assert float(with_omega - plain) == pytest.approx(0.5 * omega, rel=1e-3)


def test_omega_of_the_text_is_of_tau_along_the_trajectory():
    problem: Problem = problem_of(SERIES["0.3"].train)
    flat = LTC.flatten(LTC.init(jax.random.key(0))) + 0.1
    plain = training.objective(Recipe("ltc", "0.3", 0), problem, 0.5)(flat)
    with_omega = training.objective(Recipe("ltc", "0.3", 0, omega="trajectory"), problem, 0.5)(flat)
    p = LTC.unflatten(flat)
    taus = [
        p.tau0 + np.log1p(np.exp(p.W_tau @ x + p.U_tau @ i + p.b_tau))
        for x, i in zip(LTC.rollout(flat, problem), problem.inputs, strict=True)
    ]
    assert float(with_omega - plain) == pytest.approx(-0.5 * float(np.mean(np.log(taus))), rel=1e-3)


def test_a_diverging_training_keeps_the_best_it_had():
    best = training.Best(jnp.ones(2), jnp.float32(3.0))
    kept = training._better(best, jnp.zeros(2), jnp.float32(jnp.nan))
    assert (float(kept.loss), kept.params.tolist()) == (3.0, [1.0, 1.0])


def test_a_training_that_was_never_better_than_nothing_has_no_parameters(tmp_path: Path):
    """Its initial values are no model that was trained, and its figures must not look like those of one."""
    carry = start(SHORT)._replace(validation=training.Best(start(SHORT).params, jnp.float32(0.5)))
    lost = [np.full(8, np.nan, np.float32)], [np.full((4, 2), np.nan, np.float32)]
    training._write_checkpoint(
        tmp_path / f"{SHORT.name}.npz", training._identify_training(SHORT, SERIES["0.5"]), carry, *lost
    )
    made = train(SHORT, SERIES["0.5"], tmp_path)
    assert np.isnan(made.test).all()
    assert made.validation.tolist() == carry.params.tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "lstm"}, "unknown model 'lstm'"),
        ({"epochs": 7}, "7 epochs cannot be evaluated every 2"),
        ({"omega": "static"}, "no Omega 'static' for ctrnn"),
        ({"model": "ltc", "omega": "full"}, "no Omega 'full' for ltc"),
    ],
)
def test_a_recipe_that_is_none(changed: dict[str, object], message: str):
    with pytest.raises(UsageError, match=message):
        Recipe(**{"model": "ctrnn", "series": "0.5", "seed": 0, "epochs": 8, "every": 2, **changed})


def test_the_start_hangs_on_model_and_seed_alone():
    plain, with_omega = start(Recipe("ltc", "0.1", 5)), start(Recipe("ltc", "1.2", 5, omega="static", weight=0.1))
    assert plain.params.tobytes() == with_omega.params.tobytes()
