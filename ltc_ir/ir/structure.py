"""A hash of a program's structure that does not depend on the order of independent operations.

Where two fingerprints differ and these hashes do not, the same operations were written in another order. An operation is
hashed by its name, operands, types and attributes, an operand by the operation that makes it; a program by its operations,
sorted, and its results. Operations with side effects keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltc_ir import compat
from ltc_ir.ir.fingerprint import CALLED, UNNAMED, Spelled, digest, equation_texts, hash_nested, literal_text, type_text

Hashes = Mapping[int, str]


def of_jaxpr(closed: Any) -> str:
    """The structure of a (closed) jaxpr."""
    return hash_nested(closed, _of_equations)


def _of_equations(jaxpr: Any, types: tuple[type, ...], hashes: Hashes) -> str:
    inputs = (*jaxpr.constvars, *jaxpr.invars)
    values = {variable: f"in {number} {type_text(variable)}" for number, variable in enumerate(inputs)}
    operations: list[str] = []
    effects = 0

    def operand(variable: Any) -> str:
        return literal_text(variable) if hasattr(variable, "val") else values[variable]

    for eqn in jaxpr.eqns:
        name, results, params = equation_texts(eqn, types, hashes)
        order = ""
        if eqn.effects:
            effects, order = effects + 1, f" effect {effects}"
        operations.append(digest([f"{name}({','.join(map(operand, eqn.invars))})->{results} {params}{order}"]))
        for number, variable in enumerate(eqn.outvars):
            values[variable] = f"{operations[-1]}.{number}"
    return digest([*sorted(operations), f"out {','.join(map(operand, jaxpr.outvars))}"])


@dataclass
class _Open:
    """An operation whose regions are being read: what it is so far, its results, and the hashes of the operations inside."""

    text: str
    results: tuple[Any, ...] = ()
    inside: list[str] = field(default_factory=list)


class _Functions:
    """The structures of a module's functions, each made when it is first called."""

    def __init__(self, root: Any) -> None:
        self.functions = dict(_functions_of(root))
        self.spelled = Spelled()
        self.hashes: dict[str, str] = {}

    def structure(self, main: str) -> str:
        """The structure of a function, its callees' first."""
        pending = [main]
        while pending:
            name = pending[-1]
            missing = [
                callee for callee in self.callees(name) if callee in self.functions and callee not in self.hashes
            ]
            if name in self.hashes or not missing:
                if name not in self.hashes:
                    self.hashes[name] = self.of_function(self.functions[name])
                pending.pop()
            else:
                pending += missing
        return self.hashes[main]

    def callees(self, name: str) -> list[str]:
        """The functions that a function calls."""
        called: list[str] = []
        pending = [self.functions[name]]
        while pending:
            for operation in self.operations(pending.pop(), "", {}):
                if operation.name in CALLED:
                    called.append(operation.attributes[CALLED[operation.name]].value)
                if len(operation.regions):
                    pending.append(operation)
        return called

    def of_function(self, function: Any) -> str:
        """The structure of one function, its regions read without recursion."""
        values: dict[Any, str] = {}
        stack = [_Open("function")]
        pending = [self.operations(function, "function", values)]
        while True:
            operation = next(pending[-1], None)
            if operation is None:
                pending.pop()
                done = stack.pop()
                hashed = digest([done.text, *sorted(done.inside)])
                if not stack:
                    return hashed
                self.close(hashed, done.results, stack[-1], values)
                continue
            text = self.text(operation, values)
            if len(operation.regions):
                stack.append(_Open(text, tuple(operation.results)))
                pending.append(self.operations(operation, text, values))
            else:
                self.close(digest([text]), operation.results, stack[-1], values)

    @staticmethod
    def close(hashed: str, results: Iterable[Any], outer: _Open, values: dict[Any, str]) -> None:
        """Note an operation that is read whole: among those around it, and as the maker of its results."""
        outer.inside.append(hashed)
        for number, result in enumerate(results):
            values[result] = f"{hashed}.{number}"

    def operations(self, operation: Any, text: str, values: dict[Any, str]) -> Iterator[Any]:
        """The operations in the regions of one; the arguments of a block are known by their place."""
        for place, region in enumerate(operation.regions):
            for number, block in enumerate(region.blocks):
                for position, argument in enumerate(block.arguments):
                    values[argument] = f"{place}.{number}.{position} of {text} {self.spelled[argument.type]}"
                for view in block.operations:
                    yield view.operation

    def text(self, operation: Any, values: Mapping[Any, str]) -> str:
        """An operation without its regions."""
        operands = ",".join([values.get(operand, "?") for operand in operation.operands])
        results = ",".join([self.spelled[result.type] for result in operation.results])
        named = compat.operation_attributes(operation, UNNAMED)
        attributes = ";".join([f"{key}={self.spelled[value]}" for key, value in named])
        callee = CALLED.get(operation.name)
        calls = "" if callee is None else self.hashes.get(operation.attributes[callee].value, "?")
        return digest([f"{operation.name}({operands})->{results} {attributes} {calls}"])


def _functions_of(root: Any) -> Iterator[tuple[str, Any]]:
    pending = [root]
    while pending:
        for inner in pending.pop().regions:
            for block in inner.blocks:
                for view in block.operations:
                    operation = view.operation
                    if operation.name == "func.func":
                        yield operation.attributes["sym_name"].value, operation
                    elif operation.name == "builtin.module":
                        pending.append(operation)


def of_module(module: Any) -> str | None:
    """The structure of a lowered module, from its ``main``; ``None`` where it has none."""
    functions = _Functions(module.operation)
    return functions.structure("main") if "main" in functions.functions else None
