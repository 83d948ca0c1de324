"""Reads the signature of a live program: from its jaxpr and, where it was lowered, from the main function of its module."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax

from ltc_ir import compat
from ltc_ir.ir.details import CARRY, SHARDING
from ltc_ir.ir.stablehlo.facts import DONATED, argument_attributes
from ltc_ir.records import element_types
from ltc_ir.records.op_table import Row, Table
from ltc_ir.records.signature import TYPED, Signature, TypedOperation, Value
from ltc_ir.records.vocabulary import NO_SOURCE
from ltc_ir.targets.signature_hash import statics
from ltc_ir.targets.stages import Staged

_MOST_SOURCES = 3
_KEY = re.compile(r"\[(?:'([^']*)'|\"([^\"]*)\"|<flat index (\d+)>|([^\]]*))\]|\.(\w+)")


def read_signature(staged: Staged, lowered: Staged | None, table: Table, *, every: bool = False) -> Signature:
    """The signature of a staged program.

    Args:
        staged: the program, traced.
        lowered: what was lowered of it, for donations and shardings; ``None`` where nothing was.
        table: the table of its jaxpr, with the types of operations whose width matters.
        every: whether it has the types of all operations, and they are wanted.
    """
    arguments, results = _traced_values(staged.traced)
    if lowered is not None:
        arguments, results = _lowered_values(lowered, arguments, results)
    return Signature(arguments, results, statics(staged.program), operations=_typed_operations(table, every))


def _traced_values(traced: Any) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    jaxpr = traced.jaxpr
    names = compat.argument_names(traced) or [jax.tree_util.keystr(path) for path in _paths(traced.args_info)]
    results = [jax.tree_util.keystr(path) or "[0]" for path in _paths(traced.out_info)]
    return tuple(_values(names, jaxpr.in_avals)), tuple(_values(results, jaxpr.out_avals))


def _paths(tree: Any) -> list[Any]:
    return [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def _values(names: Sequence[str | None], avals: Sequence[Any]) -> Iterator[Value]:
    """The values of these types; names that are missing or not unique are replaced by numbers."""
    written = [None if name is None else dotted(name) for name in names]
    repeated = {name for name, number in Counter(written).items() if number > 1}
    if len(written) != len(avals):
        written = [None] * len(avals)
    for number, (name, aval) in enumerate(zip(written, avals, strict=True)):
        unique = f"#{number}" if not name or name in repeated else name
        yield Value(unique, type_of(aval), bool(getattr(aval, "weak_type", False)))


def dotted(path: str) -> str:
    """A path of JAX's as a name: ``params['w'][0]`` is ``params.w.0``."""
    return _KEY.sub(lambda match: "." + next(filter(None, match.groups()), ""), path).lstrip(".")


def type_of(aval: Any) -> str:
    """The type of a value in short: ``f32[8,128]``."""
    dtype = getattr(aval, "dtype", None)
    if dtype is None:
        return type(aval).__name__
    sizes = (str(size).replace(" ", "") for size in aval.shape)  # a symbolic size may be "b + 1"
    return f"{element_types.of_dtype(dtype)}[{','.join(sizes)}]"


def _lowered_values(
    staged: Staged, arguments: tuple[Value, ...], results: tuple[Value, ...]
) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """The values with what the lowered program donates, and how they are sharded; an argument that it drops is neither."""
    module = staged.module()
    main = compat.main_function(module)
    if main is None:
        return arguments, results
    meshes = _meshes(module)
    parameters, outputs = argument_attributes(main), _result_attributes(main)
    kept = compat.kept_arguments(staged.lowered, len(arguments))
    offset = max(0, len(outputs) - len(results))  # tokens come first
    lowered = dict(zip(kept, parameters[len(parameters) - len(kept) :], strict=False))
    made = [
        _lowered_value(value, lowered.get(number, {}), meshes, offset, argument=True)
        for number, value in enumerate(arguments)
    ]
    returned = [
        _lowered_value(value, attributes, meshes, offset, argument=False)
        for value, attributes in zip(results, [*outputs[offset:], *({} for _ in results)], strict=False)
    ]
    return tuple(made), tuple(returned)


def _result_attributes(main: Any) -> list[dict[str, Any]]:
    if "res_attrs" not in main.attributes:
        return [{} for _ in main.attributes["function_type"].value.results]
    return [dict(compat.named_attributes(values)) for values in main.attributes["res_attrs"]]


def _lowered_value(
    value: Value, attributes: dict[str, Any], meshes: dict[str, str], offset: int, *, argument: bool
) -> Value:
    sharding = ""
    if "sdy.sharding" in attributes:
        sharding = of_shardy(str(attributes["sdy.sharding"]), meshes)
    elif "mhlo.sharding" in attributes:
        sharding = of_gspmd(attributes["mhlo.sharding"].value)
    if not argument:
        return replace(value, sharding=sharding)
    alias = attributes.get("tf.aliasing_output")
    aliases = None if alias is None else max(0, alias.value - offset)
    donated = any(name in attributes for name in DONATED)
    return replace(value, donated=donated, aliases=aliases, sharding=sharding)


def _meshes(module: Any) -> dict[str, str]:
    """The meshes of a module by name: ``d=4``; device ids are left out."""
    meshes = {}
    for view in module.body.operations:
        operation = view.operation
        if operation.name == "sdy.mesh":
            meshes[operation.attributes["sym_name"].value] = _axes(str(operation.attributes["mesh"]))
    return meshes


_AXIS = re.compile(r"\"([^\"]+)\"=(\d+)")
_SHARDY = re.compile(r"#sdy\.sharding<(?:@(?P<name>[\w.$-]+)|(?P<mesh>mesh<[^>]*>)), \[(?P<dims>.*?)\](?P<rest>.*)>")
_DIM = re.compile(r"\{([^}]*)\}(?:p\d+)?")
_DEVICES = re.compile(r"(?<=\])\d+(,\d+)*")


def _axes(text: str) -> str:
    return ",".join(f"{name}={size}" for name, size in _AXIS.findall(text))


def of_shardy(text: str, meshes: dict[str, str]) -> str:
    """A Shardy sharding as one line: ``(d, -) over d=4`` splits the first of two dimensions over the axis ``d``."""
    match = _SHARDY.fullmatch(text)
    if match is None:
        return text.replace('"', "")
    dims = [inner.replace('"', "").replace(", ", "+") or "-" for inner in _DIM.findall(match["dims"])]
    mesh = meshes.get(match["name"], match["name"]) if match["name"] else _axes(match["mesh"])
    return f"({', '.join(dims)}){match['rest'].replace(chr(34), '')} over {mesh}"


def of_gspmd(text: str) -> str:
    """A sharding as XLA's older partitioner writes it, without braces and device ids: ``devices=[4,1]<=[4]``."""
    return _DEVICES.sub("", text.removeprefix("{").removesuffix("}"))


def _typed_operations(table: Table, every: bool) -> tuple[TypedOperation, ...]:
    """The operations whose width matters, by name, function and types, in that order."""
    counts: Counter[tuple[str, str, str]] = Counter()
    lines: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for row, number in table.weights.items():
        if every or row.name in TYPED:
            key = row.function, row.name, _types_text(row)
            counts[key] += number
            if row.source != NO_SOURCE:
                lines[key][row.source] += number
    return tuple(
        TypedOperation(name, types, function, number, _largest(lines[function, name, types]))
        for (function, name, types), number in sorted(counts.items())
    )


def _largest(lines: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(lines, key=lambda line: (-lines[line], line))[:_MOST_SOURCES])


def _types_text(row: Row) -> str:
    attributes = dict(row.attributes)
    for name in (CARRY, SHARDING):
        if name in attributes:
            return attributes[name]
    types = ",".join(row.results)
    return f"{','.join(row.operands)}->{types}" if row.operands else types
