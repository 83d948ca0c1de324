"""A hash of a program's structure: operations, operands, types and attributes; no names, locations or values of constants.

Two programs with the same fingerprint compute the same up to the values of their constants. A function is hashed by its
body wherever it is called: sharing one or writing it twice makes no difference.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ltc_ir import compat
from ltc_ir.ir.jaxpr.nesting import nested

NAMES = frozenset({"name", "debug_info", "jaxpr_name", "func_name"})
"""Parameters that are only names."""
_SAME = {"pjit": "jit"}
_LITERALS = (bool, int, float, complex, str)
_DEEPEST = 8
"""The most levels of nested values of a parameter that are hashed."""


def digest(parts: list[str]) -> str:
    """The hash of lines of text."""
    return hashlib.blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def of_jaxpr(closed: Any) -> str:
    """The fingerprint of a (closed) jaxpr."""
    return hash_nested(closed, lambda jaxpr, types, digests: digest(list(_lines(jaxpr, types, digests))))


def hash_nested(closed: Any, hash_one: Callable[[Any, tuple[type, ...], Mapping[int, str]], str]) -> str:
    """The hash of a (closed) jaxpr, by that of one jaxpr from those nested in it; each is hashed once, without recursion.

    Args:
        closed: the jaxpr.
        hash_one: takes a jaxpr, the types of jaxprs, and the hashes of those nested in it by their identity.
    """
    types = compat.jaxpr_types(closed)
    hashes: dict[int, str] = {}
    main = compat.open_jaxpr(closed)
    pending = [main]
    visited: set[int] = set()
    while pending:
        jaxpr = pending[-1]
        if id(jaxpr) not in hashes:
            if id(jaxpr) not in visited:
                visited.add(id(jaxpr))
                inner = [compat.open_jaxpr(child) for eqn in jaxpr.eqns for _, child in nested(eqn.params, types)]
                pending += [child for child in inner if id(child) not in hashes]
                continue
            hashes[id(jaxpr)] = hash_one(jaxpr, types, hashes)
        pending.pop()
    return hashes[id(main)]


def _lines(jaxpr: Any, types: tuple[type, ...], digests: Mapping[int, str]) -> Iterator[str]:
    numbers: dict[Any, int] = {}
    for variable in (*jaxpr.constvars, *jaxpr.invars):
        numbers[variable] = len(numbers)
        yield f"in {type_text(variable)}"
    for eqn in jaxpr.eqns:
        operands = [_operand(variable, numbers) for variable in eqn.invars]
        for variable in eqn.outvars:
            numbers[variable] = len(numbers)
        name, results, params = equation_texts(eqn, types, digests)
        yield f"{name}({','.join(operands)})->{results} {params}"
    yield f"out {','.join(_operand(variable, numbers) for variable in jaxpr.outvars)}"


def equation_texts(eqn: Any, types: tuple[type, ...], digests: Mapping[int, str]) -> tuple[str, str, str]:
    """An equation's name, the types of its results, and its parameters, nested jaxprs by their digests."""
    results = [type_text(variable) for variable in eqn.outvars]
    params = [
        f"{key}={parameter_text(eqn.params[key], types, digests)}" for key in sorted(eqn.params) if key not in NAMES
    ]
    name = eqn.primitive.name
    return _SAME.get(name, name), ",".join(results), ";".join(params)


def type_text(variable: Any) -> str:
    """The type of a jaxpr's variable."""
    aval = variable.aval
    return _shape_text(getattr(aval, "dtype", type(aval).__name__), getattr(aval, "shape", ()))


@lru_cache(maxsize=4096)
def _shape_text(dtype: Any, shape: tuple[Any, ...]) -> str:
    """An element type and a shape; most of a program's are few, and numpy is slow to name a type."""
    return f"{dtype}{list(map(str, shape))}"


def _operand(variable: Any, numbers: Mapping[Any, int]) -> str:
    """A variable by its number; a literal by its type, for its value is that of a constant."""
    return literal_text(variable) if hasattr(variable, "val") else f"%{numbers[variable]}"


def literal_text(variable: Any) -> str:
    """A literal by its type."""
    return f"literal:{type_text(variable)}"


def parameter_text(value: Any, types: tuple[type, ...], digests: Mapping[int, str], depth: int = 0) -> str:
    """A parameter's value as text that is the same in every process; otherwise its type."""
    if value is None or isinstance(value, _LITERALS):
        return repr(value)
    if isinstance(value, types):
        digest = digests.get(id(compat.open_jaxpr(value)))
        # a jaxpr deep inside a parameter, as in a Pallas grid, has no digest yet
        return digest if digest is not None else of_jaxpr(value)
    if isinstance(value, enum.Enum):
        return value.name
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"array:{value.dtype}{list(map(str, value.shape))}"
    parts = _parts(value) if depth < _DEEPEST else None
    if parts is None:
        return str(value) if type(value).__module__ in {"numpy", "numpy.dtypes"} else type(value).__name__
    texts = [parameter_text(part, types, digests, depth + 1) for part in parts]
    return f"{type(value).__name__}({','.join(sorted(texts) if isinstance(value, set | frozenset) else texts)})"


def _parts(value: Any) -> list[Any] | None:
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, Mapping):
        return [part for key in sorted(value, key=str) for part in (str(key), value[key])]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value) if field.name not in NAMES]
    return None


UNNAMED = frozenset({"sym_name", "sym_visibility", "arg_attrs", "res_attrs", "callee", "value", "decomposition"})
"""Attributes that name something, or hold the value of a constant."""
CALLED = {"func.call": "callee", "stablehlo.composite": "decomposition"}
"""Operations that call a function, and the attribute that names it."""


class Spelled(dict[Any, str]):
    """Types and attributes as MLIR prints them; each is unique in its context, so it is printed once."""

    def __missing__(self, value: Any) -> str:
        text = self[value] = str(value)
        return text


class _Module:
    """The functions of a module as lines of text, with their calls by position."""

    def __init__(self) -> None:
        self.spelled = Spelled()
        self.lines: dict[str, list[str]] = {}
        self.calls: dict[str, list[tuple[int, str]]] = {}

    def read(self, root: Any) -> None:
        """Read every function of a module, nested modules included."""
        pending = [root]
        while pending:
            for inner in pending.pop().regions:
                for block in inner.blocks:
                    for view in block.operations:
                        operation = view.operation
                        if operation.name == "func.func":
                            self.function(operation)
                        elif operation.name == "builtin.module":
                            pending.append(operation)

    def function(self, function: Any) -> None:
        """Write the lines of one function, its regions in order, without recursion."""
        symbol = function.attributes["sym_name"].value
        lines = self.lines[symbol] = []
        calls = self.calls[symbol] = []
        numbers: dict[Any, str] = {}
        pending: list[Any] = [iter(self.blocks(function, numbers, lines))]
        while pending:
            operation = next(pending[-1], None)
            if operation is None:
                pending.pop()
                lines.append("end")
                continue
            name = operation.name
            if name in CALLED:
                calls.append((len(lines), operation.attributes[CALLED[name]].value))
            lines.append(self.line(operation, name, numbers))
            if len(operation.regions):
                pending.append(iter(self.blocks(operation, numbers, lines)))

    def blocks(self, operation: Any, numbers: dict[Any, str], lines: list[str]) -> Iterator[Any]:
        """The operations of an operation's regions; a block's arguments are numbered where it begins."""
        for inner in operation.regions:
            for block in inner.blocks:
                for argument in block.arguments:
                    numbers[argument] = str(len(numbers))
                lines.append(f"block {','.join([self.spelled[argument.type] for argument in block.arguments])}")
                for view in block.operations:
                    yield view.operation

    def line(self, operation: Any, name: str, numbers: dict[Any, str]) -> str:
        """One operation: its name, operands, result types and attributes."""
        spelled = self.spelled
        operands = ",".join([numbers.get(operand, "?") for operand in operation.operands])
        results = []
        for result in operation.results:
            numbers[result] = str(len(numbers))
            results.append(spelled[result.type])
        named = compat.operation_attributes(operation, UNNAMED)
        attributes = ";".join([f"{key}={spelled[value]}" for key, value in named])  # sorted by MLIR itself
        return f"{name}({operands})->{','.join(results)} {attributes}"

    def digest(self, main: str) -> str:
        """The hash of a function with its callees' in place of their names."""
        digests: dict[str, str] = {}
        pending = [main]
        while pending:
            name = pending[-1]
            missing = [
                callee for _, callee in self.calls.get(name, ()) if callee not in digests and callee in self.lines
            ]
            if name in digests or not missing:
                digests.setdefault(name, self._digest_of(name, digests))
                pending.pop()
            else:
                pending += missing
        return digests[main]

    def _digest_of(self, name: str, digests: Mapping[str, str]) -> str:
        lines = self.lines.get(name, [])
        for position, callee in self.calls.get(name, ()):
            lines[position] += f" calls {digests.get(callee, '?')}"
        return digest(lines)


def of_module(module: Any) -> str | None:
    """The fingerprint of a lowered module, from its ``main``; ``None`` where it has none.

    The module must not recurse: what JAX lowers never does.
    """
    reading = _Module()
    reading.read(module.operation)
    return reading.digest("main") if "main" in reading.lines else None
