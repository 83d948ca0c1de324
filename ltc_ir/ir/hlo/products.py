"""Names the products that XLA makes anew without a name: of vectors, and others that it brings into another form.

XLA replaces such a product by one of matrices, without metadata, and brings its result into the old shape by an instruction
that has the name of the replaced one. So the product is the equation that this name refers to. In the body of a loop the new
product has the name of the loop.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

from ltc_ir.ir.hlo.module import Computation, HloModule, Instruction
from ltc_ir.ir.hlo.reader import borrows_name
from ltc_ir.ir.hlo.scanner import pairs

_PRIMITIVES = {"dot": "dot_general", "convolution": "conv_general_dilated"}
"""The opcodes of products, and the primitives that end the names of their equations."""
_LAYOUT = frozenset({"bitcast", "copy", "reshape", "transpose"})
"""Opcodes that pass all elements of a value on."""


_Place = tuple[str, str]
"""The names of a computation and of an instruction in it."""


def with_products_named(module: HloModule) -> HloModule:
    """The module with names at its products, where instructions that use their results tell them.

    Where two products would have one name, that of an operand brought into shape was taken for that of a result: then none is
    given.
    """
    nameless = {
        (computation.name, instruction.name): _PRIMITIVES[instruction.opcode]
        for computation, instruction in module.instructions()
        if instruction.opcode in _PRIMITIVES and (not instruction.op_name or borrows_name(instruction))
    }
    if not nameless:
        return module
    uses = _uses(module)
    names = {place: _name_of_result(place, primitive, uses) for place, primitive in nameless.items()}
    products = (one for _, one in module.instructions() if one.opcode in _PRIMITIVES and one.op_name)
    given = Counter([*filter(None, names.values()), *(one.op_name for one in products if not borrows_name(one))])
    if any(given[name] > 1 for name in names.values() if name):
        return module
    return replace(module, computations=tuple(_with_names(computation, names) for computation in module.computations))


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


def _name_of_result(start: _Place, primitive: str, uses: Mapping[_Place, list[tuple[str, Instruction]]]) -> str | None:
    """The name of the equation of a primitive that the first named instructions after a product have, if all have the same."""
    names: set[str] = set()
    pending, seen = [start], {start}
    while pending:
        for computation, user in uses.get(pending.pop(), ()):
            place = computation, user.name
            if user.opcode not in _LAYOUT or place in seen:
                continue
            seen.add(place)
            if not user.op_name or borrows_name(user):
                pending.append(place)
            elif user.op_name.rpartition("/")[2] == primitive:
                names.add(user.op_name)
    return names.pop() if len(names) == 1 else None


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
