"""Lays followed equations out: how many became what, the largest, each in detail, a kernel's lines; and rows for CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ltc_ir.records.figures import size
from ltc_ir.records.follow import Fate, Follow, FollowedEquation, FollowedKernel, FollowedProgram
from ltc_ir.records.vocabulary import NO_SOURCE, Phase
from ltc_ir.render.sheet import Cell, Row, Sheet
from ltc_ir.render.words.text import cut

FIRST_ROWS, MOST_ROWS, MOST_IN_DETAIL = 4, 15, 2
"""The rows of the first screen, and of a selection; a smaller selection is shown in detail."""
MEANINGS = {
    Fate.KEPT: "it has instructions",
    Fate.MERGED: "an instruction of another equation computes it",
    Fate.INLINED: "it only calls other equations",
    Fate.FOLDED: "it was simplified away",
    Fate.GONE: "nothing uses its result",
    Fate.UNKNOWN: "see the reason",
}
_LEGEND = (
    "kept: has instructions; merged: computed by those of another; inlined: a call;",
    "folded: simplified away; gone: nothing uses it; unknown: its row says why",
)
_LEVELS = {"stablehlo": "StableHLO", "hlo": "HLO"}
_NONE = "-"


def follow_sheets(follow: Follow, *, top: int | None = None) -> list[Sheet]:
    """Without a selection how many equations became what and the largest; else the kernel and the selected equations."""
    return [
        sheet
        for name, program in follow.programs.items()
        for sheet in _program_sheets(follow, f"{follow.target} {name}", program, top)
    ]


def _program_sheets(follow: Follow, title: str, program: FollowedProgram, top: int | None) -> Iterator[Sheet]:
    if not follow.selection.words:
        yield _fates(title, program)
        yield _largest(title, program, FIRST_ROWS if top is None else top)
        return
    title = f"{title}: {' '.join(follow.selection.words)}"
    if program.kernel is not None:
        yield _kernel(title, program.kernel)
    if len(program.rows) <= MOST_IN_DETAIL and program.kernel is None:
        yield from (_detail(title, row, program) for row in program.rows)
    else:
        yield _rows(title, program, MOST_ROWS if top is None else top)


def _fates(title: str, program: FollowedProgram) -> Sheet:
    """A row for each fate, a column for each phase."""
    present = {phase for phases in program.fates.values() for phase in phases}
    phases = [phase.value for phase in Phase if phase.value in present]
    rows = [
        (fate, sum(split.values()), *(split.get(phase) for phase in phases)) for fate, split in program.fates.items()
    ]
    levels = ", ".join(
        f"{coverage.of_equations:,} of {coverage.total:,} in {_LEVELS[level]}"
        for level, coverage in program.levels.items()
        if level in _LEVELS
    )
    notes = (*_LEGEND, f"of an equation: {levels}", *_reasons(program))
    return Sheet(f"{title}: {program.equations:,} equations", ("became", "equations", *phases), tuple(rows), notes)


def _reasons(program: FollowedProgram) -> Iterator[str]:
    yield from (f"{what}: {reason}" for what, reason in program.reasons.items())


def _largest(title: str, program: FollowedProgram, top: int) -> Sheet:
    """The equations that do the most work."""
    ranked = sorted(program.rows, key=lambda row: (*(-figure for figure in row.work), row.number))
    shown = ranked[:top] if top else ranked
    rows = tuple(
        (cut(_name(row), 26), row.phase, _short(row.source), _count(row), _times(row.flops, row), row.fate.value)
        for row in shown
    )
    columns = ("equation", "phase", "line", _count_title(program), "flops", "became")
    return Sheet(f"{title}: the largest", columns, rows, text_columns=3)


def _count_title(program: FollowedProgram) -> str:
    return "count" if program.how is None else "executed"


def _count(row: FollowedEquation) -> int:
    return row.runs


def _times(figure: int | None, row: FollowedEquation) -> int | None:
    return None if figure is None else figure * row.runs


def _name(row: FollowedEquation) -> str:
    return f"{row.number} {row.name} {_types(row.types)}".rstrip()


def _types(types: Sequence[str]) -> str:
    return " ".join(types[:1]) + (f" and {len(types) - 1} more" if len(types) > 1 else "")


def _short(source: str | None) -> str:
    return _NONE if source is None else cut(source.rpartition("/")[2], 20)


def _rows(title: str, program: FollowedProgram, top: int) -> Sheet:
    """A row for each selected equation, in program order."""
    shown = program.rows[:top] if top else program.rows
    more = len(program.rows) - len(shown)
    notes = [f"{more:,} more equations not shown (--top 0 shows all)"] if more else []
    columns = (
        "equation", "phase", "line", "became", "StableHLO", "HLO", "in", _count_title(program), "flops", "bytes",
    )  # fmt: skip
    rows = tuple(_row(row) for row in shown)
    number = f"{len(program.rows):,} of {program.equations:,} equations"
    return Sheet(f"{title}: {number}", columns, rows, (*notes, *_reasons(program)), text_columns=7)


def _row(row: FollowedEquation) -> Row:
    places = [*row.kernels, *(f"loop {loop}" for loop in row.loops)]
    return (
        _name(row), row.phase, row.source or _NONE, _became(row), _counted(row.stablehlo), _counted(row.hlo),
        _few(places), _count(row), _times(row.flops, row), _times(row.bytes, row),
    )  # fmt: skip


def _became(row: FollowedEquation) -> str:
    """``merged with 14`` or ``kept, merged with 14``: the fate, with the equations that share an instruction."""
    if not row.merged_with:
        return row.fate.value
    others = ", ".join(f"{number}" for number in row.merged_with[:3])
    more = f" and {len(row.merged_with) - 3} more" if len(row.merged_with) > 3 else ""
    fate = row.fate.value if row.fate is Fate.MERGED else f"{row.fate.value}, merged"
    return f"{fate} with {others}{more}"


def _counted(operations: Mapping[str, int] | None) -> str:
    """``2 add, multiply``: operations without their dialect, most first."""
    if operations is None:
        return "unknown"
    ordered = sorted(operations.items(), key=lambda item: (-item[1], item[0]))
    names = [
        f"{number} {name.removeprefix('stablehlo.')}" if number > 1 else name.removeprefix("stablehlo.")
        for name, number in ordered
    ]
    return _few(names)


def _few(names: Sequence[str]) -> str:
    return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or _NONE


def _detail(title: str, row: FollowedEquation, program: FollowedProgram) -> Sheet:
    """All that is known of one equation, a line each."""
    figures = {
        "type": ", ".join(row.types) or _NONE,
        "phase": row.phase,
        "line": row.source or _NONE,
        "function": row.function or _NONE,
        "region": row.region,
        "became": f"{_became(row)} ({'inferred' if row.inferred else MEANINGS[row.fate]})",
        "StableHLO": _listed(row.stablehlo),
        "HLO": "unknown" if row.hlo is None else _listed(row.hlo),
        "kernels": ", ".join(row.kernels) or _NONE,
        "loops": ", ".join(row.loops) or _NONE,
        "count": f"{row.count:,}",
        "executed": None if program.how is None else _figure(row.executed) + f" ({program.how})",
        "flops": f"{_figure(row.flops)} a run",
        "transcendentals": f"{_figure(row.transcendentals)} a run" if row.transcendentals else None,
        "bytes": "unknown" if row.bytes is None else f"{size(row.bytes)} a run",
    }
    rows: tuple[Row, ...] = tuple((name, text) for name, text in figures.items() if text is not None)
    notes = tuple(f"{what}: {reason}" for what, reason in row.reasons.items())
    return Sheet(
        f"{title}: {_name(row)}", ("equation", str(row.number)), rows, (*notes, *_reasons(program)), text_columns=None
    )


def _listed(operations: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in operations.items()) or _NONE


def _figure(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _kernel(title: str, kernel: FollowedKernel) -> Sheet:
    """The lines that a kernel came from."""
    rows: list[Row] = [(line, number) for line, number in kernel.lines.items()]
    other = kernel.instructions - kernel.of_equations
    if other:
        rows.append(("(no equation)", other))
    note = f"{kernel.name} is a {kernel.opcode} of {kernel.instructions:,} instructions"
    return Sheet(title, ("line", "instructions"), tuple(rows), (note,))


_COLUMNS = (
    "program", "number", "name", "types", "phase", "source", "function", "region", "fate", "inferred", "merged_with",
    "stablehlo", "hlo", "instructions", "kernels", "loops", "count", "executed", "bytes", "flops", "transcendentals",
    "reasons",
)  # fmt: skip


def follow_rows(follow: Follow) -> Iterator[Row]:
    """CSV: a row per equation; operations as ``name=number``, several values separated by semicolons."""
    yield _COLUMNS
    for name, program in follow.programs.items():
        yield from (_csv_row(name, row) for row in program.rows)


def _csv_row(program: str, row: FollowedEquation) -> tuple[Cell, ...]:
    return (
        program, row.number, row.name, ";".join(row.types), row.phase, row.source or NO_SOURCE, row.function or NO_SOURCE,
        row.region, row.fate.value, "true" if row.inferred else "false", ";".join(map(str, row.merged_with)),
        _pairs(row.stablehlo), None if row.hlo is None else _pairs(row.hlo), ";".join(row.instructions),
        ";".join(row.kernels), ";".join(row.loops), row.count, row.executed, row.bytes, row.flops, row.transcendentals,
        ";".join(f"{what}: {reason}" for what, reason in row.reasons.items()),
    )  # fmt: skip


def _pairs(operations: Mapping[str, int]) -> str:
    return ";".join(f"{name}={number}" for name, number in operations.items())
