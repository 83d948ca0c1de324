"""Lays out a check and an update: a row per program, messages on those that need one, a summary; and rows for CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ltc_ir.escape import escape_message
from ltc_ir.records.check import Action, Check, CheckChange, ProgramCheck, Update
from ltc_ir.render.sheet import BLANK, Block, Line, Message, Row, Sheet, Styled, message
from ltc_ir.render.words import check as words
from ltc_ir.render.words.text import figure, ratio, signed

CHECK_COLUMNS = (
    "target", "program", "status", "level", "metric", "phase", "function", "source", "baseline", "current", "change",
    "rule", "where", "waived", "file", "reason", "words",
)  # fmt: skip
UPDATE_COLUMNS = ("target", "program", "action", "file", "reason", "unstable", "grown")
_FAILS = "red"
_STATUS_STYLES = {
    "match": "green",
    "holds": "green",
    "shrunk": "cyan",
    "moved": "cyan",
    "changed": "cyan",
    "missing": "yellow",
    "not-comparable": "yellow",
}
_ACTION_STYLES = {Action.KEPT: "dim", Action.REFUSED: _FAILS, Action.ERROR: _FAILS}
_NO_CHANGE = CheckChange("", "", None, None)


def check_sheets(check: Check) -> list[Block]:
    """The blocks of a check."""
    blocks: list[Block] = [_programs_sheet(check.checks)] if check.checks else []
    for program in words.ranked(check.checks, check.strict):
        if words.tells(program):
            blocks += [_message(words.message(program), f"bold {_status_style(program)}"), BLANK]
    for problem in check.problems:
        advice = (Styled("  hint: "), Styled(escape_message(problem.hint)))
        blocks += [message((Styled(escape_message(problem.message), f"bold {_FAILS}"),), advice), BLANK]
    for note in check.notes:
        hint = (Styled(f"  {escape_message(note.hint)}", "dim"),)
        blocks += [message((Styled(f"note: {escape_message(note.message)}", "dim"),), hint), BLANK]
    for name, reason in check.unchecked.items():
        blocks.append(message((Styled(f"not checked: {name}: {escape_message(reason)}", "dim"),)))
    if check.unchecked:
        blocks.append(BLANK)
    return [*blocks, message((Styled(words.summary(check), "bold green" if check.exit_code == 0 else "bold"),))]


def _status_style(check: ProgramCheck) -> str:
    return _STATUS_STYLES.get(words.verdict(check), _FAILS)


def _programs_sheet(checks: Sequence[ProgramCheck]) -> Sheet:
    """The programs with their totals; a level has columns of change only if it changed in some program."""
    levels = words.total_levels(checks)
    differing = {
        level for check in checks for level, (before, after) in check.totals.items() if before not in {None, after}
    }
    columns = ["program", "status"]
    for level in levels:
        columns += [words.level_name(level), *(("change", "ratio") if level in differing else ())]
    rows: list[Row] = []
    for check in checks:
        quiet = "dim" if words.verdict(check) in {"match", "holds"} else ""
        cells = [Styled(words.name_of(check), quiet)]
        cells.append(Styled(words.verdict(check), f"{quiet} {_status_style(check)}".strip()))
        for level in levels:
            totals = _totals(check.totals.get(level))
            cells += [Styled(total, quiet) for total in totals[: 3 if level in differing else 1]]
        rows.append(tuple(cells))
    return Sheet("", tuple(columns), tuple(rows), text_columns=2)


def _totals(sides: tuple[int | None, int] | None) -> tuple[str, str, str]:
    """A level's total, its change and its ratio."""
    if sides is None:
        return "", "", ""
    before, after = sides
    return figure(after), "" if before in {None, after} else signed(after - (before or 0)), ratio(before, after)


def _message(lines: Sequence[str], style: str) -> Message:
    first, *rest = lines
    return message((Styled(first, style),), *map(_line, rest))


def _line(line: str) -> Line:
    """A line of a message: commands to copy are bold, where a figure comes from is dim."""
    label, colon, rest = line.partition(": ")
    if colon and label in {"  accept", "  record"}:
        return Styled(f"{label}: ", "dim"), Styled(rest, "bold")
    quiet = line.startswith(("      ", "  rule: ", "  note: ", "  snapshot: ", "  … and "))
    return (Styled(line, "dim" if quiet else ""),)


def check_rows(check: Check) -> Iterator[Row]:
    """CSV: a row per change; a program without changes has one row, so that none is missing."""
    yield CHECK_COLUMNS
    for program in check.checks:
        for change in program.changes or (_NO_CHANGE,):
            where = (change.level, change.metric, change.phase, change.function, " ".join(change.sources))
            figures = (change.baseline, change.current, change.change)
            rule = (change.rule, change.where, change.waived)
            status = (program.target, program.program, program.status.value)
            yield (*status, *where, *figures, *rule, program.file, program.reason, change.words)


def update_sheets(update: Update) -> list[Block]:
    """The blocks of an update."""
    rows = tuple(
        (
            words.written_name(written),
            Styled(written.action.value, _ACTION_STYLES.get(written.action, "green")),
            written.file or "",
        )
        for written in update.written
    )
    blocks: list[Block] = [Sheet("", ("program", "action", "file"), rows, text_columns=None)] if rows else []
    for written in update.written:
        lines = words.update_words(written)
        if lines and lines[0]:
            blocks += [_message(lines, f"bold {_ACTION_STYLES.get(written.action, '')}".strip()), BLANK]
    for name, reason in update.unavailable.items():
        blocks.append(message((Styled(f"left out: {name}: {escape_message(reason)}", "dim"),)))
    return [*blocks, message((Styled(words.update_summary(update), "bold"),))]


def update_rows(update: Update) -> Iterator[Row]:
    """CSV: a row per program; ``unstable`` and ``grown`` (what fails) are separated by spaces."""
    yield UPDATE_COLUMNS
    for written in update.written:
        changes = written.check.changes if written.check else ()
        grown = " ".join(f"{change.level}:{change.metric}" for change in changes if change.fails)
        reason = (written.file, written.reason, " ".join(written.unstable))
        yield (written.target, written.program, written.action.value, *reason, grown)
