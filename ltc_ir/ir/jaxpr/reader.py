"""Reads a jaxpr, nested ones included, as a stream: each distinct jaxpr once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Any

from ltc_ir import compat
from ltc_ir.ir.details import of_equation
from ltc_ir.ir.jaxpr.nesting import REMATS, Corrections, Inner, Nesting
from ltc_ir.ir.op import (
    NEEDS_FRAMES,
    REMAT,
    UNKNOWN,
    Body,
    Details,
    Edge,
    Frame,
    Op,
    Origin,
    Region,
    Stream,
    paused_collector,
)
from ltc_ir.ir.origin import Ownership, flags_of, without_repeats
from ltc_ir.records.vocabulary import By

Correct = Callable[[Nesting], Corrections]
"""Finds the flags of equations whose names mislead."""


class Reader:
    """The state of one reading: the jaxprs found so far, and the memoised origins.

    Args:
        wants: the requested groupings.
        ownership: the owners of source files.
        library: let library frames count as sources.
        details: how much of each operation's types and attributes to keep.
        correct: finds the flags of equations whose names mislead; names alone are believed where ``None``.
    """

    def __init__(
        self,
        wants: Collection[By],
        ownership: Ownership,
        library: bool,
        details: Details,
        *,
        correct: Correct | None = None,
    ) -> None:
        self.stream = Stream()
        self.correct = correct
        self.corrections: Corrections = {}
        self.wants = frozenset(wants)
        self.ownership = ownership
        self.library = library
        self.details = details
        self.index: dict[int, int] = {}
        self.program: Any = None
        self.pending: list[Any] = []
        self.alive: list[Any] = []
        self.types: tuple[type, ...] = ()
        self.rematerialises = False
        self.scopes: set[str] = set()
        self.stacks: dict[Any, Origin] = {}
        self.tracebacks: dict[Any, tuple[Frame | None, tuple[Frame, ...]]] = {}

    def read_program(self, jaxpr: Any) -> Stream:
        """Read a (closed) jaxpr and all that is nested in it."""
        self.program = jaxpr
        self.types = compat.jaxpr_types(jaxpr)
        with paused_collector():
            self.nesting = Nesting(jaxpr, self.types)
            self.corrections = self.correct(self.nesting) if self.correct is not None else {}
            self.stream.roots.append(self.visit(jaxpr, "main"))
            return self.read_all()

    def visit(self, jaxpr: Any, name: str) -> int:
        """The index of a jaxpr's body; the body is read later, once."""
        jaxpr = compat.open_jaxpr(jaxpr)
        index = self.index.get(id(jaxpr))
        if index is None:
            index = self.index[id(jaxpr)] = len(self.stream.bodies)
            self.stream.add_body(name)
            self.pending.append(jaxpr)
            self.alive.append(jaxpr)
        return index

    def read_all(self) -> Stream:
        """Read every jaxpr reached, without recursion: programs may be nested arbitrarily deep."""
        done = 0
        while done < len(self.pending):
            self.read(self.pending[done], self.stream.bodies[done])
            done += 1
        self.stream.codes.clear()
        self.stream.facts["scopes"] = frozenset(self.scopes)
        if not self.rematerialises:
            self.stream.ops = [_without_remat(op) for op in self.stream.ops]
        return self.stream

    def read(self, jaxpr: Any, body: Body) -> None:
        """Write the codes of one jaxpr's own equations, and its edges into nested ones."""
        codes, append = self.stream.codes, body.codes.append
        framed, details = bool(self.wants & NEEDS_FRAMES), self.details
        corrected = self.corrections.get(id(jaxpr), {})
        for position, eqn in enumerate(jaxpr.eqns):
            info = eqn.source_info
            detail = of_equation(eqn, details) if details else None
            traceback = info.traceback if framed else None
            flags = corrected.get(position) if corrected else None
            key: Hashable = (eqn.primitive, info.name_stack, traceback, detail, flags)
            code = codes.get(key)
            if code is None:
                code = codes[key] = self.stream.add_op(Op(eqn.primitive.name, self.origin(info, flags), detail))
            append(code)
        for position, inner in self.nesting.inner[self.nesting.number(jaxpr)].items():
            self.nest(jaxpr.eqns[position], body.codes[position], inner, body)

    def nest(self, eqn: Any, code: int, inner: Inner, body: Body) -> None:
        """Record the jaxprs among an equation's parameters, and the loop if it is one."""
        name = eqn.primitive.name
        self.rematerialises |= name in REMATS
        for label, jaxpr in inner:
            child = self.visit(jaxpr, str(eqn.params.get("name", name)))
            body.edges[Edge(code, child, region_of(eqn, label))] += 1
        if name in _LOOPS:
            body.regions[Region(name, eqn.params.get("length"), code)] += 1

    def origin_in(self, jaxpr: Any, position: int) -> Origin:
        """The origin of the equation at a position of a jaxpr, relative to that jaxpr."""
        flags = self.corrections.get(id(jaxpr), {}).get(position)
        return self.origin(jaxpr.eqns[position].source_info, flags)

    def origin(self, info: Any, flags: int | None = None) -> Origin:
        """The origin of an equation, relative to the jaxpr that contains it; ``flags`` correct those of its name."""
        base = self.stacks.get(info.name_stack)
        if base is None:
            base = self.stacks[info.name_stack] = self._of_stack(info.name_stack)
        if flags is not None:
            base = base._replace(flags=flags & ~UNKNOWN, complete=not flags & UNKNOWN)
        if not self.wants & NEEDS_FRAMES or info.traceback is None:
            return base
        source, stack = self.frames(info.traceback)
        return base._replace(source=source, stack=stack)

    def _of_stack(self, name_stack: Any) -> Origin:
        transforms, scopes = compat.stack_elements(name_stack)
        self.scopes.update(scopes)
        return Origin(
            flags=flags_of(transforms, scopes),
            transforms=tuple(transforms) if By.TRANSFORMS in self.wants else (),
            scope="/".join(scopes) if By.SCOPE in self.wants else "",
        )

    def frames(self, traceback: Any) -> tuple[Frame | None, tuple[Frame, ...]]:
        """The source of a traceback and, if requested, its whole stack, outermost first; both end at this tool's frames."""
        resolved = self.tracebacks.get(traceback)
        if resolved is None:
            resolved = self.tracebacks[traceback] = self._resolve(traceback)
        return resolved

    def _resolve(self, traceback: Any) -> tuple[Frame | None, tuple[Frame, ...]]:
        source: Frame | None = None
        stack: list[Frame] = []
        codes, whole = self.ownership.codes, By.STACK in self.wants
        for code, instruction in compat.raw_frames(traceback):
            file, owner, function, _ = codes.get(id(code)) or self.ownership.code(code)
            if owner == "jax":
                continue
            if owner == "tool":
                break
            visible = self.library or owner == "user"
            if not visible and source is not None:
                continue
            frame = Frame(file, compat.line_of(code, instruction), function, owner)
            if source is None or (visible and source.owner != "user" and not self.library):
                source = frame
            if visible and not whole:
                break
            if visible:
                stack.append(frame)
        return source, without_repeats(stack[::-1])


def _without_remat(op: Op) -> Op:
    """The operation of a program that rematerialises nothing: a scope of that name is the user's."""
    return op._replace(origin=op.origin._replace(flags=op.origin.flags & ~REMAT)) if op.origin.flags & REMAT else op


_LOOPS = frozenset({"scan", "while"})


def region_of(eqn: Any, label: str) -> str:
    """The name of a nested jaxpr's region, as in edges."""
    name = eqn.primitive.name
    if name in {"jit", "pjit"}:
        return f"jit:{eqn.params.get('name', '?')}"
    trips = f"[{eqn.params['length']}]" if name == "scan" else ""
    part = label.replace("call_jaxpr", "").replace("_jaxpr", "").replace("jaxpr", "")
    return f"/{name}{trips}" + (f".{part}" if part else "")


def read(
    jaxpr: Any,
    wants: Collection[By] = (),
    ownership: Ownership | None = None,
    *,
    library: bool = False,
    details: Details = Details.NONE,
    correct: Correct | None = None,
) -> Stream:
    """The stream of a (closed) jaxpr.

    Args:
        jaxpr: a ``ClosedJaxpr`` or ``Jaxpr``.
        wants: the requested groupings; source, function and stack cost resolving each distinct traceback.
        ownership: the owners of source files.
        library: let library frames count as sources and appear in stacks.
        details: how much of each operation's types and attributes to keep.
        correct: finds the flags of equations whose names mislead; names alone are believed where ``None``.
    """
    return Reader(wants, ownership or Ownership(), library, details, correct=correct).read_program(jaxpr)
