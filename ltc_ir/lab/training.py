"""Trains a model as published, in one compiled program; a run that is killed goes on from where it was kept, bit for bit."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ltc_ir.errors import NOTES, UsageError
from ltc_ir.files import read_bytes
from ltc_ir.lab.data import Series, Split, oscillator_set
from ltc_ir.lab.models import LTC, MODELS
from ltc_ir.lab.models.common import HIDDEN_SIZE, AdamState, Model, Problem, adam_start
from ltc_ir.lab.models.ltc import Params, time_constant
from ltc_ir.targets.target import Target
from ltc_ir.writing import write_whole

EPOCHS = 300
"""Epochs of the published training."""
EVERY, EVERY_MDL = 10, 30
"""Epochs between two evaluations, of a plain training and of one with Omega."""
OMEGAS = ("static", "trajectory")
"""Omega as the published code has it, of tau0 alone, and as the text has it, of tau along the trajectory."""
EPSILON = 1e-6
"""What the published code adds to tau0 under the logarithm."""
SEGMENT = 5
"""Evaluations between two checkpoints, at most."""


@dataclass(frozen=True)
class Recipe:
    """What a training is made of: the same recipe, JAX and machine give the same numbers.

    ``omega`` is one of `OMEGAS` or ``None``, ``weight`` its factor lambda. ``noisy`` trains on the noisy copy.
    """

    model: str
    series: str
    seed: int
    epochs: int = EPOCHS
    every: int = EVERY
    omega: str | None = None
    weight: float = 0.0
    noisy: bool = False

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UsageError(f"unknown model {self.model!r}", f"models are {', '.join(MODELS)}")
        if self.epochs < 1 or self.every < 1 or self.epochs % self.every:
            raise UsageError(
                f"{self.epochs} epochs cannot be evaluated every {self.every}",
                "make the first a multiple of the second",
            )
        if self.omega is not None and (self.omega not in OMEGAS or self.model != LTC.name):
            raise UsageError(f"no Omega {self.omega!r} for {self.model}", f"{LTC.name} has {', '.join(OMEGAS)}")

    @property
    def name(self) -> str:
        """A file name that no other recipe has."""
        words = [self.model, self.series.replace(" -> ", "to"), f"seed{self.seed}", f"{self.epochs}by{self.every}"]
        words += [] if self.omega is None else [f"{self.omega}{self.weight:g}"]
        return "-".join([*words, *(["noisy"] if self.noisy else [])])


class Best(NamedTuple):
    """The parameters with the least loss on a split so far, and that loss."""

    params: Any
    loss: Any


class Carry(NamedTuple):
    """A training as far as it has come: what the compiled program takes and gives."""

    params: Any
    adam: AdamState
    test: Best
    validation: Best


class Trained(NamedTuple):
    """A training at its end.

    ``last`` are the parameters after the last epoch, ``test`` and ``validation`` those with the least loss on that split
    among the evaluated epochs, no numbers where none gave a loss. ``losses`` (epochs,) are those before each step;
    ``evaluations`` (evaluations, 2) those on test and validation, which have names of their own.
    """

    recipe: Recipe
    last: NDArray[np.float32]
    test: NDArray[np.float32]
    validation: NDArray[np.float32]
    losses: NDArray[np.float32]
    evaluations: NDArray[np.float32]

    @property
    def evaluated(self) -> NDArray[np.int64]:
        """The epochs after which it was evaluated, (evaluations,)."""
        return np.arange(1, len(self.evaluations) + 1) * self.recipe.every

    @property
    def on_test(self) -> NDArray[np.float32]:
        """The loss on the test split after each of them."""
        return self.evaluations[:, 0]

    @property
    def on_validation(self) -> NDArray[np.float32]:
        """The same on the validation split."""
        return self.evaluations[:, 1]


def problem_of(split: Split, hidden: int = HIDDEN_SIZE, noisy: bool = False) -> Problem:
    """A split as a model takes it: from rest, teacher-forced by the very series it is to follow."""
    series = jnp.asarray(split.noisy if noisy else split.clean)
    return Problem(jnp.zeros(hidden, jnp.float32), series, jnp.asarray(split.times), series)


def objective(recipe: Recipe, problem: Problem, weight: Any) -> Callable[[Any], Any]:
    """The function of the flat parameters that is trained: the loss, and lambda times Omega."""
    model: Model[Any] = MODELS[recipe.model]
    if recipe.omega is None:
        return lambda flat: model.loss(flat, problem)
    if recipe.omega == "static":
        return lambda flat: model.loss(flat, problem) - weight * jnp.mean(jnp.log(_record(flat).tau0 + EPSILON))

    def with_trajectory(flat: Any) -> Any:
        states = model.rollout(flat, problem)
        loss = jnp.mean((states[:, : problem.target.shape[1]] - problem.target) ** 2)
        return loss - weight * jnp.mean(jnp.log(time_constants(flat, states, problem.inputs)))

    return with_trajectory


def time_constants(flat: Any, states: Any, inputs: Any) -> Any:
    """The time constants (T, H) of an LTC along states (T, H) under inputs (T, D)."""
    return jax.vmap(time_constant, in_axes=(None, 0, 0))(_record(flat), states, inputs)


def _record(flat: Any) -> Params:
    return LTC.unflatten(flat)


@cache
def _segment(model: str, every: int, omega: str | None, evaluations: int, times: tuple[bytes, bytes, bytes]) -> Any:
    """The compiled program of some evaluations: a scan over them, and in it a scan over epochs.

    The times of the splits are constants of the program, as a rollout needs; the series and lambda are arguments, so that
    all damping ratios and seeds share one program.
    """
    recipe = Recipe(model, "", 0, every * evaluations, every, omega)
    train_times, test_times, validation_times = (jnp.asarray(np.frombuffer(one, np.float32)) for one in times)
    trained: Model[Any] = MODELS[model]

    def loss_on(flat: Any, series: Any, at: Any) -> Any:
        return trained.loss(flat, Problem(jnp.zeros(HIDDEN_SIZE, jnp.float32), series, at, series))

    def run(carry: Carry, series: tuple[Any, Any, Any], weight: Any) -> tuple[Carry, tuple[Any, Any]]:
        train, test, validation = series
        problem = Problem(jnp.zeros(HIDDEN_SIZE, jnp.float32), train, train_times, train)
        goal = objective(recipe, problem, weight)

        def epoch(carried: tuple[Any, AdamState], _: None) -> tuple[tuple[Any, AdamState], Any]:
            params, state, loss = trained.descend(goal, *carried)
            return (params, state), loss

        def evaluation(carry: Carry, _: None) -> tuple[Carry, tuple[Any, Any]]:
            (params, state), losses = jax.lax.scan(epoch, (carry.params, carry.adam), None, length=every)
            on_test = loss_on(params, test, test_times)
            on_validation = loss_on(params, validation, validation_times)
            best = _better(carry.test, params, on_test), _better(carry.validation, params, on_validation)
            return Carry(params, state, *best), (losses, jnp.stack([on_test, on_validation]))

        return jax.lax.scan(evaluation, carry, None, length=evaluations)

    return jax.jit(run)


def _better(best: Best, params: Any, loss: Any) -> Best:
    """The better of the two; a loss that is no number is never better."""
    better = loss < best.loss
    return Best(jnp.where(better, params, best.params), jnp.where(better, loss, best.loss))


def start(recipe: Recipe) -> Carry:
    """A training before its first epoch; the initial values hang on the seed and the model alone."""
    model: Model[Any] = MODELS[recipe.model]
    flat = model.flatten(model.init(jax.random.key(recipe.seed)))
    none = Best(flat, jnp.float32(jnp.inf))
    return Carry(flat, adam_start(flat), none, none)


def train(
    recipe: Recipe, series: Series, folder: Path | None = None, tell: Callable[[int], None] | None = None
) -> Trained:
    """Train a model, or take up a training that was kept; one that cannot be used is named in a note, and trained again.

    Args:
        recipe: what is trained, and how.
        series: the data; ``recipe.series`` is its name.
        folder: where the training and its checkpoints are kept; nowhere where ``None``.
        tell: is told how many epochs are done.

    Raises:
        UsageError: ``series`` is not the recipe's, or JAX is set to 64 bits.

    """
    if series.name != recipe.series:
        raise UsageError(f"the recipe is for {recipe.series}, the series is {series.name}", "give the series it names")
    kept = None if folder is None else folder / f"{recipe.name}.npz"
    about = _identify_training(recipe, series)
    if kept is not None:
        loaded = _load_usable(about, kept, start(recipe), range(recipe.epochs, recipe.epochs + 1))
        if loaded is not None:
            return _build_trained(recipe, *loaded)
    if jnp.result_type(float) != jnp.float32:
        raise UsageError("trainings are in float32, and JAX is set to 64 bits", "run it without JAX_ENABLE_X64")
    part = None if folder is None else folder / f"{recipe.name}.part.npz"
    evaluations = recipe.epochs // recipe.every
    each = next(number for number in range(min(SEGMENT, evaluations), 0, -1) if evaluations % number == 0)
    program, arguments = program_of(recipe, series, each)
    carry, done = start(recipe), 0
    losses: list[Any] = []
    evaluated: list[Any] = []
    if part is not None:
        step = each * recipe.every
        loaded = _load_usable(about, part, carry, range(step, recipe.epochs, step))
        carry, losses, evaluated = loaded or (carry, losses, evaluated)
        done = sum(map(len, losses))
    while done < recipe.epochs:
        carry, (lost, judged) = program(carry, *arguments)
        losses.append(np.asarray(lost).reshape(-1))
        evaluated.append(np.asarray(judged))
        done += each * recipe.every
        if part is not None and done < recipe.epochs:
            _write_checkpoint(part, about, carry, losses, evaluated)
        if tell is not None:
            tell(done)
    if kept is not None and part is not None:
        _write_checkpoint(kept, about, carry, losses, evaluated)
        part.unlink(missing_ok=True)
    return _build_trained(recipe, carry, losses, evaluated)


def program_of(recipe: Recipe, series: Series, evaluations: int) -> tuple[Any, tuple[Any, Any]]:
    """The compiled program of some evaluations of a recipe, and its arguments after the carry."""
    splits = (series.train, series.test, series.validation)
    times = tuple(split.times.tobytes() for split in splits)
    program = _segment(recipe.model, recipe.every, recipe.omega, evaluations, (times[0], times[1], times[2]))
    train = series.train.noisy if recipe.noisy else series.train.clean
    given = tuple(map(jnp.asarray, (train, series.test.clean, series.validation.clean)))
    return program, (given, jnp.float32(recipe.weight))


def _identify_training(recipe: Recipe, series: Series) -> dict[str, Any]:
    """What a training is of: the recipe, JAX, and a digest of the data."""
    digest = hashlib.sha256()
    for split in (series.train, series.test, series.validation):
        for part in split:
            digest.update(part.tobytes())
    return {"recipe": asdict(recipe), "jax": jax.__version__, "data": digest.hexdigest()}


def _write_checkpoint(
    path: Path,
    about: Mapping[str, Any],
    carry: Carry,
    losses: list[NDArray[np.float32]],
    evaluated: list[NDArray[np.float32]],
) -> None:
    """Keep a training, whole or not at all: its leaves by number, and what it is of."""
    leaves: dict[str, Any] = {f"{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(carry))}
    told = json.dumps(about, sort_keys=True).encode()
    file = io.BytesIO()
    np.savez(
        file, about=np.frombuffer(told, np.uint8), losses=np.concatenate(losses),
        evaluations=np.concatenate(evaluated), **leaves,
    )  # fmt: skip
    write_whole(str(path), file.getvalue(), folders=True)


Loaded = tuple[Carry, list[Any], list[Any]]


def _load_usable(wanted: Mapping[str, Any], path: Path, like: Carry, done: range) -> Loaded | None:
    """The training of a checkpoint; ``None`` where there is none, or none that can be used, which is set aside and named."""
    if not os.path.lexists(path):
        return None
    try:
        return _load_checkpoint(wanted, path, like, done)
    except UsageError as error:
        aside = path.with_name(f"{path.name}.{secrets.token_hex(2)}.old")
        path.rename(aside)
        NOTES[f"{error.message}: it was trained again, and that is now {aside.name}"] = None
        return None


def _load_checkpoint(wanted: Mapping[str, Any], path: Path, like: Carry, done: range) -> Loaded:
    """The training of a checkpoint, which is as far as one of ``done`` epochs.

    Raises:
        UsageError: the file is damaged, or of another recipe, other data or another JAX.

    """
    try:
        with np.load(io.BytesIO(read_bytes(str(path))), allow_pickle=False) as held:
            about = dict(json.loads(held["about"].tobytes()))
            flat, tree = jax.tree.flatten(like)
            leaves = [held[f"{number}"] for number in range(len(flat))]
            losses, evaluations = held["losses"], held["evaluations"]
    except Exception as error:
        raise UsageError(f"{path} cannot be read as a training") from error
    if about != wanted:
        raise UsageError(f"{path} was trained with JAX {about.get('jax')}, or is of another recipe or other data")
    every = int(wanted["recipe"]["every"])
    whole = losses.ndim == 1 and len(losses) in done and evaluations.shape == (len(losses) // every, 2)
    if not whole or any(
        _shape_and_type(one) != _shape_and_type(other) for one, other in zip(leaves, flat, strict=True)
    ):
        raise UsageError(f"{path} holds arrays of another form than this training's")
    return jax.tree.unflatten(tree, map(jnp.asarray, leaves)), [losses], [evaluations]


def _shape_and_type(array: Any) -> tuple[Any, ...]:
    return array.shape, array.dtype


def _build_trained(recipe: Recipe, carry: Carry, losses: list[Any], evaluated: list[Any]) -> Trained:
    test, validation = map(_best_params, (carry.test, carry.validation))
    return Trained(
        recipe, np.asarray(carry.params), test, validation, np.concatenate(losses), np.concatenate(evaluated)
    )


def _best_params(best: Best) -> NDArray[np.float32]:
    """The best parameters; no numbers where no evaluation gave a loss, for what then stands there was never trained."""
    params = np.asarray(best.params)
    return params if np.isfinite(best.loss) else np.full_like(params, np.nan)


def target() -> Target:
    """The training of the published LTC as a target of the tool: one segment of it, `SEGMENT` evaluations of `EVERY` epochs."""
    series = oscillator_set()["0.1"]
    recipe = Recipe(LTC.name, series.name, 0, SEGMENT * EVERY)
    program, arguments = program_of(recipe, series, SEGMENT)
    shapes = jax.eval_shape(lambda: (start(recipe), *arguments))
    return Target(program, shapes, name="training", values=lambda: ((start(recipe), *arguments), {}))


TARGET = target()
"""What `[tool.ltc-ir.targets]` of this project calls ``training``."""
