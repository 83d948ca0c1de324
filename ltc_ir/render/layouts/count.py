"""Lays a count out as sheets: titled rows and columns of plain values, which every format prints alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ltc_ir.records.count import Count, Group, LevelCount, Tally
from ltc_ir.records.executed import Executed, Work
from ltc_ir.records.vocabulary import HEADLINE, NO_SOURCE, Phase

Cell = str | int | float | None


@dataclass(frozen=True)
class Sheet:
    """One table. The first column is text, the others numbers unless ``text``; a rule stands above each row in ``rules``."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    rules: frozenset[int] = field(default_factory=frozenset)
    text: bool = False


def count_sheets(count: Count, *, top: int | None = None, grad: bool = False) -> list[Sheet]:
    """The sheets of a count: forward beside gradient, one program in full, or several side by side."""
    sheets: list[Sheet] = []
    names = list(count.programs)
    if grad and {"forward", "grad"} <= count.programs.keys():
        sheets.append(headline_sheet(count))
        sheets += [pair_sheet(count, level, top) for level in count.levels()]
    elif len(names) == 1:
        for level in count.levels():
            sheets.append(level_sheet(count, names[0], level, top))
            if not (count.filters or count.grouped):
                sheets += structure_sheets(count, names[0], level, top or MOST_ROWS)
    elif names:
        sheets += [programs_sheet(count, level, top) for level in count.levels()]
    sheets += executed_sheets(count, top)
    sheets += [facts_sheet(count)] if names else []
    return sheets + group_sheets(count, top)


def headline_sheet(count: Count) -> Sheet:
    """The publication's table: five primitives, then StableHLO lines and while operations, forward beside gradient."""
    rows: list[tuple[Cell, ...]] = []
    forward, grad = count.programs["forward"], count.programs["grad"]
    phases = _phases(_headlines(made.tally) for made in grad.values())
    if "jaxpr" in forward:
        left, right = forward["jaxpr"].tally, grad["jaxpr"].tally
        rows += [_pair_row(name, left, right, phases) for name in HEADLINE]
    if "stablehlo" in forward:
        left, right = forward["stablehlo"].tally, grad["stablehlo"].tally
        lines = (forward["stablehlo"].lines, grad["stablehlo"].lines)
        rows.append(("StableHLO lines", *lines, _ratio(*lines), *(None for _ in phases)))
        rows.append(("StableHLO while", *_pair_row("stablehlo.while", left, right, phases)[1:]))
    return Sheet(f"{count.target}: forward beside its gradient", _pair_columns(phases), tuple(rows))


def _headlines(tally: Tally) -> Tally:
    """Only the operations of the headline."""
    phases = {
        phase: {name: number for name, number in ops.items() if name.removeprefix("stablehlo.") in HEADLINE}
        for phase, ops in tally.phases.items()
    }
    return Tally({}, phases)


def pair_sheet(count: Count, level: str, top: int | None) -> Sheet:
    """One level of forward beside gradient, every operation, the gradient split by phase."""
    left, right = count.programs["forward"][level], count.programs["grad"][level]
    phases = _phases([right.tally])
    names = sorted(
        left.tally.ops.keys() | right.tally.ops.keys(), key=lambda name: (-right.tally.ops.get(name, 0), name)
    )
    total: tuple[Cell, ...] = (
        "total", left.tally.total, right.tally.total, _ratio(left.tally.total, right.tally.total),
        *(right.tally.phase_total(phase) or None for phase in phases),
    )  # fmt: skip
    rows, more = _cut([_pair_row(name, left.tally, right.tally, phases) for name in names], top)
    notes = (*more, f"forward: {_share_note(left)}", f"grad: {_share_note(right)}")
    return Sheet(f"{count.target} {level}", _pair_columns(phases), (total, *rows), notes, frozenset({1}))


def level_sheet(count: Count, program: str, level: str, top: int | None) -> Sheet:
    """One program at one level: counts, shares, cumulative shares and phases, the total first."""
    made = count.programs[program][level]
    phases = _phases([made.tally])
    columns = ("op", "count", "share", "cumulative", *phases)
    rows, more = _cut(_share_rows(made.tally, phases), top)
    total: tuple[Cell, ...] = (
        "total", made.tally.total, "100.0 %", None, *(made.tally.phase_total(phase) or None for phase in phases)
    )  # fmt: skip
    return Sheet(
        f"{count.target} {program}: {level}", columns, (total, *rows), (*more, _share_note(made)), frozenset({1})
    )


def programs_sheet(count: Count, level: str, top: int | None) -> Sheet:
    """One level of several programs side by side, largest in the last first."""
    made = {name: levels[level] for name, levels in count.programs.items() if level in levels}
    last = max(made.values(), key=lambda one: one.tally.total).tally.ops
    names = sorted({op for one in made.values() for op in one.tally.ops}, key=lambda name: (-last.get(name, 0), name))
    rows, more = _cut([(name, *(one.tally.ops.get(name) for one in made.values())) for name in names], top)
    total: tuple[Cell, ...] = ("total", *(one.tally.total for one in made.values()))
    notes = (*more, *(f"{name}: {_share_note(one)}" for name, one in made.items()))
    return Sheet(f"{count.target} {level}", ("op", *made), (total, *rows), notes, frozenset({1}))


MOST_ROWS = 10
"""Rows of loops and functions shown where ``--top`` says nothing; JSON has them all."""


def structure_sheets(count: Count, program: str, level: str, top: int) -> list[Sheet]:
    """The loops of a program and its named functions, most frequent first; nothing where it has none."""
    made = count.programs[program][level]
    title = f"{count.target} {program}: {level}"
    loops = [
        (
            loop.source or NO_SOURCE,
            loop.kind,
            loop.phase,
            loop.trip_count if loop.trip_count is not None else "?",
            loop.times,
        )
        for loop in made.loops
    ]
    functions = [(one.name, one.operations, one.sites, one.calls) for one in made.functions]
    sheets = []
    for name, columns, rows in (
        ("loops", ("source", "kind", "phase", "trip count", "loops"), loops),
        ("functions", ("function", "operations", "call sites", "calls"), functions),
    ):
        shown, more = _cut([*rows], top)
        if rows:
            sheets.append(Sheet(f"{title}: {name}", columns, tuple(shown), more))
    return sheets


_FACTS = ("max_depth", "lines", "bytes", "private_functions", "fusions", "flops", "bytes_accessed")


def facts_sheet(count: Count) -> Sheet:
    """What is not an operation: depth, text, functions, constants, XLA's estimates, per program."""
    rows: list[tuple[Cell, ...]] = []
    reasons: dict[str, None] = {}
    for level in count.levels():
        made = [levels.get(level) for levels in count.programs.values()]
        facts = [_facts(one) if one else {} for one in made]
        for name in dict.fromkeys(key for one in facts for key in one):
            cells: list[Cell] = [f"{level} {name}", *(one.get(name) for one in facts)]
            rows.append(tuple(cells))
        reasons |= dict.fromkeys(f"{key}: {why}" for one in made if one for key, why in one.reasons.items())
    return Sheet(f"{count.target}: facts", ("fact", *count.programs), tuple(rows), tuple(reasons))


def _facts(made: LevelCount) -> dict[str, Cell]:
    facts: dict[str, Cell] = {name: getattr(made, name) for name in _FACTS if getattr(made, name) is not None}
    if made.expanded is not None:
        facts["expanded total"] = made.expanded.total
    for name, size in (made.constants or {}).items():
        facts[f"constants {name}"] = size
    for name, bytes_ in (made.memory or {}).items():
        facts[f"memory {name}"] = bytes_
    for name, entry in (made.collectives or {}).items():
        facts |= {f"{name} {key}": value for key, value in entry.items()}
    loops = sum(loop.times for loop in made.loops)
    if loops:
        facts["loops"] = loops
        facts["loops of known length"] = sum(loop.times for loop in made.loops if loop.trip_count is not None)
    return facts


def group_sheets(count: Count, top: int | None) -> list[Sheet]:
    """One sheet per program and level for what the operations were grouped by."""
    made = []
    for program, levels in count.programs.items():
        for level, one in levels.items():
            if one.by is not None:
                made.append(_group_sheet(f"{count.target} {program}: {level}", count.grouped, one, top))
    return made


def _group_sheet(title: str, grouped: Sequence[str], made: LevelCount, top: int | None) -> Sheet:
    rows, more = _group_rows(made.by or (), made.tally, top)
    columns = (" | ".join(grouped), "count", "share", "cumulative", *_phases([made.tally]))
    return Sheet(f"{title} by {', '.join(grouped)}", columns, rows, (*more, _share_note(made)), frozenset({1}))


def _group_rows(
    groups: Sequence[Group], tally: Tally, top: int | None
) -> tuple[tuple[tuple[Cell, ...], ...], tuple[str, ...]]:
    """The rows of a grouping, the total first, and what is said of those left out."""
    phases = _phases([tally])
    rows: list[tuple[Cell, ...]] = []
    running, total = 0, tally.total
    for group in groups:
        running += group.tally.total
        shares = (_percent(group.tally.total, total), _percent(running, total))
        rows.append(
            (group.key, group.tally.total, *shares, *(group.tally.phase_total(phase) or None for phase in phases))
        )
    shown, more = _cut(rows, top)
    head: tuple[Cell, ...] = (
        "total", total, "100.0 %", None, *(tally.phase_total(phase) or None for phase in phases)
    )  # fmt: skip
    return (head, *shown), more


def executed_sheets(count: Count, top: int | None) -> list[Sheet]:
    """How often operations run: per program and level beside how often they stand, the regions, the arithmetic."""
    sheets: list[Sheet] = []
    for program, levels in count.programs.items():
        for level, made in levels.items():
            if made.executed is not None:
                title = f"{count.target} {program}: {level}"
                sheets += _executed_of(title, made, made.executed, count.grouped, top)
    return sheets


def _executed_of(
    title: str, made: LevelCount, ran: Executed, grouped: Sequence[str], top: int | None
) -> Iterator[Sheet]:
    phases = _phases([ran.tally])
    standing = (made.expanded or made.tally) if made.level == "stablehlo" else made.tally
    names = sorted(standing.ops.keys() | ran.tally.ops.keys(), key=lambda name: (-ran.tally.ops.get(name, 0), name))
    rows, more = _cut([_ran_row(name, made.tally, ran.tally, phases) for name in names], top)
    total: tuple[Cell, ...] = (
        "total", made.tally.total, ran.tally.total, *(ran.tally.phase_total(phase) or None for phase in phases)
    )  # fmt: skip
    columns = ("op", "stands", "ran", *phases)
    yield Sheet(f"{title}: executed", columns, (total, *rows), (*more, *_ran_notes(ran)), frozenset({1}))
    if ran.regions:
        yield _regions_sheet(title, ran, top or MOST_ROWS)
    if ran.work is not None:
        yield _work_sheet(title, ran.work)
    if ran.by is not None:
        found, more = _group_rows(ran.by, ran.tally, top)
        columns = (" | ".join(grouped), "ran", "share", "cumulative", *phases)
        yield Sheet(f"{title}: executed by {', '.join(grouped)}", columns, found, more, frozenset({1}))


def _ran_row(name: str, standing: Tally, ran: Tally, phases: Sequence[str]) -> tuple[Cell, ...]:
    split = (ran.phases.get(phase, {}).get(name) for phase in phases)
    return (name, standing.ops.get(name, 0), ran.ops.get(name, 0), *split)


def _ran_notes(ran: Executed) -> Iterator[str]:
    if ran.how == "static":
        yield "by trip counts that the text fixes; nothing was run"
    else:
        values = "the target's own values" if ran.filled is None else f"shapes filled with {ran.filled}"
        yield f"measured in one run, on {values}; dead code is removed first"
    if ran.identical is not None:
        apart = "" if ran.difference is None else f" by at most {ran.difference:.3g}"
        yield "results identical to the plain run's, bit for bit" if ran.identical else f"results differ{apart}"
    if ran.devices:
        yield f"of the device that runs most; least {ran.devices['least']:,}, most {ran.devices['most']:,}"
    yield from ran.notes
    for one in ran.uncounted:
        ops = ", ".join(f"{number} {name}" for name, number in one.ops.items())
        yield f"not counted: {ops} in {one.what} at {one.source or NO_SOURCE} ({one.phase}): {one.reason}"


def _regions_sheet(title: str, ran: Executed, top: int) -> Sheet:
    apart = any(one.least is not None for one in ran.regions)
    rows: list[tuple[Cell, ...]] = []
    for one in ran.regions:
        ends = (one.least, one.most) if apart else ()
        rows.append((one.source or NO_SOURCE, one.kind, one.phase, one.region, one.entered, one.iterations, *ends))
    shown, more = _cut(rows, top)
    columns = ("source", "kind", "phase", "region", "entered", "ran", *(("least", "most") if apart else ()))
    note = "ran: a loop's iterations, how often a branch was taken, how often a select's scalar was true"
    return Sheet(f"{title}: what only a run tells", columns, tuple(shown), (*more, note))


def _work_sheet(title: str, work: Work) -> Sheet:
    rows: list[tuple[Cell, ...]] = [(f"{kind} flops", number, None) for kind, number in work.flops.items()]
    xla = [None if value is None else int(value) for value in (work.xla_flops, work.xla_bytes)]
    rows.append(("transcendentals", work.transcendentals, None))
    left_out = ", ".join(f"{name} {number:,}" for name, number in work.in_no_flops.items())
    rows = [
        ("flops, at least" if left_out else "flops", work.total, xla[0]),
        *rows,
        ("bytes, unfused", work.bytes, xla[1]),
    ]
    notes = (f"in no flops, and how often each ran: {left_out}",) if left_out else ()
    return Sheet(f"{title}: work", ("figure", "as run", "XLA, a loop's body once"), tuple(rows), notes)


def _pair_columns(phases: Sequence[str]) -> tuple[str, ...]:
    return ("op", "forward", "grad", "ratio", *(f"grad: {phase}" for phase in phases))


def _pair_row(name: str, left: Tally, right: Tally, phases: Sequence[str]) -> tuple[Cell, ...]:
    before, after = left.ops.get(name, 0), right.ops.get(name, 0)
    split = (right.phases.get(phase, {}).get(name) for phase in phases)
    return (name, before, after, _ratio(before, after), *split)


def _ratio(before: int | None, after: int | None) -> str | None:
    if before is None or after is None:
        return None
    return f"{after / before:.2f}x" if before else ("new" if after else None)


def _share_rows(tally: Tally, phases: Sequence[str]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    running = 0
    for name, number in tally.ops.items():
        running += number
        split = (tally.phases.get(phase, {}).get(name) for phase in phases)
        rows.append((name, number, _percent(number, tally.total), _percent(running, tally.total), *split))
    return rows


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _phases(tallies: Iterable[Tally]) -> tuple[str, ...]:
    seen = {phase for tally in tallies for phase, ops in tally.phases.items() if ops}
    return tuple(phase.value for phase in Phase if phase.value in seen)


def _cut(rows: list[tuple[Cell, ...]], top: int | None) -> tuple[list[tuple[Cell, ...]], tuple[str, ...]]:
    if not top or len(rows) <= top:
        return rows, ()
    return rows[:top], (f"{len(rows) - top} more rows not shown (--top {top})",)


def _share_note(made: LevelCount) -> str:
    phase, source = (share_text(made.attributed, of) for of in ("phase", "source"))
    return f"attributed to a phase {phase}, to a source line {source}"


def share_text(attributed: Mapping[str, float | None], of: str) -> str:
    """A share as percent; never rounded up to all of it."""
    share = attributed.get(of)
    if share is None:
        return "not asked"
    return "100 %" if share == 1 else f"{min(99.9, 100 * share):.1f} %"
