"""Gives every model the same rollout, loss, gradient and train step, so that models differ in their dynamics alone.

The program is the one whose IR "From Physics to Silicon" (2026) prints; what fixes its figures to the line is marked
*published* below. Parameters come in two forms with one meaning: a record (a NamedTuple of arrays), or one flat float32
vector in which the record's arrays follow each other, matrices in column-major order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import accumulate
from math import prod
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.ode import odeint
from jax.typing import ArrayLike

from ltc_ir.lab.physics import oscillator
from ltc_ir.targets.target import Program, Target

Recurrent = Annotated[jax.Array, "H", "H"]
"""A weight matrix from neurons to neurons: (hidden size, hidden size)."""
Inbound = Annotated[jax.Array, "H", "D"]
"""A weight matrix from inputs to neurons: (hidden size, input size)."""
PerNeuron = Annotated[jax.Array, "H"]
"""One number for each neuron: (hidden size,)."""

HEADLINE = ("dot_general", "scan", "while", "tanh", "transpose")
"""The five primitives that the publication tabulates."""
INPUT_SIZE, HIDDEN_SIZE, POINTS = 2, 8, 100
TOLERANCE = 1e-6
"""Relative and absolute tolerance of the solver."""
MAX_NORM = 1.0
"""The global norm to which a gradient is clipped."""
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
"""The constants of Adam: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1."""

P = TypeVar("P", bound=tuple[Any, ...])
"""A model's parameter record."""
F = TypeVar("F")
"""Parameters in either form: a record, or a flat vector."""


class Problem(NamedTuple):
    """What a rollout is run on and judged by; float32 throughout.

    ``initial`` (H,) is the state at ``times[0]``; ``inputs`` (N, D) stand at N equally spaced points from the first
    time to the last, each held from the point before it to its own; ``times`` (T,) increase and must be concrete, not
    traced; ``target`` (T, K) is what the state's first K components should follow.
    """

    initial: jax.Array
    inputs: jax.Array
    times: jax.Array
    target: jax.Array


class AdamState(NamedTuple):
    """The optimiser's state: both moments in the form of the parameters, and the int32 number of steps done."""

    first: Any
    second: Any
    step: jax.Array


@cache
def oscillator_problem(zeta: float = 0.1, hidden_size: int = HIDDEN_SIZE, points: int = POINTS) -> Problem:
    """The published problem: from rest, follow a damped oscillator whose own series is the input (teacher forcing).

    The times are the training half, the even points, of 200 on [0, 20], or of twice as many as ``points``. ``zeta`` is by
    default the first of the published ratios, the least damped, which rings through the whole interval; no count of the
    IR depends on it.
    """
    times = np.linspace(0.0, 20.0, 2 * points)[::2]
    series = oscillator(times, zeta)
    # Published: the series are constants of the program, so jax arrays, even if the first caller is inside a trace.
    with jax.ensure_compile_time_eval():
        return Problem(*map(_float32, (np.zeros(hidden_size), series, times, series)))


def adam_start(params: Any) -> AdamState:
    """The state of an optimiser that has done no step, for parameters in either form."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return AdamState(zeros, zeros, jnp.zeros((), jnp.int32))


def adam(params: F, gradient: F, state: AdamState) -> tuple[F, AdamState]:
    """One bias-corrected step of Adam, leaf by leaf."""
    step = state.step + 1
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, state.first, gradient)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g**2, state.second, gradient)
    unbias1, unbias2 = 1 - BETA1**step, 1 - BETA2**step

    def descend(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        return p - LEARNING_RATE * (m / unbias1) / (jnp.sqrt(v / unbias2) + EPSILON)

    return jax.tree.map(descend, params, first, second), AdamState(first, second, step)


@dataclass(frozen=True, eq=False)
class Model(Generic[P]):
    """A model of dx/dt, and all that is done with one; parameters go in, and come out, in either form.

    Where no problem is given it is the published one, `oscillator_problem`, at the model's sizes.

    Args:
        name: what a target of it is called.
        record: its parameter record, whose fields are `Recurrent`, `Inbound` or `PerNeuron`, in flat order.
        dynamics: (record, state (H,), input (D,)) to dx/dt (H,).
        starting: the values at which a field `PerNeuron` starts, where it is not 0.
        hidden: the neurons H of the model where nobody says otherwise.
        points: the points of the published problem.

    """

    name: str
    record: type[P]
    dynamics: Callable[[P, jax.Array, jax.Array], jax.Array]
    starting: Mapping[str, float] = field(default_factory=dict)
    hidden: int = HIDDEN_SIZE
    points: int = POINTS

    @property
    def problem(self) -> Problem:
        """The published problem at the model's sizes."""
        return oscillator_problem(hidden_size=self.hidden, points=self.points)

    def init(self, key: jax.Array, input_size: int = INPUT_SIZE, hidden_size: int | None = None) -> P:
        """A record to begin with: matrices 0.1 times a standard normal drawn from ``key``, the rest by `starting`."""
        shapes = self.shapes(input_size, hidden_size)
        keys = jax.random.split(key, len(shapes))
        return self._record(self._start(*named, key) for named, key in zip(shapes.items(), keys, strict=True))

    def shapes(self, input_size: int = INPUT_SIZE, hidden_size: int | None = None) -> dict[str, tuple[int, ...]]:
        """The shape of each field of the record, in flat order."""
        sizes = {"H": hidden_size or self.hidden, "D": input_size}
        hints = get_type_hints(self.record, include_extras=True)
        return {name: tuple(sizes[axis] for axis in hint.__metadata__) for name, hint in hints.items()}

    def size(self, input_size: int = INPUT_SIZE, hidden_size: int | None = None) -> int:
        """The number of parameters, which is the length of the flat vector."""
        return sum(map(prod, self.shapes(input_size, hidden_size).values()))

    def flatten(self, params: P) -> jax.Array:
        """A record as one flat vector, matrices in column-major order."""
        return jnp.concatenate([jnp.ravel(leaf, order="F") for leaf in params])

    def unflatten(self, flat: jax.Array, input_size: int = INPUT_SIZE, hidden_size: int | None = None) -> P:
        """A flat vector as a record, the inverse of `flatten`.

        Raises:
            ValueError: the vector's length is not `size`.

        """
        size = self.size(input_size, hidden_size)
        if flat.shape != (size,):
            sizes = f"input size {input_size} and hidden size {hidden_size or self.hidden}"
            raise ValueError(f"{self.name} with {sizes} has a flat vector of shape ({size},), not {flat.shape}")
        shapes = self.shapes(input_size, hidden_size).values()
        ends = accumulate(map(prod, shapes))
        return self._record(_cut(flat, end, shape) for end, shape in zip(ends, shapes, strict=True))

    def rollout(self, params: P | jax.Array, problem: Problem | None = None) -> jax.Array:
        """The states (T, H) at the problem's times, by JAX's Dormand-Prince solver with its adjoint."""
        problem = problem or self.problem
        flat = self._flat(params)
        initial, inputs, times = _float32(problem.initial), _float32(problem.inputs), _float32(problem.times)
        signal = _held(inputs, problem.times)

        def rate(state: jax.Array, time: jax.Array, flat: jax.Array) -> jax.Array:
            # Published: the vector is cut up in here, so each trace of the dynamics has its own slices and transposes.
            record = self.unflatten(_float32(flat).reshape(-1), inputs.shape[1], initial.shape[0])
            return self.dynamics(record, state, signal(time))

        states: jax.Array = odeint(rate, initial, times, flat, rtol=TOLERANCE, atol=TOLERANCE)  # type: ignore[no-untyped-call]
        return states

    def loss(self, params: P | jax.Array, problem: Problem | None = None) -> jax.Array:
        """The mean squared error of the state's first components against the target, a scalar."""
        problem = problem or self.problem
        target = _float32(problem.target)
        return jnp.mean((self.rollout(params, problem)[:, : target.shape[1]] - target) ** 2)

    def grad(self, params: F, problem: Problem | None = None) -> F:
        """The gradient of `loss`, in the form of the parameters."""
        gradient: F = jax.grad(self.loss)(params, problem)
        return gradient

    def train_step(self, params: F, state: AdamState, problem: Problem | None = None) -> tuple[F, AdamState, jax.Array]:
        """One step of Adam on the clipped gradient: the new parameters and state, and the loss before the step."""
        return self.descend(partial(self.loss, problem=problem), params, state)

    def descend(self, goal: Callable[..., jax.Array], params: F, state: AdamState) -> tuple[F, AdamState, jax.Array]:
        """One such step on any function of the parameters: the loss, or one with a penalty."""
        loss, gradient = jax.value_and_grad(goal)(params)
        # Published: the norm is that of the one flat vector, so the form of the parameters does not matter here either.
        scale = jnp.minimum(1.0, MAX_NORM / (jnp.linalg.norm(self._flat(gradient)) + 1e-12))
        clipped = jax.tree.map(lambda leaf: leaf * scale, gradient)
        return *adam(params, clipped, state), loss

    def target(self) -> Target:
        """The model as a target of the tool, on the published problem and the flat form; it allocates nothing.

        Where a program is to run, its parameters are those that `init` draws from key 0.
        """
        flat = _abstract((self.size(),), jnp.float32)
        state = AdamState(flat, flat, _abstract((), jnp.int32))
        programs = {
            "loss": Program(self.loss, (flat,), values=self._start_values),
            "grad": Program(self.grad, (flat,), values=self._start_values),
            "train_step": Program(self.train_step, (flat, state), values=self._start_training),
        }
        sizes: dict[str, Callable[[int], Target]] = {
            "hidden": lambda hidden: replace(self, hidden=hidden).target(),
            "points": lambda points: replace(self, points=points).target(),
        }
        return Target(
            self.rollout, (flat,), programs=programs, name=self.name, values=self._start_values, sizes=sizes,
            headline=HEADLINE,
        )  # fmt: skip

    def _start_values(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.flatten(self.init(jax.random.key(0))),), {}

    def _start_training(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        (flat,), _ = self._start_values()
        return (flat, adam_start(flat)), {}

    def _flat(self, params: Any) -> jax.Array:
        return _float32(self.flatten(params) if isinstance(params, self.record) else params)

    def _record(self, leaves: Iterable[jax.Array]) -> P:
        return self.record(*leaves)

    def _start(self, name: str, shape: tuple[int, ...], key: jax.Array) -> jax.Array:
        if len(shape) == 2:
            return 0.1 * jax.random.normal(key, shape, jnp.float32)
        return jnp.full(shape, self.starting.get(name, 0.0), jnp.float32)


def _abstract(shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]


def _float32(values: ArrayLike) -> jax.Array:
    return jnp.asarray(values, jnp.float32)


def _cut(flat: jax.Array, end: int, shape: tuple[int, ...]) -> jax.Array:
    """The piece of ``shape`` that ends at ``end``; published: a slice, a reshape to (columns, rows), a transpose."""
    piece = flat[end - prod(shape) : end]
    return piece.reshape(shape[::-1]).T if len(shape) == 2 else piece


def _held(inputs: jax.Array, times: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """The signal whose value at a time is the input of the first grid point not before it.

    Published: the grid runs between two concrete scalars. As 0-d arrays of numpy they are literals that JAX 0.6 shares
    with the gradient's other zeros when it lowers; as scalars of any other kind they add a line to its StableHLO.
    """
    first, last = (np.asarray(time, np.float32) for time in np.asarray(times)[[0, -1]])
    grid = jnp.linspace(first, last, inputs.shape[0], dtype=jnp.float32)

    def signal(time: jax.Array) -> jax.Array:
        index = jnp.clip(jnp.searchsorted(grid, time, side="left"), 0, inputs.shape[0] - 1)
        return inputs[index]

    return signal
