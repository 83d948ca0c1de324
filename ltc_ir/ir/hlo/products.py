"""Names the products that XLA makes anew without a name: of vectors, and others that it brings into another form.

XLA replaces such a product by one of matrices, without metadata, and brings its result into the old shape by an instruction
that has the name of the replaced one. So the product is the equation that this name refers to. In the body of a loop the new
product has the name of the loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from ltc_ir.ir.hlo.module import Computation, HloModule, Instruction
from ltc_ir.ir.hlo.reader import borrows_name
from ltc_ir.ir.hlo.scanner import pairs
from ltc_ir.ir.op import callers_first

_PRIMITIVES = {"dot": "dot_general", "convolution": "conv_general_dilated"}
"""The opcodes of products, and the primitives that end the names of their equations."""
_LAYOUT = frozenset({"bitcast", "copy", "reshape", "transpose"})
"""Opcodes that pass all elements of a value on."""


_Place = tuple[str, str]
"""The names of a computation and of an instruction in it."""


def with_products_named(module: HloModule) -> HloModule:
    """The module with names at its products, where instructions that use their results tell them.

    What brings a result into shape for another product may have the name of that one. So it tells the name of a product
    only where the other product is known to have another name.
    """
    products = {
        (computation.name, instruction.name): instruction
        for computation, instruction in module.instructions()
        if instruction.opcode in _PRIMITIVES
    }
    names = {place: None if borrows_name(one) else one.op_name for place, one in products.items()}
    nameless = [place for place, name in names.items() if not name]
    if not nameless:
        return module
    uses = _uses(module)
    results = {place: _result(place, products, uses) for place in nameless}
    for place in _users_first(results):
        name, following = results[place]
        names[place] = name if all(names[other] not in (None, name) for other in following) else None
    given = {place: names[place] for place in nameless}
    return replace(module, computations=tuple(_with_names(computation, given) for computation in module.computations))


_Result = tuple[str | None, set[_Place]]
"""The name that the result of a product is used by, and the products that it is an operand of in another shape."""


def _users_first(results: Mapping[_Place, _Result]) -> list[_Place]:
    """The nameless products, each after those that its result is an operand of."""
    following = {place: others & results.keys() for place, (_, others) in results.items()}
    return callers_first(following)[::-1]


def _uses(module: HloModule) -> Mapping[_Place, list[tuple[str, Instruction]]]:
    """The instructions that use each value; of a fusion, those that use its parameter."""
    parameters = {
        (computation.name, int(one.arguments)): one.name
        for computation, one in module.instructions()
        if one.opcode == "parameter" and one.arguments.isdigit()
    }
    uses: dict[_Place, list[tuple[str, Instruction]]] = defaultdict(list)
    inside: dict[_Place, list[_Place]] = defaultdict(list)
    for computation, one in module.instructions():
        callee = one.called[0][1] if one.opcode == "fusion" and one.called else None
        for position, operand in enumerate(one.operands):
            if callee is None:
                uses[computation.name, operand].append((computation.name, one))
            elif (callee, position) in parameters:
                inside[computation.name, operand].append((callee, parameters[callee, position]))
    for place, within in inside.items():
        uses[place] += [use for parameter in within for use in uses[parameter]]
    return uses


def _result(
    start: _Place, products: Mapping[_Place, Instruction], uses: Mapping[_Place, list[tuple[str, Instruction]]]
) -> _Result:
    """What becomes of the result of a product; its name is that of the first named instructions, if all have the same."""
    primitive = _PRIMITIVES[products[start].opcode]
    names: set[str] = set()
    following: set[_Place] = set()
    pending, seen = [(start, False)], {start}
    while pending:
        value, named = pending.pop()
        for computation, user in uses.get(value, ()):
            place = computation, user.name
            if place in products:
                following.add(place)
            if user.opcode not in _LAYOUT or place in seen:
                continue
            seen.add(place)
            own = None if borrows_name(user) else user.op_name
            if own and not named and own.rpartition("/")[2] == primitive:
                names.add(own)
            pending.append((place, named or bool(own)))
    return names.pop() if len(names) == 1 else None, following


def _with_names(computation: Computation, names: Mapping[_Place, str | None]) -> Computation:
    instructions = (
        _renamed(one, name) if (name := names.get((computation.name, one.name))) else one
        for one in computation.instructions
    )
    return replace(computation, instructions=tuple(instructions))


def _renamed(instruction: Instruction, name: str) -> Instruction:
    kept = [f"{key}={value}" for key, value in pairs(instruction.attributes) if key != "metadata"]
    written = name.replace("\\", r"\\").replace('"', r"\"")
    return instruction._replace(attributes=", ".join([*kept, f'metadata={{op_name="{written}"}}']))
