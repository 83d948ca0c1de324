"""Records a program: what two captures agree on is written, growth only with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ltc_ir.compare.facts import agreed_signature, stable
from ltc_ir.errors import LtcIrError
from ltc_ir.records.check import Action, CheckChange, ProgramCheck, Status, Written
from ltc_ir.records.snapshot import DISAGREED, Acceptance, Snapshot
from ltc_ir.rules.check import Case, check_program
from ltc_ir.snapshots.store import Store

_MOST_GROWTH = 12
"""Lines of growth that a file keeps beside a reason: its totals and the largest; the rest is in the history of the file."""


def unwritten(written: Written, error: LtcIrError) -> Written:
    """What an update says of a program whose file could not be written."""
    return replace(written, action=Action.ERROR, check=None, reason=error.in_words, code=error.exit_code)


def recorded(failed: ProgramCheck) -> Written:
    """What an update says of a program that could not be captured."""
    return Written(failed.target, failed.program, Action.ERROR, reason=failed.reason, code=failed.code)


def record(
    store: Store,
    case: Case,
    second: Snapshot | LtcIrError,
    reason: str | None,
    accept: str,
) -> tuple[Written, Snapshot | None]:
    """What to record of one program: what is said of it, and the snapshot to write, where one is to be written.

    Args:
        store: where its file lies.
        case: its first capture; what the store holds is read anew.
        second: its second capture, or why there is none.
        reason: why growth is accepted; ``None`` where it is not.
        accept: the command that accepts it.
    """
    names = (case.current.target, case.current.program)
    if isinstance(second, LtcIrError):
        why = f"second capture: {second.message}"
        return Written(*names, Action.ERROR, case.file, reason=why, code=second.exit_code), None
    snapshot = agreed(case.current, second)
    try:
        baseline = store.read(*names, snapshot.identity)
        nearest = store.nearest(*names, snapshot.identity) if baseline is None else None
    except LtcIrError as error:
        return Written(*names, Action.ERROR, case.file, reason=error.message, code=error.exit_code), None
    written = _decided(replace(case, current=snapshot, baseline=baseline, accept=accept), nearest, reason)
    written = replace(written, unstable=_unstable(snapshot))
    if written.action in {Action.REFUSED, Action.KEPT}:
        return written, None
    return written, _to_write(snapshot, baseline or nearest, written, reason)


def agreed(first: Snapshot, second: Snapshot) -> Snapshot:
    """What two captures of one program agree on, with how the second was made."""
    levels = {name: stable(facts, second.levels[name]) for name, facts in first.levels.items() if name in second.levels}
    signature = agreed_signature(first, second)
    hlo = first.hlo
    if hlo is not None and second.hlo is not None:
        hlo = replace(hlo, facts=stable(hlo.facts, second.hlo.facts))
    unsigned = None if signature is not None or first.signature is None else DISAGREED
    return replace(first, levels=levels, hlo=hlo, captured=second.captured, signature=signature, unsigned=unsigned)


def _unstable(snapshot: Snapshot) -> tuple[str, ...]:
    facts = tuple(f"{level} {name}" for level, facts in snapshot.levels.items() for name in facts.unstable)
    return facts if snapshot.signature is not None else (*facts, "arguments, results and types")


def _decided(case: Case, nearest: Snapshot | None, reason: str | None) -> Written:
    names = (case.current.target, case.current.program)
    if case.baseline is None:
        if nearest is None:
            return Written(*names, Action.NEW, case.file)
        return Written(
            *names, Action.STARTED, case.file, _beside(case, nearest), reason=f"beside JAX {nearest.identity.jax}"
        )
    check = check_program(replace(case, confirm=None))
    unlike = check.reason if check.status is Status.NOT_COMPARABLE else None
    if unlike is not None:
        check = _beside(case, case.baseline)
    if check.status is Status.DAMAGED:
        return _replaced(case, check, reason)
    if check.status in {Status.GROWN, Status.DRIFT} and reason is None:
        why = "it has grown; accept that with --accept-growth and a reason"
        return Written(*names, Action.REFUSED, case.file, check, reason=f"{unlike}, and {why}" if unlike else why)
    whole = _recorded_facts(case.current) == _recorded_facts(case.baseline)
    same = check.status is Status.MATCH and unlike is None and whole and _keeps_hlo(case.current, case.baseline)
    return Written(*names, Action.KEPT if same else Action.UPDATED, case.file, None if same else check, reason=unlike)


def _replaced(case: Case, check: ProgramCheck, reason: str | None) -> Written:
    """What becomes of a damaged file: it is replaced and that is said; where it holds less than the program, with a reason."""
    names = (case.current.target, case.current.program)
    if reason is None and any(change.grew for change in check.changes):
        why = (
            "its file is damaged, and the program has more than it says; accept that with --accept-growth and a reason"
        )
        return Written(*names, Action.REFUSED, case.file, check, reason=why)
    return Written(*names, Action.UPDATED, case.file, check, reason="the damaged file is replaced")


def _recorded_facts(snapshot: Snapshot) -> tuple[object, ...]:
    """What a file holds of the program, however it was captured."""
    signature = None if snapshot.signature is None else snapshot.signature.stored
    return snapshot.levels, signature, snapshot.attribution, snapshot.identity


def _keeps_hlo(current: Snapshot, baseline: Snapshot) -> bool:
    """Whether there is nothing new to keep of optimised HLO."""
    return current.hlo is None or current.hlo == baseline.hlo


def _beside(case: Case, other: Snapshot) -> ProgramCheck:
    """A program against a snapshot it is not comparable with, for the differences to be seen."""
    like = replace(other, identity=case.current.identity, provenance=case.current.provenance)
    return check_program(replace(case, baseline=like, confirm=None))


def _to_write(snapshot: Snapshot, before: Snapshot | None, written: Written, reason: str | None) -> Snapshot:
    """The snapshot as its file will hold it: with the reasons that were ever given, and the HLO that was not looked at."""
    accepted = before.accepted if before is not None else ()
    grown = () if written.check is None else growth(written.check)
    if grown and reason is not None and written.action is Action.UPDATED:
        accepted = (*accepted, Acceptance(" ".join(reason.split()), grown))
    hlo = before.hlo if before is not None and before.identity == snapshot.identity else None
    return replace(snapshot, accepted=accepted, hlo=snapshot.hlo or hlo)


def growth(check: ProgramCheck) -> tuple[str, ...]:
    """What grew, one line each: the totals, then the largest of the rest."""
    lines = [
        f"{name if ' ' in name else f'{name} total'} {before} -> {after}"
        for name, (before, after) in check.totals.items()
        if before is not None and after > before
    ]
    rows = [_line(change) for change in _grown(check.changes) if change.metric != "lines"]
    return tuple([*lines, *rows][:_MOST_GROWTH])


def _grown(changes: Iterable[CheckChange]) -> list[CheckChange]:
    grown = [change for change in changes if change.grew]
    return sorted(grown, key=lambda change: (-(change.change or 0), change.level, change.metric))


def _line(change: CheckChange) -> str:
    if change.words is not None:
        return change.words
    before = 0 if change.baseline is None else change.baseline
    named = change.metric if change.metric.startswith(f"{change.level}.") else f"{change.level} {change.metric}"
    return f"{named} {before:g} -> {change.current:g}"
