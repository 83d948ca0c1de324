"""How often the text of a program says that its parts run: the jaxprs in equations, the operations of StableHLO functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ltc_ir import compat
from ltc_ir.ir.jaxpr.nesting import nested
from ltc_ir.ir.stablehlo.facts import trip_count


class Run(NamedTuple):
    """One jaxpr of an equation's parameters, e.g. ``Run("jaxpr", body, 100)`` of a scan of length 100.

    ``times`` is how often one run of the equation runs it; ``None`` where that depends on values, or, with a ``reason``,
    where the program does not determine it.
    """

    label: str
    jaxpr: Any
    times: int | None
    reason: str = ""


CALLS = frozenset(
    [
        "call",
        "checkpoint",
        "closed_call",
        "composite",
        "compute_on",
        "core_call",
        "custom_dce_call",
        "custom_jvp_call",
        "custom_jvp_call_jaxpr",
        "custom_vjp_call",
        "custom_vjp_call_jaxpr",
        "custom_vmap_call",
        "eval_jaxpr",
        "jit",
        "pjit",
        "remat",
        "remat2",
        "remat_opt",
        "shard_map",
        "xla_metadata_call",
    ]
)
"""The primitives, under every name a version has for them, that run one jaxpr once; their other parameters do not run."""
_CALLED = ("call_jaxpr", "jaxpr", "fun_jaxpr", "fwd_jaxpr", "call")
_SOLVE = "jaxprs[2]"
"""The one of a ``custom_linear_solve``'s four jaxprs that runs: the others are what its derivatives would need."""
_KERNELS = frozenset({"pallas_call", "core_map", "mpmd_map"})


def called(eqn: Any) -> str | None:
    """The parameter that holds the jaxpr a call runs; ``None`` where the equation is not a call that can be followed."""
    name = eqn.primitive.name
    if name not in CALLS and "call_jaxpr" not in eqn.params:
        return None
    for key in _CALLED:
        inner = compat.open_jaxpr(eqn.params.get(key))
        if hasattr(inner, "eqns") and len(inner.invars) == len(eqn.invars) and len(inner.outvars) == len(eqn.outvars):
            return key
    return None


def chosen_branch(eqn: Any, platform: str) -> int | None:
    """The branch of a ``cond`` that always runs: its only one, or the one for a platform; ``None`` where values choose."""
    branches, platforms = eqn.params["branches"], eqn.params.get("branches_platforms")
    if platforms is not None:
        names = {platform, "gpu"} if platform in {"cuda", "rocm"} else {platform}
        fitting = [
            number for number, supported in enumerate(platforms) if supported is not None and names & set(supported)
        ]
        default = [number for number, supported in enumerate(platforms) if supported is None]
        return next(iter(fitting + default), None)
    return 0 if len(branches) == 1 else None


def runs(eqn: Any, types: tuple[type, ...], platform: str) -> Iterator[Run]:
    """The jaxprs of an equation, each with how often it runs."""
    name = eqn.primitive.name
    inside = nested(eqn.params, types)
    if name == "scan":
        yield from (Run(label, jaxpr, eqn.params["length"]) for label, jaxpr in inside)
    elif name == "while":
        yield from (Run(label, jaxpr, None) for label, jaxpr in inside)
    elif name == "cond":
        chosen = chosen_branch(eqn, platform)
        for number, (label, jaxpr) in enumerate(inside):
            yield Run(label, jaxpr, None if chosen is None else int(number == chosen))
    elif name == "custom_linear_solve":
        yield from (Run(label, jaxpr, int(label == _SOLVE)) for label, jaxpr in inside)
    else:
        key = called(eqn)
        for label, jaxpr in inside:
            yield Run(label, jaxpr, None, _reason(name)) if key is None else Run(label, jaxpr, int(label == key))


def _reason(name: str) -> str:
    if name in _KERNELS:
        return f"a {name} runs its kernel outside of what JAX can count"
    if name in _REDUCERS or name.startswith(("scatter", "reduce")):
        return f"how often a {name} applies its function is the compiler's choice"
    return f"how often a {name} runs what it holds is not known"


_REDUCERS = frozenset(
    {"select_and_scatter", "select_and_scatter_add", "select_and_gather_add", "sort", "argmin", "argmax"}
)


class Dynamics:
    """Finds the jaxprs that hold a region whose runs must be measured; each is read once."""

    def __init__(self, types: tuple[type, ...], platform: str) -> None:
        self.types = types
        self.platform = platform
        self.holding: dict[int, bool] = {}
        self.choosing: dict[int, bool] = {}

    def runs(self, eqn: Any) -> list[Run]:
        """The jaxprs of an equation, each with how often it runs."""
        return list(runs(eqn, self.types, self.platform))

    def holds(self, jaxpr: Any) -> bool:
        """Whether a jaxpr holds such a region, at any depth."""
        jaxpr = compat.open_jaxpr(jaxpr)
        result = self.holding.get(id(jaxpr))
        if result is None:
            result = self.holding[id(jaxpr)] = any(self.equation(eqn) for eqn in jaxpr.eqns)
        return result

    def equation(self, eqn: Any) -> bool:
        """Whether an equation is such a region or holds one."""
        inside = self.runs(eqn)
        return any(
            (run.times is None or (run.times > 0 and self.holds(run.jaxpr))) and not run.reason for run in inside
        )

    def chooses(self, jaxpr: Any) -> bool:
        """Whether a called jaxpr selects by a scalar that it computes itself, which is invisible outside."""
        jaxpr = compat.open_jaxpr(jaxpr)
        result = self.choosing.get(id(jaxpr))
        if result is None:
            outside = {id(variable) for variable in jaxpr.invars}
            result = self.choosing[id(jaxpr)] = any(
                (is_choice(eqn) and id(eqn.invars[0]) not in outside)
                or any(called(eqn) == run.label and self.chooses(run.jaxpr) for run in self.runs(eqn))
                for eqn in jaxpr.eqns
            )
        return result


def is_choice(eqn: Any) -> bool:
    """Whether an equation chooses one of two values by one boolean: how solvers accept or reject a step."""
    if eqn.primitive.name != "select_n" or len(eqn.invars) != 3:
        return False
    which = eqn.invars[0]
    return not hasattr(which, "val") and which.aval.shape == () and which.aval.dtype.name == "bool"


UNKNOWN_LOOP, UNKNOWN_BRANCH, APPLIED = "loop", "branch", "applied"
"""Why a number of runs is unknown: no trip count, a branch chosen by values, a function applied freely by the backend."""


class Runs(NamedTuple):
    """How often an operation runs in one call of its function; where that is unknown, why, and at which position."""

    times: int | None = 1
    why: str = ""
    at: int = 0


class FunctionRuns(NamedTuple):
    """One function: the runs of each of its operations (its own ``func.func`` first), and its calls by position."""

    runs: list[Runs]
    calls: dict[int, str]


_ONCE = frozenset({"func.func", "builtin.module", "sdy.manual_computation", "sdy.named_computation"})
_CHOOSING = frozenset({"stablehlo.case", "stablehlo.if"})
_CALLEES = {"func.call": "callee", "stablehlo.composite": "decomposition"}


def of_module(module: Any) -> dict[str, FunctionRuns]:
    """The functions of a module by name; the operations of the module itself have the name ``""``."""
    functions: dict[str, FunctionRuns] = {"": FunctionRuns([Runs()], {})}
    pending: list[tuple[Iterator[Any], str, Runs]] = [
        (iter(block.operations), "", Runs()) for region in module.operation.regions for block in region.blocks
    ][::-1]
    while pending:
        operations, function, runs = pending[-1]
        view = next(operations, None)
        if view is None:
            pending.pop()
            continue
        operation = view.operation
        name = operation.name
        if name == "func.func":
            function, runs = operation.attributes["sym_name"].value, Runs()
        function_runs = functions.setdefault(function, FunctionRuns([], {}))
        position = len(function_runs.runs)
        function_runs.runs.append(runs)
        if name in _CALLEES:
            function_runs.calls[position] = operation.attributes[_CALLEES[name]].value
        if len(operation.regions):
            inner = [
                (iter(block.operations), function, inside)
                for region, inside in zip(operation.regions, _inside(operation, runs, position), strict=True)
                for block in region.blocks
            ]
            pending += inner[::-1]
    return functions


def _inside(operation: Any, runs: Runs, position: int) -> list[Runs]:
    """How often the operations of each region run."""
    name, number = operation.name, len(operation.regions)
    if not runs.times or name in _ONCE:
        return [runs] * number
    if name == "stablehlo.while":
        trips = trip_count(operation)
        if trips is None:
            return [Runs(None, UNKNOWN_LOOP, position)] * number
        return [Runs(runs.times * (trips + 1)), Runs(runs.times * trips)]
    if name in _CHOOSING:
        return [runs] if number == 1 else [Runs(None, UNKNOWN_BRANCH, position)] * number
    return [Runs(None, APPLIED, position)] * number
