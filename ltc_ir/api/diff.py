"""The verb `diff`: two targets, files or counts compared by their operations, or by their canonical texts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ltc_ir.api.count import count
from ltc_ir.api.lower import lower, stored_text, text_in_form
from ltc_ir.errors import NOTES
from ltc_ir.files import names_stored_file
from ltc_ir.records.count import Count
from ltc_ir.records.request import DEFAULT_LEVELS, listed, parse_levels, parse_request

if TYPE_CHECKING:
    from ltc_ir.api.sides import Sides
    from ltc_ir.records.diff import Diff
    from ltc_ir.targets.prepare import Inspectable


def diff(
    baseline: Inspectable | Count,
    current: Inspectable | Count | None = None,
    *,
    programs: Collection[str] | None = None,
    levels: Collection[str] | None = None,
    apart: Sides | None = None,
    **asked: Any,
) -> Diff:
    """Compare two targets, files or counts; of one of them, its forward with its gradient.

    Args:
        baseline: the older side.
        current: the newer side.
        programs: the programs to compare; all that both sides have where ``None``.
        levels: the levels to compare; where ``None`` those that a file among the sides has, else jaxpr and stablehlo.
        apart: processes for two targets by name, so that neither sees what the other one's code sets; in this process, where
            ``None``, what the older side's code sets is noted.
        asked: further arguments of `count`, for sides that are not counted yet.

    Raises:
        NotComparableError: the sides have no program and level in common. UsageError: bad input.
    """
    from ltc_ir.compare.diff import diff_counts, diff_programs

    subjects = [baseline] if current is None else [baseline, current]
    programs = ("forward", "grad") if current is None else programs
    stored = [_stored_side(side, asked) for side in subjects]
    shared = [level for stored_count in stored if stored_count is not None for level in stored_count.levels()]
    programs = programs or _held_by(stored)
    asked_for = parse_levels(listed(levels) or shared or list(DEFAULT_LEVELS))
    compared: dict[str, Any] = {"types": current is not None, "hashes": current is not None}
    if apart is not None:
        request = parse_request(programs=programs, levels=asked_for, **compared, **asked)
        return diff_counts(*apart.counts([str(side) for side in subjects], request))
    sides = []
    for number, (side, stored_count) in enumerate(zip(subjects, stored, strict=True), 1):
        if stored_count is not None:
            sides.append(stored_count.narrowed(programs, asked_for))
            continue
        with _watched(side, number < len(subjects) and stored[number] is None):
            live = cast("Inspectable", side)
            sides.append(count(live, programs=programs, levels=asked_for, **compared, **asked))
    return diff_programs(sides[0], "forward", "grad") if current is None else diff_counts(*sides)


@contextmanager
def _watched(side: Any, another_follows: bool) -> Iterator[None]:
    """Look at one side; what its code sets for the side that follows in this process is noted."""
    if not another_follows:
        yield
        return
    from ltc_ir.targets.state import Watch

    watch = Watch()
    yield
    changes = watch.changes()
    if changes:
        name = side if isinstance(side, str) else getattr(side, "name", None) or "the first side"
        NOTES[f"{name} set {', '.join(changes)}: the other side was looked at so too"] = None


def _held_by(stored: Collection[Count | None]) -> list[str] | None:
    """The programs that a file holds, where another side is to be counted: it need not count more; ``None`` for all."""
    names = [name for stored_count in stored if stored_count is not None for name in stored_count.programs]
    return list(dict.fromkeys(names)) if None in stored and names and "file" not in names else None


def _stored_side(side: Inspectable | Count, asked: Mapping[str, Any]) -> Count | None:
    """A side of a comparison that is counted already or stands in a file; ``None`` for what must be traced."""
    if isinstance(side, Count):
        return side
    if isinstance(side, str) and names_stored_file(side):
        kept = {key: value for key, value in asked.items() if key in {"by", "ops", "phases", "library"}}
        return count(side, types=True, hashes=True, **kept)
    return None


def diff_text(
    baseline: str, current: str | None = None, *, form: str | None = None, apart: Sides | None = None, **asked: Any
) -> str:
    """A unified diff of two canonicalised texts (forward against gradient of one target); empty where they are alike.

    Args:
        baseline: a target or a stored file.
        current: the other one; of one target alone, ``baseline``'s gradient.
        form: ``jaxpr``, ``stablehlo`` or ``hlo``; where ``None`` that of a file among the sides, else StableHLO.
        apart: as for `diff`.
        asked: further arguments of `lower`; ``program`` is of both sides.
    """
    from ltc_ir.compare.text.canonical import unified_diff

    if current is None:
        form = form or "stablehlo"
        before, after = (_text(baseline, form, asked | {"program": program}) for program in ("forward", "grad"))
        return unified_diff(before, after, form, f"{baseline} forward", f"{baseline} grad")
    stored = [stored_text(side) if names_stored_file(side) else None for side in (baseline, current)]
    form = form or next((text[0] for text in stored if text is not None), "stablehlo")
    if apart is not None:
        before, after = apart.texts([baseline, current], form, asked)
        return unified_diff(before, after, form, baseline, current)
    texts = []
    for side, text, other in ((baseline, stored[0], stored[1]), (current, stored[1], "")):
        with _watched(side, text is None and other is None):
            texts.append(_text(side, form, asked) if text is None else text_in_form(side, text, form))
    before, after = texts
    return unified_diff(before, after, form, baseline, current)


def _text(side: str, form: str, asked: dict[str, Any]) -> str:
    return lower(side, form=form, **asked).decode("utf-8", "replace")
