"""Reads a StableHLO module (any MLIR module JAX's bindings parse) as a stream: a body per function, calls as its edges."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ltc_ir.compat import mlir
from ltc_ir.ir.details import MlirDetails
from ltc_ir.ir.op import NEEDS_FRAMES, Body, Detail, Details, Edge, Frame, Op, Origin, Region, Stream, paused_collector
from ltc_ir.ir.origin import Evidence, Ownership, digest, parse_name
from ltc_ir.ir.stablehlo.facts import Constants, donated_bytes, trip_count
from ltc_ir.records.vocabulary import By

_CALLS = {"func.call": "callee", "stablehlo.composite": "decomposition"}
"""The attribute in which a call names the function it runs."""
_FLAT_NAMES = """
    abs add and atan2 bitcast_convert broadcast_in_dim clamp compare complex concatenate constant convert cosine
    divide dot_general dynamic_slice dynamic_update_slice exponential exponential_minus_one gather imag iota
    is_finite log log_plus_one logistic maximum minimum multiply negate not or pad power real remainder reshape
    return reverse rsqrt select shift_left shift_right_logical sign sine slice sqrt subtract tanh transpose xor
"""
_FLAT = frozenset({"func.return", *(f"stablehlo.{name}" for name in _FLAT_NAMES.split())})
"""Operations that never hold a region, so their regions are not read."""


MOST_LOCATIONS = 4096
"""Locations cached at a time: operations of one location are close together, and all locations would fill the memory."""


Name = tuple[Any, ...]
"""A name as read, outermost part first: its elements (see `parse_name`), or the marks in it."""
Codes = dict[str, dict[Any, int]]
"""Codes by an operation's name and location."""


@dataclass(slots=True)
class Place:
    """A block being read: its operations, the body they count to, and what they inherit.

    ``codes`` are those met where operations inherit the same, by name and location; ``depth`` is that of the block's
    operations below the module's. ``base`` is what names in the block are relative to: nothing in a function, see
    `_RELATIVE`. ``holder_name`` is the name of the operation that holds the block: an operation without a name takes it.
    ``scope`` is what the names of functions in the block begin with: nothing, unless it is in a module in the module.
    """

    operations: Iterator[Any]
    body: Body
    holder: Origin
    region: str
    codes: Codes
    depth: int
    base: Name = ()
    holder_name: Name = ()
    scope: str = ""


@dataclass(slots=True)
class Named:
    """A location read once: its name's elements (none for a nameless one), its source and its stack."""

    name: str | None
    elements: Name
    source: Frame | None = None
    stack: tuple[Frame, ...] = ()


@dataclass
class Reader:
    """The state of one reading of a module whose names tell origins."""

    wants: frozenset[By]
    ownership: Ownership
    evidence: Evidence
    library: bool
    details: Details = Details.NONE
    stream: Stream = field(default_factory=Stream)
    functions: dict[str, int] = field(default_factory=dict)
    locations: dict[Any, Named] = field(default_factory=dict)
    elements: list[Name] = field(default_factory=list)
    digested: dict[tuple[Name, str], Origin] = field(default_factory=dict)
    codes_by_place: dict[tuple[Hashable, ...], Codes] = field(default_factory=dict)
    constants: Constants = field(default_factory=Constants)
    names: list[str | None] = field(default_factory=list)
    reader: MlirDetails = field(default_factory=MlirDetails)
    private: int = 0
    public: dict[str, list[int]] = field(default_factory=lambda: {"": []})
    applied: list[tuple[Body, int, str]] = field(default_factory=list)

    def read_module(self, module: Any) -> Stream:
        """Read the module's own operation, then everything below it."""
        self.locations_of = mlir.LocationReader()
        self.locations[None] = Named(None, ())
        top = self.stream.add_body("module")
        self.functions[""] = 0
        root = module.operation
        detail = self.reader.of_operation(root, self.details) if self.details else None
        place = Place(iter(()), top, Origin(marked=False), "", {}, 0)
        top.codes.append(self.code(root, self.place_of(root), place, detail))
        self.walk(root, top)
        applied = self.relate_applied()
        self.relate_functions()
        self.stream.roots = self.roots()
        self.stream.figures = {
            "max_depth": max(body.depth for body in self.stream.bodies),
            "private_functions": self.private,
            "constants.embedded.bytes": self.constants.embedded_bytes,
            "donated.bytes": donated_bytes(module),
        }
        self.stream.facts = {"names": self.names, "functions": self.functions, "applied": applied}
        self.stream.facts["modules"] = [scope.removesuffix("::") for scope in self.public if scope]
        return self.stream

    def place_of(self, operation: Any) -> Any:
        """The key of an operation's location; ``None`` where locations carry no information."""
        return operation.location.attr if self.evidence.sources else None

    def relate_functions(self) -> None:
        """Cut the prefix of the first caller from every function's names, so that each caller can add its own.

        Names in functions begin at the program's top as JAX 0.6.x writes them, and at the function as others do. The first
        caller is the call whose name begins all names in the function. Where a file's names may have lost transforms on the
        way, what is left proves backward or nothing.
        """
        if not any(len(elements) > 2 and _is_absolute(elements) for elements in self.elements):
            return
        calls: dict[int, list[Name]] = {}
        for body in self.stream.bodies:
            for edge in body.edges:
                calls.setdefault(edge.child, []).append(self.elements[edge.code][:-1])
        for index, body in enumerate(self.stream.bodies):
            own = {code: self.elements[code] for code in set(body.codes) if self.elements[code]}
            first = max((call for call in calls.get(index, ()) if _begins(call, own.values())), key=len, default=())
            for code, elements in own.items():
                op = self.stream.ops[code]
                origin = self.of_elements(elements[len(first) :], op.name)
                complete = self.evidence.lowered and origin.complete
                self.stream.ops[code] = op._replace(
                    origin=op.origin._replace(**_name_fields(origin), complete=complete)
                )

    def relate_applied(self) -> int:
        """Note the functions that kernels apply as calls, where the text defines them; how many such calls there are."""
        found = [(body, code, self.functions[name]) for body, code, name in self.applied if name in self.functions]
        for body, code, index in found:
            body.edges[Edge(code, index)] += 1
        return len(found)

    def roots(self) -> list[int]:
        """The bodies that run of themselves: the module's, and of each module ``main`` or whatever is public."""
        mains = {scope: self.functions.get(f"{scope}main") for scope in self.public}
        return [
            0,
            *(root for scope, main in mains.items() for root in (self.public[scope] if main is None else [main])),
        ]

    def walk(self, root: Any, body: Body) -> None:
        """Visit every operation below ``root`` without recursion; a function's operations go to its own body."""
        pending = self.function_places(root, "", body, 1)
        while pending:
            inner = self.block(pending[-1])
            if inner is None:
                pending.pop()
            else:
                pending += inner

    def block(self, place: Place) -> list[Place] | None:
        """Read a block's operations up to one that holds regions; ``None`` at its end."""
        tables, append, flat = place.codes, place.body.codes.append, _FLAT
        operations, constants, located = place.operations, self.constants, self.evidence.sources
        details, detail = self.details, None
        while (view := next(operations, None)) is not None:
            operation = view.operation
            name, location = operation.name, operation.location.attr if located else None
            codes = tables.get(name)
            if codes is None:
                codes = tables[name] = {}
            if details:
                detail = self.reader.of_operation(operation, details)
            key = (location, detail) if details else location
            code = codes.get(key)
            if code is None:
                code = codes[key] = self.code(operation, location, place, detail)
            if name in flat:
                append(code)
                if name == "stablehlo.constant":
                    constants.add(operation)
                continue
            if name == "func.func":
                return self.function(operation, code, place)
            append(code)
            self.note(operation, name, code, place)
            if len(operation.regions):
                return self.places(operation, code, place)
        place.body.depth = max(place.body.depth, place.depth)
        return None

    def function(self, operation: Any, code: int, place: Place) -> list[Place]:
        """Begin a function: its own operation counts as part of it."""
        attributes = operation.attributes
        name = place.scope + attributes["sym_name"].value
        if "sym_visibility" in attributes and attributes["sym_visibility"].value == "private":
            self.private += 1
        else:
            self.public[place.scope].append(self.function_index(name))
        body = self.stream.bodies[self.function_index(name)]
        body.codes.append(code)
        return self.function_places(operation, f"@{name}", body, place.depth + 1, place.scope)

    def function_index(self, name: str) -> int:
        """The index of a function's body; it may be called before it is read."""
        index = self.functions.get(name)
        if index is None:
            index = self.functions[name] = len(self.stream.bodies)
            self.stream.add_body(name)
        return index

    def note(self, operation: Any, name: str, code: int, place: Place) -> None:
        """Record the call or the loop an operation is."""
        if name in _CALLS:
            callee = operation.attributes[_CALLS[name]].value
            place.body.edges[Edge(code, self.function_index(place.scope + callee))] += 1
        elif name == "stablehlo.while":
            place.body.regions[Region("while", trip_count(operation), code)] += 1
        elif name in _APPLYING and "called_computations" in operation.attributes:
            applied = operation.attributes["called_computations"]
            self.applied += [(place.body, code, place.scope + symbol.value) for symbol in applied]

    def places(self, operation: Any, code: int, place: Place) -> list[Place]:
        """The blocks of an operation's regions, the last first, so that the first is read next."""
        places = []
        name, holder_name = operation.name, self.holder_name(code)
        base = holder_name if name in _RELATIVE else place.base
        holder, depth, scope = self.stream.ops[code].origin, place.depth + 1, self.scope(operation, place)
        for number, inner in enumerate(operation.regions):
            path = self.path(name, number, place.region)
            codes = self.codes_by_place.setdefault((holder, path, place.body.name, base, holder_name), {})
            for block in inner.blocks:
                operations = iter(block.operations)
                places.append(Place(operations, place.body, holder, path, codes, depth, base, holder_name, scope))
        return places[::-1]

    def scope(self, operation: Any, place: Place) -> str:
        """What the names of functions in an operation begin with: each module has names of its own, as in ``encoder::main``."""
        if operation.name != "builtin.module" and place.body is not self.stream.bodies[0]:
            return place.scope
        attributes = operation.attributes
        name = attributes["sym_name"].value if "sym_name" in attributes else f"#{len(self.public)}"
        scope = f"{place.scope}{name}::"
        self.public.setdefault(scope, [])
        return scope

    def holder_name(self, code: int) -> Name:
        """What the operations in the regions of an operation may take from its name."""
        return self.elements[code][:-1]

    def path(self, name: str, number: int, outer: str) -> str:
        """The path of an operation's region, below the region that contains the operation."""
        if By.REGION not in self.wants:
            return outer
        labels = _LABELS.get(name, ())
        label = labels[number] if number < len(labels) else f"[{number}]" if number else ""
        return f"{outer}/{name.rpartition('.')[2]}{label}"

    def function_places(self, operation: Any, region: str, body: Body, depth: int, scope: str = "") -> list[Place]:
        """The blocks of a function or the module, whose operations inherit nothing."""
        holder = Origin(marked=False)
        codes = self.codes_by_place.setdefault((holder, region, body.name, (), ()), {})
        blocks = [block for inner in operation.regions for block in inner.blocks]
        return [
            Place(iter(block.operations), body, holder, region, codes, depth, scope=scope) for block in reversed(blocks)
        ]

    def code(self, operation: Any, location: Any, place: Place, detail: Detail | None = None) -> int:
        """The code of an operation met for the first time at this location, in such a place."""
        named = self.locations.get(location)
        if named is None:
            if len(self.locations) > MOST_LOCATIONS:
                self.locations.clear()
            named = self.locations[location] = self.named(operation.location)
        name = operation.name
        elements = self.whole(named, place)
        code = self.stream.add_op(Op(name, self.origin(name, elements, named, place), detail))
        self.elements.append(elements)
        self.names.append(named.name)
        return code

    def whole(self, named: Named, place: Place) -> Name:
        """The elements of a name as seen from the function that contains the operation; empty without a name.

        JAX 0.6.x writes ``/add`` for what it lowers outside any name stack (a scatter's update): the slash tells it from
        a name that is complete.
        """
        if not named.elements or (named.name or "").startswith("/"):
            return (*place.holder_name, (False, "")) if place.holder_name else ()
        return named.elements if not place.base or _is_absolute(named.elements) else place.base + named.elements

    def origin(self, name: str, elements: Name, named: Named, place: Place) -> Origin:
        """The origin from a name and a location; missing parts are taken from the operation that holds this one."""
        holder = Origin() if name in BARE else place.holder
        theirs = named.source is None or (named.source.owner != "user" and holder.source is not None)
        source, stack = holder.source if theirs else named.source, named.stack or holder.stack
        if elements:
            return self.of_elements(elements, name).at(source, stack, place.region)
        marked = name not in BARE and (self.evidence.pure or holder.marked)
        return holder._replace(marked=marked, source=source, stack=stack, region=place.region)

    def of_elements(self, elements: Name, name: str) -> Origin:
        """The origin from the elements of an operation's own name, the last of which is its primitive."""
        origin = self.digested.get((elements, name))
        if origin is None:
            origin = self.digested[elements, name] = self._digested(elements, name)
        return origin

    def _digested(self, elements: Name, name: str) -> Origin:
        flags, transforms, scope = digest(elements[:-1])
        flags = self.evidence.believed(flags)
        return Origin(
            flags=flags,
            complete=self.evidence.knows(elements, flags),
            marked=self.evidence.marks(flags, name),
            transforms=transforms if By.TRANSFORMS in self.wants else (),
            scope=scope if By.SCOPE in self.wants else "",
        )

    def named(self, location: Any) -> Named:
        """Read one location."""
        name, where = self.locations_of.name_of(location)
        elements = parse_name(name, self.evidence.masked, self.evidence.lowered) if name else ()
        if not self.wants & NEEDS_FRAMES:
            return Named(name, elements)
        raw = self.locations_of.frames(where)
        source, stack = self.ownership.source_and_stack(raw, library=self.library, whole=By.STACK in self.wants)
        return Named(name, elements, source, stack)


def _is_absolute(elements: Name) -> bool:
    return len(elements) > 1 and elements[1] == (False, "jit(main)")


def _begins(call: Name, names: Collection[Name]) -> bool:
    return all(name[: len(call)] == call for name in names)


def _name_fields(origin: Origin) -> dict[str, Any]:
    """The fields of an origin that come from a name."""
    return {field: getattr(origin, field) for field in ("flags", "marked", "transforms", "scope")}


BARE = frozenset({"func.func", "builtin.module"})
"""Operations whose location is not that of an equation."""
_APPLYING = frozenset({"stablehlo.custom_call", "mhlo.custom_call"})
"""Operations that may name functions which their kernel applies."""
_RELATIVE = frozenset({"sdy.manual_computation"})
"""Operations in whose regions names begin again (the body of a ``shard_map``, from 0.7 on)."""
_LABELS = {"stablehlo.while": (".cond", ".body"), "stablehlo.if": (".true", ".false")}


def read(
    module: Any,
    wants: Collection[By] = (),
    ownership: Ownership | None = None,
    evidence: Evidence | None = None,
    *,
    library: bool = False,
    details: Details = Details.NONE,
) -> Stream:
    """The stream of an MLIR module, origins by its names and locations.

    Args:
        module: a ``jaxlib.mlir.ir.Module``.
        wants: the requested groupings; source, function and stack cost resolving each distinct location.
        ownership: the owners of source files.
        evidence: how far the names can be believed; by default as of a live program on JAX 0.7 or newer.
        library: let library frames count as sources and appear in stacks.
        details: how much of each operation's types and attributes to keep.
    """
    reader = Reader(frozenset(wants), ownership or Ownership(), evidence or Evidence(), library, details)
    with paused_collector():
        return reader.read_module(module)
