"""The verb `follow`: what became of a program's equations on the way to the optimised HLO, and what a kernel came from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ltc_ir.errors import UsageError
from ltc_ir.files import names_stored_file
from ltc_ir.records.follow import Follow, FollowedKernel, FollowedProgram, Selection, near, nothing_together
from ltc_ir.records.request import Options, Request
from ltc_ir.records.vocabulary import NO_SOURCE, By, Level

if TYPE_CHECKING:
    from ltc_ir.ir.hlo.kernels import Places
    from ltc_ir.tables.follow import Followed
    from ltc_ir.tables.inspected import Inspected
    from ltc_ir.targets.prepare import Inspectable
    from ltc_ir.targets.stages import Staged


def follow(
    target: Inspectable = "ltc",
    *,
    program: str = "forward",
    source: str | None = None,
    function: str | None = None,
    op: str | None = None,
    equation: int | None = None,
    kernel: str | None = None,
    args: tuple[Any, ...] | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    executed: bool = False,
    fill: str | None = None,
    largest: int | None = None,
) -> Follow:
    """Follow the equations of a program to what they became in StableHLO and in optimised HLO.

    Args:
        target: a name, a Target, or a function (with ``args``).
        program: the program.
        source: only equations of this line, ``FILE:LINE``, or of this file.
        function: only equations of this function.
        op: only equations of this primitive.
        equation: only the equation with this number.
        kernel: only equations that this instruction of the optimised HLO computes: a fusion, a loop or a single one.
        args: the example arguments of a function given as such.
        options: what else is said about a target found by name.
        platform: what to lower for; this machine's where ``None``.
        x64: enable or disable 64-bit types; as configured where ``None``.
        executed: determine how often each equation runs, if necessary by running the program.
        fill: the values of arguments that are only shapes, for such a run: ``zeros`` or ``normal:SEED``.
        largest: without a selection, make rows of so many equations only, those that do the most work; of all where ``None``.

    Raises:
        UsageError: bad input, or nothing matches. TargetError: the function failed. LimitError: a limit ended it.
    """
    if isinstance(target, str) and names_stored_file(target):
        raise UsageError(
            f"follow needs a function to trace, not an IR file ({target})",
            "name the target that the file was lowered from",
        )
    if fill is not None and not executed:
        raise UsageError("--fill only applies when the program is run", "add --executed")
    from ltc_ir.targets.prepare import configured, ownership_of, resolve, stage
    from ltc_ir.targets.stages import environment

    selection = Selection(source, function, op, equation, kernel)
    request = Request(levels=tuple(Level), by=(By.REGION,), executed=executed, fill=fill, platform=platform, x64=x64)
    with configured(x64):
        resolved = resolve(target, args, options)
        staged = stage(resolved, program, platform)
        followed = _Following(staged, request, ownership_of(resolved), selection).program(largest)
        return Follow(
            target=resolved.name or "target",
            environment=environment(platform or resolved.platform),
            selection=selection,
            programs={program: followed},
        )


class _Following:
    """One program on its way to the record."""

    def __init__(self, staged: Staged, request: Request, ownership: Any, selection: Selection) -> None:
        self.staged = staged
        self.request = request
        self.ownership = ownership
        self.selection = selection
        self.places: Places | None = None
        self.reasons: dict[str, str] = {}

    def program(self, largest: int | None) -> FollowedProgram:
        """The followed program, with the selected equations, or with the largest."""
        from ltc_ir.tables.inspected import inspect

        self.staged.traced  # noqa: B018 - traced
        inspected = inspect(self.staged, self.request, self.ownership, each=True)
        followed = self._followed(inspected)
        rows = followed.rows(self.selection, self.staged.label, largest)
        kernel = None
        if self.selection.kernel is not None:
            kernel, computed = self._of_kernel(self.selection.kernel, followed)
            rows = tuple(row for row in rows if row.number in computed)
            if len(self.selection.words) > 1 and not rows:
                raise nothing_together(self.selection.words, self.staged.label)
        return FollowedProgram(
            equations=len(followed.equations.order),
            fates=followed.fates(),
            levels=followed.levels(),
            rows=rows,
            kernel=kernel,
            how=followed.runs.how,
            reasons=self.reasons,
        )

    def _followed(self, inspected: Inspected) -> Followed:
        from ltc_ir.execution.equation_work import Amounts, runs_of
        from ltc_ir.ir.hlo.kernels import Places
        from ltc_ir.ir.stablehlo.marked import read_paths
        from ltc_ir.tables.equations import Equations
        from ltc_ir.tables.follow import Followed, Runs, instructions_by_mark, operations_by_mark

        if not inspected.staged.traced.jaxpr.eqns:
            raise UsageError(f"{inspected.staged.label} has no operations", "follow a program that computes something")
        stream = None if inspected.marks is None else read_paths(inspected.staged.module(), inspected.marks)
        if inspected.marks is None or stream is None:
            raise UsageError(
                "follow cannot mark the equations of a program on this JAX", "ltc-ir doctor lists what this JAX lacks"
            )
        equations = Equations(inspected.reader, inspected.marks)
        operations = operations_by_mark(stream)
        compiled = None
        if self._compiles():
            attribution = inspected.attribution()
            assert attribution is not None
            self.places = Places(inspected.hlo_module)
            compiled = instructions_by_mark(attribution, self.places, operations.ambiguous)
        runs = Runs()
        if self.request.executed:
            runs = runs_of(equations, inspected)
            self.reasons |= {} if runs.reason is None else {"executed": runs.reason}
        return Followed(equations, operations, compiled, self.reasons.get("hlo"), Amounts(equations).of, runs)

    def _compiles(self) -> bool:
        """Whether this machine compiles the program; an error only where a kernel is asked for."""
        from ltc_ir.targets.stages import platform_here

        here = platform_here()
        if self.staged.platform in {None, here}:
            return True
        platform = self.staged.platform
        why = f"optimised HLO for {platform} needs a {platform} device; this machine compiles for {here}"
        if self.selection.kernel is not None:
            raise UsageError(why, "leave out --platform, or --kernel")
        self.reasons["hlo"] = why
        return False

    def _of_kernel(self, name: str, followed: Followed) -> tuple[FollowedKernel, set[int]]:
        """The kernel of a name, and the numbers of all equations that it computes."""
        assert self.places is not None
        instruction = self.places.named(name)
        if instruction is None:
            kernels = [known.name for _, known in self.places.instructions.values() if known.opcode != "parameter"]
            raise UsageError(f"the optimised HLO of {self.staged.label} has no instruction {name}", near(name, kernels))
        contents = {one.name for _, one in self.places.contents(instruction.name)}
        rows = followed.rows(Selection(), self.staged.label, None)
        own = {row.number: len(contents.intersection(row.instructions)) for row in rows}
        lines: Counter[str] = Counter()
        for row in rows:
            lines[row.source or NO_SOURCE] += own[row.number]
        lines = +lines
        ordered = dict(sorted(lines.items(), key=lambda item: (-item[1], item[0])))
        kernel = FollowedKernel(instruction.name, instruction.opcode, len(contents), sum(own.values()), ordered)
        return kernel, {number for number, instructions in own.items() if instructions}
