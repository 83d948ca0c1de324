"""Copies a jaxpr with a mark in the name stack of each equation, so that what is lowered from it names its equations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from ltc_ir import compat
from ltc_ir.ir.jaxpr.nesting import nested
from ltc_ir.ir.jaxpr.reader import Reader
from ltc_ir.ir.marks import Marks, unused_prefix
from ltc_ir.ir.op import NEEDS_FRAMES, callers_first, paused_collector


def mark(reader: Reader, names: Collection[str] = (), *, each: bool = False) -> tuple[Any, Marks]:
    """A copy of a jaxpr with a mark in the name stack of each equation, and what the marks mean.

    Args:
        reader: the reader that has read the jaxpr.
        names: further names that the lowered program may contain, such as that of its function.
        each: whether each equation has a separate mark.
    """
    taken = {*names, *reader.scopes, *(body.name for body in reader.stream.bodies)}
    joined = not any(";" in name for name in taken)
    marks = Marks(reader.stream, unused_prefix(taken), each=each, joined=joined)
    with paused_collector():
        return _Copy(reader, marks).program(), marks


class _Copy:
    """The copies of a program's jaxprs: one of each, so that what was shared stays shared."""

    def __init__(self, reader: Reader, marks: Marks) -> None:
        self.reader = reader
        self.marks = marks
        self.open: dict[int, Any] = {}
        self.closed: dict[int, Any] = {}
        self.stacks: dict[tuple[Any, int], Any] = {}
        self.copied: Callable[[Any, Any, Any], Any] = compat.equation_copier()

    def program(self) -> Any:
        """The copy of the program, its innermost jaxprs copied first."""
        bodies = self.reader.stream.bodies
        order = callers_first({index: {edge.child for edge in body.edges} for index, body in enumerate(bodies)})
        for index in reversed(order):
            original = self.reader.pending[index]
            self.open[id(original)] = original.replace(eqns=list(self.equations(original, index)))
        return self.holder(self.reader.program)

    def holder(self, jaxpr: Any) -> Any:
        """The copy of an open or a closed jaxpr."""
        inner = compat.open_jaxpr(jaxpr)
        if inner is jaxpr:
            return self.open[id(inner)]
        copy = self.closed.get(id(jaxpr))
        if copy is None:
            copy = self.closed[id(jaxpr)] = jaxpr.replace(jaxpr=self.open[id(inner)])
        return copy

    def equations(self, jaxpr: Any, index: int) -> Iterator[Any]:
        """The marked copies of a jaxpr's own equations."""
        holding = {edge.code for edge in self.reader.stream.bodies[index].edges}
        codes, numbers, copied = self.reader.stream.bodies[index].codes, self.marks.numbers[index], self.copied
        framed, shared = bool(self.reader.wants & NEEDS_FRAMES), not self.marks.each
        of_code: dict[int, Any] = {}
        infos: dict[Any, Any] = {}
        for eqn, code, number in zip(jaxpr.eqns, codes, numbers, strict=True):
            marked = of_code.get(code)
            if marked is None:
                info = eqn.source_info
                key = (info.name_stack, info.traceback, number) if shared else number
                marked = infos.get(key)
                if marked is None:
                    marked = infos[key] = info.replace(name_stack=self.stack(info.name_stack, number))
                if framed and shared:  # then equations of one code have one traceback and one mark
                    of_code[code] = marked
            yield copied(eqn, self.params(eqn) if code in holding else eqn.params, marked)

    def stack(self, name_stack: Any, number: int) -> Any:
        """The name stack with a mark inside."""
        if self.marks.each:
            return compat.with_scope(name_stack, self.marks.spelling(number))
        marked = self.stacks.get((name_stack, number))
        if marked is None:
            marked = compat.with_scope(name_stack, self.marks.spelling(number))
            self.stacks[name_stack, number] = marked
        return marked

    def params(self, eqn: Any) -> Any:
        """An equation's parameters with the copies of the jaxprs among them; those of a kernel stay as they are.

        A kernel is compiled as a whole, and its text, names included, is an attribute of the operation.
        """
        if eqn.primitive.name in compat.KERNELS:
            return eqn.params
        params = dict(eqn.params)
        for key in {label.partition("[")[0] for label, _ in nested(eqn.params, self.reader.types)}:
            params[key] = self.value(params[key])
        return params

    def value(self, value: Any) -> Any:
        """A parameter with the copies of the jaxprs in it: one, or some among the items of a tuple or a list."""
        types = self.reader.types
        if isinstance(value, types):
            return self.holder(value)
        items = [self.holder(item) if isinstance(item, types) else item for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
