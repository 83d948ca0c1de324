"""Contains every JAX version difference and every private use of JAX, with its reason and versions.

| private name | why | tried on |
|---|---|---|
| `source_info_util.Transform`, `Scope` | its string drops transforms (0.6.x) and hides scopes spelled so | 0.6.2 to 0.12.0 |
| `eqn.source_info.name_stack`, `.traceback` | the only place of an equation's phase and source | 0.6.2 to 0.12.0 |
| `Transform.wrap` | replaced while lowering on 0.6.x, see `whole_names` | 0.6.2 |
| `jaxlib.mlir` | JAX exposes its lowered module in these classes only | 0.6.2 to 0.12.0 |
| `jaxlib.mlir._mlir_libs` | registers the dialects a stored file needs, without JAX | 0.6.2 to 0.12.0 |
| `Lowered._lowering.const_args` | constants hoisted into arguments appear in no text | 0.6.2 to 0.12.0 |
| `Lowered._lowering.compile_args` | which arguments a lowering keeps, and so whose its attributes are | 0.6.2 to 0.12.0 |
| `jaxpr.debug_info.arg_names` | the names of arguments, through the wrappers of a gradient | 0.6.2 to 0.12.0 |
| `source_info_util.register_exclusion` | keeps this tool's own frames out of debug locations | 0.6.2 to 0.12.0 |
| `partial_eval.dce_jaxpr` | a dead loop must not be counted as run; JAX exposes no other way to remove it | 0.6.2 to 0.12.0 |
| `Primitive.get_bind_params`, `eqn.ctx.manager` | what `jax.core.eval_jaxpr` does to bind one equation | 0.6.2 to 0.12.0 |
| `PjitFunction.__getstate__` | what a `jax.jit` keeps static; pickling has it, no other place | 0.6.2 to 0.12.0 |
| `Traced._params`, `Traced._lower_callable` | to lower a marked copy of a jaxpr, see `with_jaxpr` | 0.6.2 to 0.12.0 |
| `infer_params`, which `pmap(f).lower` closes over | the `jax.jit` that a pmap calls, and its arguments | 0.10.2, 0.12.0 |
| the slots of `JaxprEqn` | copying one by its slots takes a third of the time of its ``replace`` | 0.6.2 to 0.12.0 |

`missing()` says which of them an unknown JAX lacks; everything else goes on working. JAX itself is imported when
first needed: a stored file is read with ``jaxlib`` alone, in a third of the time.
"""

from __future__ import annotations

import copy
import functools
import importlib
import threading
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from types import CodeType
from typing import Any

from ltc_ir.compat.mlir import mlir_ir, private

OLDEST = (0, 6, 1)
NEWEST_TRIED = (0, 12)


def jaxpr_types(example: Any) -> tuple[type, ...]:
    """The types of a nested jaxpr in an equation's parameters, closed and open (one and the same class from 0.12 on).

    A closed example has both at hand; importing `jax.extend.core` for them takes longer than reading most programs.
    """
    types = {type(example), type(open_jaxpr(example))}
    if len(types) == 1 and not hasattr(example, "consts"):
        from jax.extend import core

        types = {core.Jaxpr, core.ClosedJaxpr}
    return tuple(types)


def version() -> tuple[int, ...]:
    """JAX's version as integers, e.g. ``(0, 10, 2)``."""
    import jax

    return tuple(int(part) for part in jax.__version__.split(".")[:3] if part.isdigit())


def names_lose_transforms() -> bool:
    """Whether location and ``op_name`` strings drop a transform that wraps no scope (0.6.x): absence then proves nothing."""
    return version() < (0, 7)


@contextmanager
def whole_names() -> Iterator[None]:
    """While open, JAX 0.6.x writes the transforms it would drop into location names; a no-op from 0.7 on.

    A transform that wraps no scope is lost in the string of a 0.6.x name stack, so a plain gradient lowers without a
    trace of AD. Newer versions print ``jvp()``; here the old class is made to. Names only: no operation changes.
    """
    transform = stack_class("Transform")
    if not names_lose_transforms() or transform is None:
        yield
        return
    original = transform.wrap

    def wrap(self: Any, stack: list[str]) -> None:
        if stack:
            original(self, stack)
        else:
            stack.append(f"{self.name}()")

    transform.wrap = wrap
    try:
        yield
    finally:
        transform.wrap = original


@contextmanager
def whole_locations() -> Iterator[None]:
    """While open, JAX keeps all frames of a location, and not the innermost ones only: 10 on 0.6.x, 100 on 0.10 and newer.

    Public configuration. No operation changes; where a library nests deeply, the user's frame is not among the innermost.
    """
    import jax

    config: Any = jax.config
    before = config.values.get(_FRAME_LIMIT)
    if before is None:
        yield
        return
    config.update(_FRAME_LIMIT, -1)
    try:
        yield
    finally:
        config.update(_FRAME_LIMIT, before)


_FRAME_LIMIT = "jax_traceback_in_locations_limit"


def open_jaxpr(jaxpr: Any) -> Any:
    """The jaxpr with the equations, of a closed or an open one (0.12 merged the two)."""
    return getattr(jaxpr, "jaxpr", jaxpr)


@lru_cache(maxsize=4)
def stack_class(name: str) -> Any:
    """JAX's class of name-stack elements called ``Transform`` or ``Scope``; ``None`` where this JAX has none."""
    return private("jax._src.source_info_util", name)


def missing() -> list[str]:
    """The private names this JAX lacks, with what cannot be done without them."""
    required = {
        "jax._src.source_info_util.Transform": (stack_class("Transform"), "no AD phase in a jaxpr"),
        "jax._src.source_info_util.Scope": (stack_class("Scope"), "no name scopes in a jaxpr"),
        "jax._src.source_info_util.register_exclusion": (
            private("jax._src.source_info_util", "register_exclusion"),
            "debug locations hold this tool's frames",
        ),
        "jaxlib.mlir.ir": (private("jaxlib.mlir.ir", "Operation"), "no StableHLO"),
        "jax.stages.Traced._params": (_traced_field(), "phases and lines of StableHLO and HLO by names, not by marks"),
    }
    return [f"{name}: {effect}" for name, (value, effect) in required.items() if value is None]


def _traced_field() -> Any:
    """The field of a ``Traced`` that holds its jaxpr for lowering, see `with_jaxpr`."""
    traced = private("jax._src.stages", "Traced")
    return getattr(traced, "_lower_callable" if version() < (0, 7) else "_params", None)


KERNELS = frozenset({"pallas_call", "core_map", "mpmd_map", "run_scoped"})
"""Primitives whose inner jaxprs are compiled as a whole: their text becomes an attribute of the operation."""
_EQUATION_SLOTS = ("invars", "outvars", "primitive", "params", "effects", "source_info", "ctx")


def equation_copier() -> Callable[[Any, Any, Any], Any]:
    """A function that copies an equation with other parameters and another source info."""
    kind = private("jax._src.core", "JaxprEqn")
    if tuple(getattr(kind, "__slots__", ())) != _EQUATION_SLOTS:
        return lambda eqn, params, info: eqn.replace(params=params, source_info=info)
    make = object.__new__

    def copied(eqn: Any, params: Any, info: Any) -> Any:
        copy = make(kind)
        copy.invars, copy.outvars, copy.primitive, copy.effects = eqn.invars, eqn.outvars, eqn.primitive, eqn.effects
        copy.params, copy.source_info, copy.ctx = params, info, eqn.ctx
        return copy

    return copied


def with_jaxpr(traced: Any, jaxpr: Any) -> Any:
    """A ``Traced`` that lowers another jaxpr in its place; ``None`` where this JAX keeps it elsewhere.

    Private: ``_params["jaxpr"]``; on 0.6.x the keyword ``jaxpr`` of ``_lower_callable``.
    """
    held = getattr(traced, "jaxpr", None)
    params, lower = getattr(traced, "_params", None), getattr(traced, "_lower_callable", None)
    other = copy.copy(traced)
    if isinstance(params, dict) and params.get("jaxpr") is held and held is not None:
        other._params = {**params, "jaxpr": jaxpr}
        if hasattr(other, "_lojax"):
            other._lojax = None  # what an earlier lowering of the same program has kept
    elif isinstance(lower, functools.partial) and lower.keywords.get("jaxpr") is held:
        other._lower_callable = functools.partial(lower.func, *lower.args, **{**lower.keywords, "jaxpr": jaxpr})
        other.jaxpr = jaxpr
    else:
        return None
    return other


@contextmanager
def persistent_cache(**options: Any) -> Iterator[None]:
    """Set options of JAX's persistent compilation cache while open, and reset that cache at both ends.

    JAX decides once per process whether it uses a cache: without the reset a changed option has no effect. The options are
    those of the process, so threads wait for each other: otherwise one would restore what another has set.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    config: Any = jax.config
    reset: Any = compilation_cache.reset_cache
    with _CACHE_OPTIONS:
        before = {name: getattr(config, name) for name in options}
        try:
            for name, value in options.items():
                config.update(name, value)
            reset()
            yield
        finally:
            for name, value in before.items():
                config.update(name, value)
            reset()


_CACHE_OPTIONS = threading.RLock()


def no_persistent_cache() -> AbstractContextManager[None]:
    """A context in which JAX neither reads nor writes its persistent compilation cache, whatever is configured.

    The key of that cache ignores names: a hit has the names of another program, and a write hands this one's to later runs.
    """
    return persistent_cache(jax_enable_compilation_cache=False)


def profile_data() -> Any:
    """`jax.profiler.ProfileData`, which reads traces: ``None`` or absent before 0.7.2."""
    return private("jax.profiler", "ProfileData")


def exclude_from_tracebacks(path: str) -> None:
    """Keep frames of the file or folder ``path`` out of the locations JAX writes into IR."""
    register = private("jax._src.source_info_util", "register_exclusion")
    if register is not None:
        register(path)


def stack_elements(name_stack: Any) -> tuple[list[str], list[str]]:
    """The transforms and the scopes of a name stack, outermost first; a scope spelled like a transform stays a scope."""
    transform = stack_class("Transform")
    transforms: list[str] = []
    scopes: list[str] = []
    for element in name_stack.stack:
        (transforms if isinstance(element, transform) else scopes).append(element.name)
    return transforms, scopes


def raw_frames(traceback: Any) -> Iterator[tuple[CodeType, int]]:
    """The frames of an equation's traceback, innermost first: the code, and the instruction `line_of` finds the line of."""
    codes, instructions = traceback.raw_frames()
    return zip(codes, instructions, strict=True)


_LINE_TABLES: dict[int, tuple[CodeType, list[int], list[int]]] = {}
"""Line tables by the identity of their code object, which is kept: hashing one hashes all its bytecode."""


def _line_table(code: CodeType) -> tuple[CodeType, list[int], list[int]]:
    starts: list[int] = []
    lines: list[int] = []
    for start, _, line in code.co_lines():
        starts.append(start)
        lines.append(line if line is not None else code.co_firstlineno)
    return code, starts, lines


def line_of(code: CodeType, instruction: int) -> int:
    """The source line of an instruction; the table of a code object is read once, not per question as in CPython."""
    table = _LINE_TABLES.get(id(code))
    if table is None:
        table = _LINE_TABLES[id(code)] = _line_table(code)
    _, starts, lines = table
    return lines[max(0, bisect_right(starts, instruction) - 1)]


def with_scope(name_stack: Any, scope: str) -> Any:
    """A name stack with one more scope, before its last part: a scope with the transforms around it, or these alone."""
    transform, elements = stack_class("Transform"), name_stack.stack
    place = len(elements)
    if elements and not isinstance(elements[-1], transform):
        place -= 1
    while place and isinstance(elements[place - 1], transform):
        place -= 1
    if place == len(elements):
        return name_stack.extend(scope)
    return name_stack[:place].extend(scope) + name_stack[place:]


def hoisted_constants(lowered: Any) -> list[Any] | None:
    """The closed-over constants a lowering passes as arguments (from 0.7.2 on, where so configured); ``None`` if unknown."""
    constants = getattr(getattr(lowered, "_lowering", None), "const_args", None)
    return list(constants) if constants is not None else ([] if version() < (0, 7, 2) else None)


def argument_names(traced: Any) -> list[str | None] | None:
    """The names of a traced program's arguments, one per leaf: ``params['w']``; ``None`` if unknown."""
    names = getattr(getattr(open_jaxpr(traced.jaxpr), "debug_info", None), "arg_names", None)
    return None if names is None else list(names)


def kept_arguments(lowered: Any, number: int) -> list[int]:
    """Which of its ``number`` arguments a lowered program keeps, in order: those it does not use are dropped."""
    arguments = getattr(getattr(lowered, "_lowering", None), "compile_args", None) or {}
    kept = arguments.get("kept_var_idx")
    return list(range(number)) if kept is None else sorted(kept)


def main_function(module: Any) -> Any:
    """The operation of a module's ``main``; ``None`` where it has none."""
    views = (view.operation for view in module.body.operations)
    functions = (operation for operation in views if operation.name == "func.func")
    return next((operation for operation in functions if operation.attributes["sym_name"].value == "main"), None)


def whole_hlo_text(compiled: Any) -> str:
    """The optimised HLO with all its constants: ``Compiled.as_text`` elides large ones as ``{...}``.

    Private: ``HloPrintOptions`` is in the module of the class of HLO modules, which moved from ``jaxlib._jax`` to
    ``jaxlib._hlo`` after 0.6.x.
    """
    texts = []
    for module in compiled.runtime_executable().hlo_modules():
        options = importlib.import_module(type(module).__module__).HloPrintOptions()
        options.print_large_constants = True
        texts.append(module.to_string(options))
    return "\n".join(texts)


def named_attributes(attributes: Any, without: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
    """The attributes of an operation or a dictionary by name; iterating gives names or pairs, as the version likes.

    Those named in ``without`` are passed over unread, and so are dense complex values in a dictionary: the bindings have no
    class for them, so that reading one raises, and on 0.6.x ends the process.
    """
    dictionary = isinstance(attributes, mlir_ir().DictAttr)
    for item in attributes:
        name = item if isinstance(item, str) else item.name
        if name in without or (dictionary and "complex<" in str(item)):
            continue
        yield name, attributes[item] if isinstance(item, str) else item.attr


def operation_attributes(operation: Any, without: Collection[str] = ()) -> list[tuple[str, Any]]:
    """The attributes of an operation itself by name, but those named in ``without``; see `named_attributes`."""
    attributes = operation.attributes
    items = [item for item in attributes if (item if isinstance(item, str) else item.name) not in without]
    return [(item, attributes[item]) if isinstance(item, str) else (item.name, item.attr) for item in items]


def without_dead_code(closed: Any) -> Any:
    """A closed jaxpr without the equations that none of its outputs needs, its arguments kept; effects are needed.

    How far this reaches is the version's: an unused carry of a ``while`` goes from 0.12 on.
    """
    from jax.extend import core

    jaxpr = open_jaxpr(closed)
    remove = private("jax._src.interpreters.partial_eval", "dce_jaxpr")
    if remove is None:
        return closed
    live = remove(jaxpr, [True] * len(jaxpr.outvars), True)[0]
    return live if jaxpr is closed else core.ClosedJaxpr(live, closed.consts)


def bind(eqn: Any, values: Collection[Any]) -> list[Any]:
    """The results of an equation on these operands; to 0.7 a primitive's functions are separate from its parameters."""
    primitive = eqn.primitive
    bound = primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    with eqn.ctx.manager:
        results = primitive.bind(*functions, *values, **params)
    return list(results) if primitive.multiple_results else [results]


def statics_of(fn: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The positions and the names that a `jax.jit` keeps static; empty for any other function."""
    state = fn.__getstate__() if type(fn).__name__ == "PjitFunction" else {}
    return tuple(state.get("static_argnums", ())), tuple(state.get("static_argnames", ()))


def is_mapped(fn: Any) -> bool:
    """Whether a function is a `jax.pmap` that calls a `jax.jit` (after 0.8); one that traces itself before is not."""
    return _closed_over(getattr(fn, "lower", None), "infer_params") is not None


def jit_of_mapped(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The `jax.jit` that a `jax.pmap` calls on these arguments, and the flat arguments that it calls it on.

    Private: ``infer_params``, which the ``lower`` of a `jax.pmap` closes over.
    """
    _, inner, flat, *_ = _closed_over(fn.lower, "infer_params")(*args, **kwargs)
    return inner, list(flat)


def _closed_over(fn: Any, name: str) -> Any:
    """What a Python function closes over under a name; ``None`` where it does not."""
    names = getattr(getattr(fn, "__code__", None), "co_freevars", ())
    return fn.__closure__[names.index(name)].cell_contents if name in names else None


def scan_sizes(eqn: Any) -> tuple[int, int]:
    """How many constants and how many carries a ``scan`` has: from 0.12 on two trees hold them."""
    params = eqn.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    constants, carries, _ = params["ft_in"].update(range(len(eqn.invars))).unpack()
    return len(list(constants)), len(list(carries))


def manual_axes(eqn: Any) -> frozenset[str]:
    """The mesh axes a ``shard_map`` splits over: ``newly_manual_axes`` after 0.6.x."""
    return frozenset(
        eqn.params.get("newly_manual_axes") or eqn.params.get("manual_axes") or eqn.params["mesh"].axis_names
    )


TRACING_OPTIONS = (
    "jax_default_matmul_precision", "jax_default_prng_impl", "jax_disable_jit", "jax_enable_custom_prng",
    "jax_numpy_dtype_promotion", "jax_softmax_custom_jvp", "jax_threefry_partitionable", "jax_use_direct_linearize",
    "jax_use_shardy_partitioner", "jax_use_simplified_jaxpr_constants",
)  # fmt: skip
"""JAX's public options that alter what is traced or lowered; a version has some of them. (64-bit types are separate.)"""


def tracing_options() -> dict[str, str]:
    """The options of this process that alter tracing, each with its value as text."""
    import jax

    config: Any = jax.config
    return {name.removeprefix("jax_"): str(getattr(config, name)) for name in TRACING_OPTIONS if hasattr(config, name)}


def hlo_before_optimisation(lowered: Any) -> str:
    """The HLO that a lowered program is compiled from, with its names; empty where this JAX does not print it.

    `Lowered.compiler_ir` is public; ``XlaComputation.get_hlo_module`` is not, and its own text has no metadata.
    """
    computation = lowered.compiler_ir("hlo")
    module = getattr(computation, "get_hlo_module", None)
    return "" if module is None else str(module().to_string())
