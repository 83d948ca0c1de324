"""A check in words, the same in a terminal, a failing test, a pull request and an annotation: what grew, where, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ltc_ir.errors import rank
from ltc_ir.escape import escape
from ltc_ir.records.check import Action, Check, CheckChange, ProgramCheck, Status, Update, Written
from ltc_ir.records.figures import size
from ltc_ir.records.vocabulary import NO_SOURCE
from ltc_ir.render.words.text import WIDTH, cut, figure, ratio, signed, wrapped

MOST = 12
"""Lines of a message at most."""
NAME = 48
"""Characters of an operation's name at most; a function's gets what is left of the line."""
_LEVELS = {"stablehlo": "StableHLO", "hlo": "HLO"}
_LEADS = {
    Status.MATCH: "matches its snapshot",
    Status.SHRUNK: "has shrunk",
    Status.MOVED: "has moved",
    Status.CHANGED: "has changed",
    Status.GROWN: "has grown",
    Status.DRIFT: "has drifted",
    Status.UNSTABLE: "is unstable",
    Status.MISSING: "has no snapshot",
    Status.NOT_COMPARABLE: "cannot be compared",
    Status.DAMAGED: "is damaged",
    Status.ERROR: "failed",
}
_EXPLAINED = {
    Status.MOVED: "the same totals, in other functions or phases",
    Status.DRIFT: "it has grown, and another JAX recorded it",
    Status.UNSTABLE: "two captures of the same program disagree",
}
_SAID_FIRST = frozenset({Status.UNSTABLE, Status.DAMAGED, Status.MISSING, Status.NOT_COMPARABLE, Status.ERROR})
"""Where the reason is the news, and totals are not."""
NOT_JUDGED = "not judged"
"""How a program stands of whose rules one could not be judged."""
PROBLEM = "problem"
"""How a test counts a program whose rules cannot be judged."""
_COUNTED = {
    "broken": "with a broken rule",
    "not judged": "not judged",
    "holds": "hold",
    PROBLEM: "whose rules have a problem",
    Status.NOT_COMPARABLE: "not comparable",
    Status.ERROR: "failed",
}
Sides = tuple[float | None, float | None]
_FIGURES = frozenset({"total", "lines", "bytes", "max_depth", "fingerprint", "private_functions", "fusions", "flops"})


def message(check: ProgramCheck) -> list[str]:
    """What one program's check says: at most twelve lines, worst first, the last one what to do."""
    head, tail = _head(check), [*_rules(check.changes), *_unjudged(check), *_notes(check), *_files(check)]
    return [*head, *_body(check, MOST - len(head) - len(tail)), *tail]


def tells(check: ProgramCheck) -> bool:
    """Whether there is more to say of a program than that it matches."""
    return verdict(check) not in {Status.MATCH, "holds", NOT_JUDGED} or bool(check.changes or check.notes)


def verdict(check: ProgramCheck) -> str:
    """One word for how a program stands: its status; ``broken`` where a rule alone says no, ``holds`` without a snapshot.

    ``not judged`` where a rule could say neither.
    """
    if check.unjudged and _holds(check):
        return NOT_JUDGED
    if check.broken and check.exit_code() == 1 and _holds(check):
        return "broken"
    return "holds" if check.status is Status.MATCH and check.file is None else check.status.value


def _holds(check: ProgramCheck) -> bool:
    return check.status in {Status.MATCH, Status.SHRUNK, Status.MOVED, Status.CHANGED, Status.MISSING}


def summary(check: Check) -> str:
    """All of a check in one line: ``12 checked: 10 match, 1 grown, 1 missing; 2 not checked (reason)``."""
    verdicts = [verdict(program) for program in check.checks]
    order = [*Status, "holds", "broken", NOT_JUDGED]
    counted = [f"{verdicts.count(word)} {counted_as(word, verdicts.count(word))}" for word in order if word in verdicts]
    parts = [f"{len(verdicts)} checked: {', '.join(counted)}" if verdicts else "nothing was checked"]
    if check.problems:
        parts.append(f"{len(check.problems)} problem{'s' * (len(check.problems) > 1)} with the rules")
    if check.notes:
        parts.append(f"{len(check.notes)} note{'s' * (len(check.notes) > 1)} on the rules")
    if check.unchecked:
        reasons = list(dict.fromkeys(check.unchecked.values()))
        others = f", and {len(reasons) - 1} other reason{'s' * (len(reasons) > 2)}" if len(reasons) > 1 else ""
        parts.append(f"{len(check.unchecked)} not checked ({cut(reasons[0], 80)}{others})")
    return "; ".join(parts)


def counted_as(word: str, number: int) -> str:
    """A verdict's word behind its number: ``1 with a broken rule``, ``3 hold``."""
    return word if word == "holds" and number == 1 else _COUNTED.get(word, word)


def ranked(checks: Iterable[ProgramCheck], strict: bool = False) -> list[ProgramCheck]:
    """Programs worst first: by the exit code each gives, then by how far it is from a match."""
    statuses = list(Status)

    def badness(check: ProgramCheck) -> tuple[int, int, str, str]:
        return (
            rank(check.exit_code(strict)),
            -statuses.index(check.status),
            check.target,
            check.program,
        )

    return sorted(checks, key=badness)


def name_of(check: ProgramCheck) -> str:
    """A target and its program, cut where they are long."""
    return f"{cut(check.target, NAME)} {cut(check.program, 24)}"


def total_levels(checks: Iterable[ProgramCheck]) -> list[str]:
    """The levels whose totals a table shows: operations; the lines of a text are for messages."""
    return list(dict.fromkeys(level for check in checks for level in check.totals if not level.endswith(" lines")))


def level_name(level: str) -> str:
    """A level as people write it."""
    return " ".join(_LEVELS.get(word, word) for word in cut(level, NAME).split())


def _head(check: ProgramCheck) -> list[str]:
    lead, totals = f"{name_of(check)} {_lead(check)}", _totals(_headline(check))
    why = check.reason or _explained(check)
    if check.status in _SAID_FIRST:
        why = why or totals
        named = why.startswith((check.target, "no snapshot")) and not check.broken
        for label in (f"{check.target} {check.program}", check.target):
            if named and why.startswith(f"{label} failed to "):
                return wrapped(why.removeprefix(f"{label} "), f"{name_of(check)} ", "  ")
        return wrapped(why, f"{name_of(check)}: " if named else f"{lead}: ", "  ") if why else [lead]
    lines = [f"{lead}: {totals}" if totals else lead]
    if len(lines[0]) > WIDTH and totals:
        lines = [f"{lead}:", *wrapped(totals, "  ", "  ", 1)]
    return [*lines, *wrapped(why, "  ", "  ", 3 - len(lines))] if why else lines


def _explained(check: ProgramCheck) -> str:
    """What a status means, where the changes and the notes do not say it."""
    if check.status is Status.DRIFT and check.notes:
        return ""
    if check.status is not Status.CHANGED:
        return _EXPLAINED.get(check.status, "")
    if any(change.waived for change in check.changes):
        return "what grew is waived"
    counts = [change for change in check.changes if not change.metric.startswith(("types.", "fingerprint"))]
    if any(change.grew for change in counts):
        return "" if check.broken else "what grew is permitted by a rule"
    return "the same counts, of another structure or other types" if check.changes and not counts else ""


def _lead(check: ProgramCheck) -> str:
    broken = len({change.rule for change in check.changes if change.fails})
    if not broken and check.unjudged and _holds(check):
        return f"was not judged by {_counted_rules(len(check.unjudged))}"
    if not _holds(check) or not broken:
        return _LEADS[check.status]
    breaks = "breaks a rule" if broken == 1 else f"breaks {broken} rules"
    if check.status is Status.MATCH:
        return breaks if check.file is None else f"{breaks}, though it matches its snapshot"
    return f"{_LEADS[check.status]} and {breaks}"


def _counted_rules(number: int) -> str:
    return "a rule" if number == 1 else f"{number} rules"


def _headline(check: ProgramCheck) -> dict[tuple[str, str], Sides]:
    """The figures of the first line by level and metric: totals, and lines in place of a total where both find no room."""
    figures: dict[tuple[str, str], Sides] = {}
    for name, sides in check.totals.items():
        level, _, metric = name.partition(" ")
        figures[level, metric or "total"] = sides
    for change in check.changes:
        if change.metric == "lines" and change.waived is None and change.baseline is not None:
            figures.setdefault((change.level, "lines"), (change.baseline, change.current))
    for level, metric in list(figures):
        if metric == "lines" and len(_totals(figures)) > WIDTH - len(f"{name_of(check)} {_lead(check)}: "):
            figures.pop((level, "total"), None)
    return figures


def _totals(headline: Mapping[tuple[str, str], Sides]) -> str:
    parts: list[str] = []
    for (level, metric), sides in headline.items():
        unit = "" if parts or metric != "total" else " operations"
        parts.append(f"{level_name(level)}{' ' + metric if metric != 'total' else ''} {_sides(*sides, unit)}")
    return ", ".join(parts)


def _sides(before: float | None, after: float | None, unit: str = "") -> str:
    if before is None or before == after:
        return figure(after) + unit
    grown = ratio(before, after)
    return f"{figure(before)} -> {figure(after)}{unit}" + (f" ({grown})" if grown else "")


def _body(check: ProgramCheck, room: int) -> list[str]:
    """The changes, as many as there is room for; those whose figures stand in the headline only where there are no others."""
    headline = _headline(check)
    changes = [
        change for change in check.changes if (change.level, change.metric) not in headline or change.waived is not None
    ]
    changes = [change for change in changes if not _is_told(change, changes)]
    once = {
        (change.level, change.metric, change.baseline, change.current, change.words): change
        for change in reversed(changes or check.changes)
    }
    blocks = [_block(change) for change in reversed(once.values())]
    if sum(map(len, blocks)) <= room:
        return [line for block in blocks for line in block]
    shown: list[str] = []
    for number, block in enumerate(blocks):
        if len(shown) + len(block) > room - 1:
            left = len(blocks) - number
            return [*shown, f"  … and {left} more change{'s' * (left > 1)}"]
        shown += block
    return shown


def _is_told(change: CheckChange, changes: Iterable[CheckChange]) -> bool:
    """Whether another change tells it: constants in the text, where there are no others; types that became others."""
    if change.metric.startswith("types.") and change.words is None:
        return any(other.level == change.level and _is_retyped(other) for other in changes)
    if change.level == "stablehlo" and _is_retyped(change):
        return any(other.level == "jaxpr" and _is_retyped(other) for other in changes)
    sides = (change.level, change.baseline, change.current)
    all_of_them = [
        (other.level, other.baseline, other.current) for other in changes if other.metric == "constants.bytes"
    ]
    return change.metric == "constants.embedded.bytes" and change.waived is None and sides in all_of_them


def _is_retyped(change: CheckChange) -> bool:
    return change.metric.startswith("types.") and change.words is not None


def _block(change: CheckChange) -> list[str]:
    lines = [change_in_words(change)]
    if change.sources and not _names_place(change):
        lines.append(f"      {_sources(change.sources)}")
    if change.waived is not None:
        lines.append(f"      waived: {cut(change.waived, WIDTH - 14)}")
    return lines


def _names_place(change: CheckChange) -> bool:
    """Whether the sentence of a change names the line it is at."""
    return change.words is not None and f" at {change.sources[0]}" in change.words


def change_in_words(change: CheckChange) -> str:
    """One change as a line: ``+39 dot_general, 16 -> 55 (3.44x), backward, in ltc_ir.lab.models.ltc:rhs``."""
    if change.words:
        return f"  {cut(change.words, WIDTH - 2)}"
    line = f"  {_phrase(change)}" + (f", {cut(change.phase, 16)}" if change.phase else "")
    if not change.function or change.function == NO_SOURCE:
        return line
    return f"{line}, in {cut(change.function, max(32, WIDTH - len(line) - 5))}"


def _phrase(change: CheckChange) -> str:
    name, before, after = _named(change), change.baseline, change.current
    if before is None and after is None:
        return f"another {name}"
    amount = _exact if is_bytes(change.metric) else figure
    if after is None or (after == 0 and before):
        return f"{name} is gone: was {amount(before)}" if after == 0 else f"{name} is not known: was {amount(before)}"
    if before is None:
        return f"{name}: {amount(after)}"
    if before == 0 and after:
        return f"new {name}: {amount(after)}"
    if before == after:
        return f"{name}: {amount(after)}, as before"
    return f"{_difference(change)} {name}, {_both(change)}"


def _named(change: CheckChange) -> str:
    """The metric with its level, unless the name itself tells: a primitive is the jaxpr's, a dialect StableHLO's."""
    name = cut(change.metric, NAME)
    is_clear = change.level == "stablehlo" and name.startswith(("stablehlo.", "func.", "chlo.", "sdy.", "builtin."))
    if is_clear or (change.level == "jaxpr" and name not in _FIGURES and "." not in name):
        return name
    return f"{level_name(change.level)} {name}"


def is_bytes(metric: str) -> bool:
    """Whether a figure is a number of bytes."""
    return metric == "bytes" or metric.endswith((".bytes", "_bytes", "bytes_accessed"))


def _exact(number: float | None) -> str:
    if number is None:
        return "?"
    return size(number) + (f" ({figure(number)} bytes)" if abs(number) >= 1024 else "")


def _difference(change: CheckChange) -> str:
    difference = change.change or 0
    if not is_bytes(change.metric):
        return signed(difference)
    return f"{'+' if difference > 0 else ''}{size(difference)}"


def _both(change: CheckChange) -> str:
    before, after = change.baseline, change.current
    if not is_bytes(change.metric) or before is None or after is None:
        return _sides(before, after)
    parts = [ratio(before, after), f"{figure(before)} -> {figure(after)} bytes" if max(before, after) >= 1024 else ""]
    more = ", ".join(part for part in parts if part)
    return f"{size(before)} -> {size(after)}" + (f" ({more})" if more else "")


def _sources(sources: tuple[str, ...]) -> str:
    """Lines of source; of a file named just before, only its own name."""
    names: list[str] = []
    last = ""
    for source in sources[:3]:
        file = source.rpartition(":")[0]
        names.append(source.rpartition("/")[2] if file == last else source)
        last = file
    return cut(", ".join(names), WIDTH - 6)


def _rules(changes: Iterable[CheckChange]) -> list[str]:
    """The rules that are broken, each once; of more than two the first, and how many others."""
    broken = list(dict.fromkeys((change.rule, change.where) for change in changes if change.fails and change.rule))
    lines = [f"  rule: {cut(rule or '', 72)}" + (f" ({cut(where, 24)})" if where else "") for rule, where in broken]
    return lines if len(lines) < 3 else [lines[0], f"  … and {len(lines) - 1} more rules"]


def _unjudged(check: ProgramCheck) -> list[str]:
    """The rules that could not be judged on a program; of more than two the first, and how many others."""
    lines = [f"  not judged: {cut(problem.message, WIDTH - 14)}" for problem in check.unjudged]
    return lines if len(lines) < 3 else [lines[0], f"  … and {len(lines) - 1} more rules that could not be judged"]


def _notes(check: ProgramCheck) -> list[str]:
    lines = [f"  note: {cut(note, WIDTH - 8)}" for note in check.notes]
    return lines if len(lines) < 3 else [lines[0], f"  … and {len(lines) - 1} more notes"]


def _files(check: ProgramCheck) -> list[str]:
    verb = "accept" if check.status in {Status.GROWN, Status.DRIFT} else "record"
    lines = [f"  snapshot: {escape(check.file)}"] if check.file and check.status is not Status.MISSING else []
    return [*lines, f"  {verb}: {escape(check.accept)}"] if check.accept else lines


def update_words(written: Written) -> list[str]:
    """What there is to say of one program beyond its action and file; nothing where it is new or as it was."""
    lines = _outcome(written)
    lines += [f"  not held, two captures disagree: {cut(fact, WIDTH - 36)}" for fact in written.unstable[:3]]
    left = len(written.unstable) - 3
    return [*lines, f"  … and {left} more that two captures disagree on"] if left > 0 else lines


def _outcome(written: Written) -> list[str]:
    name = written_name(written)
    if written.action is Action.ERROR:
        return wrapped(written.reason or "it failed", f"{name}: ", "  ")
    if written.action is Action.REFUSED:
        why = wrapped(written.reason or "nobody accepted its growth", f"{name} is not recorded: ", "  ")
        return why if written.check is None else [*why, *(f"  {line}" for line in message(written.check))]
    if written.check is not None and written.check.changes:
        return _recorded(written, _without_advice(message(written.check)))
    if written.reason:
        return wrapped(written.reason, f"{name}: ", "  ")
    return [f"{name}:"] if written.unstable else []


def _recorded(written: Written, lines: list[str]) -> list[str]:
    """What was recorded beside what stood there before, or beside the snapshot of the nearest other JAX."""
    if written.action is Action.STARTED:
        return [
            *wrapped(written.reason or "", f"{written_name(written)} is started ", "  "),
            *(f"  {line}" for line in lines),
        ]
    first, *rest = lines
    why = wrapped(written.reason, "  ", "  ", 2) if written.reason else []
    accepted = written.check is not None and written.check.broken
    return [first, *why, *rest, *(["  accepted, with its reason in the file"] if accepted else [])]


def _without_advice(lines: list[str]) -> list[str]:
    """A check's message without what it says to one who has not recorded it yet."""
    advice = ("  rule: ", "  snapshot: ", "  accept: ", "  record: ")
    return [line for line in lines if not line.startswith(advice) and not line.endswith(" more rules")]


def update_summary(update: Update) -> str:
    """All of an update in one line: ``4 programs: 1 new, 2 updated, 1 refused``."""
    actions = [written.action for written in update.written]
    counted = ", ".join(f"{actions.count(action)} {action}" for action in Action if action in actions)
    words = (
        f"{len(actions)} program{'s' * (len(actions) != 1)}: {counted}" if actions else "there was nothing to record"
    )
    return words + (f"; {len(update.unavailable)} could not be made" if update.unavailable else "")


def written_name(written: Written) -> str:
    """A target and its program, cut if they are long."""
    return f"{cut(written.target, NAME)} {cut(written.program, NAME)}"
