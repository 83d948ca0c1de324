"""Lays a count out: sheets for people, and rows with one figure each for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ltc_ir.records.count import Count, Executed, Group, LevelCount, Tally, Work, ranked
from ltc_ir.records.vocabulary import NO_SOURCE, Phase
from ltc_ir.render.sheet import Cell, Row, Sheet

COLUMNS = ("target", "program", "level", "view", "key", "op", "phase", "count")
"""The columns of CSV. ``view`` is ``module`` (as in the text), ``expanded``, ``executed`` (as it ran), ``by``, ``expanded_by``,
``executed_by``, ``region`` (``key`` its kind, source and path, ``op`` the figure) or ``fact``."""
MOST_ROWS = 10
"""Rows of loops and functions shown without ``--top``; JSON has them all."""
LEADING = 5
"""Operations that lead a gradient's table, of a target that names none."""
_PHASES = frozenset(phase.value for phase in Phase)
_FIRST = frozenset({1})
"""A rule below the total."""


def count_sheets(count: Count, *, top: int | None = None, grad: bool = False) -> list[Sheet]:
    """The sheets of a count: forward next to gradient, one program in full, or several side by side."""
    sheets: list[Sheet] = []
    names = list(count.programs)
    if grad and {"forward", "grad"} <= count.programs.keys():
        sheets.append(headline_sheet(count))
        sheets += [_pair_sheet(count, level, top) for level in count.levels()]
    elif len(names) == 1:
        for level in count.levels():
            sheets.append(_level_sheet(count, names[0], level, top))
            if not (count.filters or count.grouped):
                sheets += _structure_sheets(count, names[0], level, top or MOST_ROWS)
    elif names:
        sheets += [_programs_sheet(count, level, top) for level in count.levels()]
    sheets += executed_sheets(count, top)
    sheets += [_facts_sheet(count)] if names else []
    return [*sheets, *_group_sheets(count, top)]


def headline_sheet(count: Count) -> Sheet:
    """The operations that matter most, then StableHLO lines and while operations, forward next to gradient.

    The operations are the target's headline; of a target without one, the largest of its gradient.
    """
    rows: list[Row] = []
    forward, grad = count.programs["forward"], count.programs["grad"]
    names = count.headline or (_largest(grad["jaxpr"].tally) if "jaxpr" in grad else ())
    phases = _phases(_narrowed(level.tally, names) for level in grad.values())
    if "jaxpr" in forward:
        rows += [_pair_row(name, forward["jaxpr"].tally, grad["jaxpr"].tally, phases) for name in names]
    if "stablehlo" in forward:
        before, after = forward["stablehlo"], grad["stablehlo"]
        rows.append(("StableHLO lines", *_sides(before.lines, after.lines), *(None for _ in phases)))
        rows.append(("StableHLO while", *_pair_row("stablehlo.while", before.tally, after.tally, phases)[1:]))
    return Sheet(f"{count.target}: forward beside its gradient", _pair_columns(phases), tuple(rows))


def _largest(tally: Tally) -> tuple[str, ...]:
    return tuple(ranked(tally.ops))[:LEADING]


def _narrowed(tally: Tally, names: Sequence[str]) -> Tally:
    """Only these operations, with the while operations of StableHLO, split by phase."""
    kept = {*names, "while"}
    phases = {
        phase: {name: number for name, number in ops.items() if name.removeprefix("stablehlo.") in kept}
        for phase, ops in tally.phases.items()
    }
    return Tally({}, phases)


def _pair_sheet(count: Count, level: str, top: int | None) -> Sheet:
    """One level of forward next to gradient, every operation, the gradient split by phase."""
    forward, grad = count.programs["forward"][level], count.programs["grad"][level]
    before, after = forward.tally, grad.tally
    phases = _phases([after])
    names = _by_number(before.ops.keys() | after.ops.keys(), after.ops)
    total: Row = ("total", *_sides(before.total, after.total), *_phase_totals(after, phases))
    rows, more = _cut([_pair_row(name, before, after, phases) for name in names], top)
    notes = (*more, f"forward: {_share_note(forward)}", f"grad: {_share_note(grad)}")
    return Sheet(f"{count.target} {level}", _pair_columns(phases), (total, *rows), notes, _FIRST)


def _pair_columns(phases: Sequence[str]) -> tuple[str, ...]:
    return ("op", "forward", "grad", "ratio", *(f"grad: {phase}" for phase in phases))


def _pair_row(name: str, before: Tally, after: Tally, phases: Sequence[str]) -> Row:
    return (name, *_sides(before.ops.get(name, 0), after.ops.get(name, 0)), *_phase_counts(name, after, phases))


def _sides(before: int | None, after: int | None) -> Row:
    """Both sides and their ratio."""
    if before is None or after is None:
        return before, after, None
    return before, after, f"{after / before:.2f}x" if before else ("new" if after else None)


def _level_sheet(count: Count, program: str, level: str, top: int | None) -> Sheet:
    """One program at one level: counts, shares, cumulative shares and phases, the total first."""
    level_count = count.programs[program][level]
    tally = level_count.tally
    phases = _phases([tally])
    rows, more = _share_rows(
        {name: (number, _phase_counts(name, tally, phases)) for name, number in tally.ops.items()}, tally, top
    )
    columns = ("op", "count", "share", "cumulative", *phases)
    return Sheet(f"{count.target} {program}: {level}", columns, rows, (*more, _share_note(level_count)), _FIRST)


def _programs_sheet(count: Count, level: str, top: int | None) -> Sheet:
    """One level of several programs side by side, ordered by the program that has the most operations."""
    programs = {name: levels[level] for name, levels in count.programs.items() if level in levels}
    largest = max((program.tally for program in programs.values()), key=lambda tally: tally.total)
    names = _by_number({op for program in programs.values() for op in program.tally.ops}, largest.ops)
    total: Row = ("total", *(program.tally.total for program in programs.values()))
    rows, more = _cut([(name, *(program.tally.ops.get(name) for program in programs.values())) for name in names], top)
    notes = (*more, *(f"{name}: {_share_note(program)}" for name, program in programs.items()))
    return Sheet(f"{count.target} {level}", ("op", *programs), (total, *rows), notes, _FIRST)


def _structure_sheets(count: Count, program: str, level: str, top: int) -> Iterator[Sheet]:
    """The loops of a program and its named functions, most frequent first; nothing where it has none."""
    level_count = count.programs[program][level]
    loops: list[Row] = [
        (
            loop.source or NO_SOURCE,
            loop.kind,
            loop.phase,
            "?" if loop.trip_count is None else loop.trip_count,
            loop.times,
        )
        for loop in level_count.loops
    ]
    functions: list[Row] = [
        (function.name, function.operations, function.sites, function.calls) for function in level_count.functions
    ]
    for name, columns, rows in (
        ("loops", ("source", "kind", "phase", "trip count", "loops"), loops),
        ("functions", ("function", "operations", "call sites", "calls"), functions),
    ):
        shown, more = _cut(rows, top)
        if rows:
            yield Sheet(f"{count.target} {program}: {level}: {name}", columns, tuple(shown), more)


def _facts_sheet(count: Count) -> Sheet:
    """Figures that are not operations: depth, text, functions, constants, XLA's estimates, per program."""
    rows: list[Row] = []
    reasons: dict[str, None] = {}
    for level in count.levels():
        counts = [levels.get(level) for levels in count.programs.values()]
        facts = [_facts(level_count) if level_count else {} for level_count in counts]
        for name in dict.fromkeys(key for of_program in facts for key in of_program):
            rows.append((f"{level} {name}", *(of_program.get(name) for of_program in facts)))
        reasons |= dict.fromkeys(
            f"{key}: {why}" for level_count in counts if level_count for key, why in level_count.reasons.items()
        )
    return Sheet(f"{count.target}: facts", ("fact", *count.programs), tuple(rows), tuple(reasons))


def _facts(level_count: LevelCount) -> dict[str, Cell]:
    facts: dict[str, Cell] = dict(level_count.plain_figures)
    if level_count.expanded is not None:
        facts["expanded total"] = level_count.expanded.total
    facts |= {f"constants {name}": size for name, size in (level_count.constants or {}).items()}
    facts |= {f"memory {name}": size for name, size in (level_count.memory or {}).items()}
    for name, entry in (level_count.collectives or {}).items():
        facts |= {" ".join((name, *key)): value for key, value in _told_amounts(entry)}
    loops = sum(loop.times for loop in level_count.loops)
    if loops:
        facts["loops"] = loops
        facts["loops of known length"] = sum(loop.times for loop in level_count.loops if loop.trip_count is not None)
    return facts


def _told_amounts(entry: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Cell]]:
    """What people are told of a kind of collectives: its number and bytes, and what differs from them."""
    whole = {key: entry.get(key) for key in ("count", "bytes")}
    for key, value in _amounts(entry):
        if len(key) == 1 or value != whole.get(key[-1]):
            yield key, value


def _amounts(entry: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Cell]]:
    """The numbers of a kind of collectives, each with its keys; the word ``phases`` is left out."""
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from (((*(() if key == "phases" else (key,)), *inner), number) for inner, number in _amounts(value))
        else:
            yield (key,), value


def _group_sheets(count: Count, top: int | None) -> Iterator[Sheet]:
    """A sheet per program and level of a grouped count."""
    keys = " | ".join(count.grouped)
    for program, levels in count.programs.items():
        for level, level_count in levels.items():
            if level_count.by is not None:
                columns = (keys, "count", "share", "cumulative", *_phases([level_count.tally]))
                rows, more = _group_rows(level_count.by, level_count.tally, top)
                title = f"{count.target} {program}: {level} by {', '.join(count.grouped)}"
                yield Sheet(title, columns, rows, (*more, _share_note(level_count)), _FIRST)


def _group_rows(groups: Sequence[Group], tally: Tally, top: int | None) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    phases = _phases([tally])
    return _share_rows(
        {group.key: (group.tally.total, _phase_totals(group.tally, phases)) for group in groups}, tally, top
    )


def executed_sheets(count: Count, top: int | None) -> Iterator[Sheet]:
    """How often operations run: per program and level next to how often they occur, the regions, the arithmetic."""
    for program, levels in count.programs.items():
        for level, level_count in levels.items():
            if level_count.executed is not None:
                title = f"{count.target} {program}: {level}"
                yield from _executed_of(title, level_count, level_count.executed, count.grouped, top)


def _executed_of(
    title: str, level_count: LevelCount, executed: Executed, grouped: Sequence[str], top: int | None
) -> Iterator[Sheet]:
    static, tally = level_count.tally, executed.tally
    phases = _phases([tally])
    in_text = (level_count.expanded or static) if level_count.level == "stablehlo" else static
    names = _by_number(in_text.ops.keys() | tally.ops.keys(), tally.ops)
    total: Row = ("total", static.total, tally.total, *_phase_totals(tally, phases))
    rows, more = _cut(
        [
            (name, static.ops.get(name, 0), tally.ops.get(name, 0), *_phase_counts(name, tally, phases))
            for name in names
        ],
        top,
    )
    notes = (*more, *_executed_notes(executed))
    yield Sheet(f"{title}: executed", ("op", "stands", "ran", *phases), (total, *rows), notes, _FIRST)
    if executed.regions:
        yield _regions_sheet(title, executed, top or MOST_ROWS)
    if executed.work is not None:
        yield _work_sheet(title, executed.work)
    if executed.by is not None:
        groups, more = _group_rows(executed.by, tally, top)
        columns = (" | ".join(grouped), "ran", "share", "cumulative", *phases)
        yield Sheet(f"{title}: executed by {', '.join(grouped)}", columns, groups, more, _FIRST)


def _executed_notes(executed: Executed) -> Iterator[str]:
    if executed.how == "static":
        yield "by trip counts that the text fixes; nothing was run"
    else:
        values = "the target's own values" if executed.filled is None else f"shapes filled with {executed.filled}"
        yield f"measured in one run, on {values}; dead code is removed first"
    if executed.identical is not None:
        differ = "" if executed.difference is None else f" by at most {executed.difference:.3g}"
        yield "results identical to the plain run's, bit for bit" if executed.identical else f"results differ{differ}"
    if executed.devices:
        yield f"of the device that runs most; least {executed.devices['least']:,}, most {executed.devices['most']:,}"
    yield from executed.notes
    for part in executed.uncounted:
        ops = ", ".join(f"{number} {name}" for name, number in part.ops.items())
        yield f"not counted: {ops} in {part.what} at {part.source or NO_SOURCE} ({part.phase}): {part.reason}"


def _regions_sheet(title: str, executed: Executed, top: int) -> Sheet:
    by_device = any(region.least is not None for region in executed.regions)
    rows: list[Row] = []
    for region in executed.regions:
        where = (region.source or NO_SOURCE, region.kind, region.phase, region.region)
        rows.append((*where, region.entered, region.iterations, *((region.least, region.most) if by_device else ())))
    shown, more = _cut(rows, top)
    columns = ("source", "kind", "phase", "region", "entered", "ran", *(("least", "most") if by_device else ()))
    note = "ran: a loop's iterations, how often a branch was taken, how often a select's scalar was true"
    return Sheet(f"{title}: what only a run tells", columns, tuple(shown), (*more, note))


def _work_sheet(title: str, work: Work) -> Sheet:
    xla_flops, xla_bytes = (None if value is None else int(value) for value in (work.xla_flops, work.xla_bytes))
    left_out = ", ".join(f"{name} {number:,}" for name, number in work.in_no_flops.items())
    rows: list[Row] = [
        ("flops, at least" if left_out else "flops", work.total_flops, xla_flops),
        *((f"{kind} flops", number, None) for kind, number in work.flops.items()),
        ("transcendentals", work.transcendentals, None),
        ("bytes, unfused", work.bytes, xla_bytes),
    ]
    notes = (f"in no flops, and how often each ran: {left_out}",) if left_out else ()
    return Sheet(f"{title}: work", ("figure", "as run", "XLA, a loop's body once"), tuple(rows), notes)


def _share_rows(
    entries: Mapping[str, tuple[int, Row]], tally: Tally, top: int | None
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Rows with their shares of a total, which is the first row, and the note on those left out.

    Each entry is a number and its split by the phases of ``tally``.
    """
    rows: list[Row] = []
    running = 0
    for name, (number, split) in entries.items():
        running += number
        rows.append((name, number, _percent(number, tally.total), _percent(running, tally.total), *split))
    total: Row = ("total", tally.total, "100.0 %", None, *_phase_totals(tally, _phases([tally])))
    shown, more = _cut(rows, top)
    return (total, *shown), more


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _phases(tallies: Iterable[Tally]) -> tuple[str, ...]:
    present = {phase for tally in tallies for phase, ops in tally.phases.items() if ops}
    return tuple(phase.value for phase in Phase if phase.value in present)


def _phase_totals(tally: Tally, phases: Sequence[str]) -> Row:
    return tuple(tally.phase_total(phase) or None for phase in phases)


def _phase_counts(name: str, tally: Tally, phases: Sequence[str]) -> Row:
    return tuple(tally.phases.get(phase, {}).get(name) for phase in phases)


def _by_number(names: Iterable[str], numbers: Mapping[str, int]) -> list[str]:
    return sorted(names, key=lambda name: (-numbers.get(name, 0), name))


def _cut(rows: Sequence[Row], top: int | None) -> tuple[Sequence[Row], tuple[str, ...]]:
    """At most ``top`` rows, and the note on those left out."""
    if not top or len(rows) <= top:
        return rows, ()
    return rows[:top], (f"{len(rows) - top} more rows not shown (--top {top})",)


def _share_note(level_count: LevelCount) -> str:
    phase, source = (_share_text(level_count.attributed, of) for of in ("phase", "source"))
    return f"attributed to a phase {phase}, to a source line {source}"


def _share_text(attributed: Mapping[str, float | None], of: str) -> str:
    """A share as percent; never rounded up to all of it."""
    share = attributed.get(of)
    if share is None:
        return "not asked"
    return "100 %" if share == 1 else f"{min(99.9, 100 * share):.1f} %"


def count_rows(count: Count) -> Iterator[Row]:
    """Tidy CSV: every figure of every level in a row."""
    yield COLUMNS
    for program, levels in count.programs.items():
        for level, level_count in levels.items():
            yield from ((count.target, program, level, *row) for row in _level_rows(level_count))


def _level_rows(level_count: LevelCount) -> Iterator[Row]:
    yield from _tally_rows("module", "", level_count.tally)
    if level_count.expanded is not None:
        yield from _tally_rows("expanded", "", level_count.expanded)
    if level_count.executed is not None:
        yield from _executed_rows(level_count.executed)
    for view, groups in (("by", level_count.by), ("expanded_by", level_count.expanded_by)):
        for group in groups or ():
            yield from _tally_rows(view, group.key, group.tally)
    for name, figure in level_count.plain_figures.items():
        yield ("fact", "", name, "", figure)
    for prefix, facts in (("constants", level_count.constants), ("memory", level_count.memory)):
        for name, value in (facts or {}).items():
            yield ("fact", prefix, name, "", value)
    for name, entry in (level_count.collectives or {}).items():
        for keys, number in _amounts(entry):
            phase = keys[0] if keys[0] in _PHASES else ""
            yield ("fact", name, " ".join(keys[1:] if phase else keys), phase, number)


def _executed_rows(executed: Executed) -> Iterator[Row]:
    yield from _tally_rows("executed", "", executed.tally)
    for group in executed.by or ():
        yield from _tally_rows("executed_by", group.key, group.tally)
    for region in executed.regions:
        key = f"{region.kind} | {region.source or NO_SOURCE} | {region.region}"
        for name in ("entered", "iterations", "least", "most"):
            if getattr(region, name) is not None:
                yield ("region", key, name, region.phase, getattr(region, name))
    yield ("fact", "executed", "measured", "", int(executed.how == "measured"))  # only numbers: 1 for yes
    if executed.identical is not None:
        yield ("fact", "executed", "identical", "", int(executed.identical))
    if executed.work is not None:
        yield from (("fact", "executed flops", kind, "", number) for kind, number in executed.work.flops.items())
        yield from (
            ("fact", "executed in no flops", op, "", number) for op, number in executed.work.in_no_flops.items()
        )
        yield ("fact", "executed", "bytes", "", executed.work.bytes)


def _tally_rows(view: str, key: str, tally: Tally) -> Iterator[Row]:
    for phase, ops in tally.phases.items():
        for op, number in ops.items():
            yield (view, key, op, phase, number)
