"""The verbs: find, stage, read, fold. The one door between the rooms that need JAX and those that do not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast, overload

from ltc_ir.api.notebook import ShownCount, shown
from ltc_ir.errors import TargetError, UsageError
from ltc_ir.records.count import Count
from ltc_ir.records.narrowing import narrow
from ltc_ir.records.vocabulary import By, Level, Phase, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ltc_ir.records.diff import Diff
    from ltc_ir.targets.options import Options
    from ltc_ir.targets.target import Target

    Inspectable = str | Target | Callable[..., Any]

FORMS = ("stablehlo", "jaxpr", "hlo", "bytecode")
DEFAULT_LEVELS = (Level.JAXPR, Level.STABLEHLO)


def count(
    target: Inspectable = "ltc",
    *,
    programs: Collection[str] | None = None,
    levels: Collection[str] | None = None,
    by: Collection[str] = (),
    ops: Collection[str] = (),
    phases: Collection[str] = (),
    args: tuple[Any, ...] | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    text: bool = True,
    source: bool = True,
    library: bool = False,
    executed: bool = False,
    fill: str | None = None,
) -> ShownCount:
    """Count a target's programs.

    Args:
        target: a name, a stored IR file, a Target, or a function (with ``args``).
        programs: the programs to count; all that the target has where ``None``.
        levels: ``jaxpr``, ``stablehlo``, ``hlo``; where ``None`` jaxpr and stablehlo, of a file whatever it has.
        by: groupings beyond operation and phase: ``source``, ``function``, ``scope``, ``region``, ``stack``, ``transforms``.
        ops: operations to narrow the count to, with or without dialect.
        phases: phases to narrow the count to.
        args: the example arguments of a function given as such.
        options: what else is said about a target found by name.
        platform: what to lower for; this machine's where ``None``.
        x64: enable or disable 64-bit types while counting; as configured where ``None``.
        text: print StableHLO for its lines and bytes.
        source: resolve source lines.
        library: let library frames count as sources.
        executed: count how often each operation runs too, where need be by running the program; each level has it as
            ``executed``, or ``None`` and a reason.
        fill: the values of arguments that are only shapes, for such a run: ``zeros`` or ``normal:SEED``.

    Each program is traced from cleared caches (`jax.clear_caches`), so that no count depends on what was traced before:
    functions that this process had compiled compile again at their next call.

    Raises:
        UsageError: bad input. TargetError: the function failed. LimitError: a limit of ours ended it.
    """
    programs, levels = _words(programs), _words(levels)
    plain = {"by": _words(by), "ops": _words(ops), "phases": _words(phases)}
    question: dict[str, Any] = {**plain, "source": source, "text": text}
    filling = _filling(fill, executed=executed)
    if isinstance(target, str) and is_file(target):
        return shown(_count_stored(target, question, programs, levels, library=library, executed=executed))
    from ltc_ir.tables.live import Reading

    reading = Reading(make_question(question), text, library, executed, filling)
    with configured(x64):
        asked = asked_levels(levels or DEFAULT_LEVELS)
        return shown(_count_live(resolve(target, args, options), programs, asked, reading, platform))


def _filling(fill: str | None, *, executed: bool) -> Any:
    """What arguments that are only shapes are filled with."""
    if fill is None:
        return None
    from ltc_ir.targets.example_values import parse_filling

    if not executed:
        words = "--fill says what a program is run with, and it is not run", "add --executed, or leave --fill out"
        raise UsageError(*words)
    return parse_filling(fill)


def _count_stored(
    path: str,
    question: Mapping[str, Any],
    programs: Collection[str] | None,
    levels: Collection[str] | None,
    *,
    library: bool,
    executed: bool,
) -> Count:
    """The count of a stored file, with only what was asked for."""
    from ltc_ir.tables.from_file import count_stored

    stored = count_stored(path, question, library=library)
    if executed and not any(one.executed for made in stored.programs.values() for one in made.values()):
        words = f"{path} holds no executed counts, and a file is not run", "count a target, or leave --executed out"
        raise UsageError(*words)
    kept = narrow(stored, {"ops": question["ops"], "phases": question["phases"]}, question["by"], path)
    return _narrowed(path, kept, programs, levels)


@overload
def _words(given: None) -> None: ...
@overload
def _words(given: Collection[str]) -> list[str]: ...
def _words(given: Collection[str] | None) -> list[str] | None:
    """The words of a collection; a string is one word, not its letters."""
    return None if given is None else [given] if isinstance(given, str) else list(given)


def _narrowed(path: str, stored: Count, programs: Collection[str] | None, levels: Collection[str] | None) -> Count:
    """A stored count with only what was asked for, refused where that is nothing."""
    if programs and set(stored.programs) == {"file"}:
        raise UsageError(f"{path} holds IR of one program and does not say which", "leave --program and --grad out")
    kept = stored.narrowed(programs, asked_levels(levels) if levels else stored.levels())
    if stored.programs and not kept.programs:
        has = f"{', '.join(stored.programs)} at {', '.join(stored.levels())}"
        raise UsageError(f"{path} has nothing of what was asked for", f"it has {has}")
    return kept


def lower(
    target: Inspectable = "ltc",
    *,
    program: str = "forward",
    form: str = "stablehlo",
    args: tuple[Any, ...] | None = None,
    options: Options | None = None,
    platform: str | None = None,
    x64: bool | None = None,
    debug_info: bool = False,
) -> bytes:
    """A program's IR: ``jaxpr``, ``stablehlo``, ``hlo`` (optimised) text in UTF-8, or ``bytecode`` (a portable artifact).

    Raises:
        UsageError: bad input, or optimised HLO for a platform that is not this machine's. TargetError: the function failed.
    """
    if form not in FORMS:
        raise UsageError(f"unknown form {form!r}", f"forms are {', '.join(FORMS)}")
    if isinstance(target, str) and is_file(target):
        return _of_form(target, _stored(target), form).encode()
    from ltc_ir.targets.lowering import text_of

    with configured(x64):
        return text_of(stage(resolve(target, args, options), program, platform), form, debug_info)


def _stored(path: str) -> tuple[str, str]:
    """The form and the text of a stored file's IR."""
    from ltc_ir.tables.from_file import read_stored_text

    return read_stored_text(path)


def _of_form(path: str, found: tuple[str, str], form: str) -> str:
    """The text of a stored file, refused where it is not of the form asked for."""
    level, text = found
    if level != form:
        raise UsageError(f"{path} holds {level}, not {form}", f"leave out --{form}, or lower a target")
    return text


def diff(
    baseline: Inspectable | Count,
    current: Inspectable | Count | None = None,
    *,
    programs: Collection[str] | None = None,
    levels: Collection[str] | None = None,
    **asked: Any,
) -> Diff:
    """Compare two targets, files or counts; of one of them, its forward with its gradient.

    Args:
        baseline: the older side.
        current: the newer side.
        programs: the programs to compare; all that both sides have where ``None``.
        levels: the levels to compare; where ``None`` those that a file among the sides has, else jaxpr and stablehlo.
        asked: further arguments of `count`, for sides that are not counted yet.

    Raises:
        NotComparableError: the sides have no program and level in common. UsageError: bad input.
    """
    from ltc_ir.compare.diff import diff_counts, diff_programs

    given = [baseline] if current is None else [baseline, current]
    programs = ("forward", "grad") if current is None else programs
    stored = [_stored_side(side, asked) for side in given]
    shared = [level for one in stored if one is not None for level in one.levels()]
    programs = programs or _held_by(stored)
    asked_for = asked_levels(levels or shared or DEFAULT_LEVELS)
    sides = [
        one.narrowed(programs, asked_for)
        if one is not None
        else count(cast("Inspectable", side), programs=programs, levels=asked_for, **asked)
        for side, one in zip(given, stored, strict=True)
    ]
    return diff_programs(sides[0], "forward", "grad") if current is None else diff_counts(*sides)


def _held_by(stored: Collection[Count | None]) -> list[str] | None:
    """The programs that a file holds, where another side is to be counted: it need not count more; ``None`` for all."""
    held = [name for one in stored if one is not None for name in one.programs]
    return list(dict.fromkeys(held)) if None in stored and held and "file" not in held else None


def _stored_side(side: Inspectable | Count, asked: Mapping[str, Any]) -> Count | None:
    """A side of a comparison that is counted already or stands in a file; ``None`` for what must be traced."""
    if isinstance(side, Count):
        return side
    if isinstance(side, str) and is_file(side):
        return count(side, **{key: value for key, value in asked.items() if key in {"by", "ops", "phases", "library"}})
    return None


def diff_text(baseline: str, current: str | None = None, *, form: str | None = None, **asked: Any) -> str:
    """A unified diff of two canonicalised texts (forward against gradient of one target); empty where they are alike.

    Args:
        baseline: a target or a stored file.
        current: the other one; of one target alone, ``baseline``'s gradient.
        form: ``jaxpr``, ``stablehlo`` or ``hlo``; where ``None`` that of a file among the sides, else StableHLO.
        asked: further arguments of `lower`; ``program`` is of both sides.
    """
    from ltc_ir.compare.text.diff import unified

    if current is None:
        form = form or "stablehlo"
        before, after = (_text(baseline, form, asked | {"program": program}) for program in ("forward", "grad"))
        return unified(before, after, form, f"{baseline} forward", f"{baseline} grad")
    stored = [_stored(side) if is_file(side) else None for side in (baseline, current)]
    form = form or next((found[0] for found in stored if found is not None), "stablehlo")
    before, after = (
        _text(side, form, asked) if found is None else _of_form(side, found, form)
        for side, found in zip((baseline, current), stored, strict=True)
    )
    return unified(before, after, form, baseline, current)


def _text(side: str, form: str, asked: dict[str, Any]) -> str:
    return lower(side, form=form, **asked).decode("utf-8", "replace")


def examine() -> list[dict[str, str]]:
    """What this installation can do: a row per fact, as the doctor lists them."""
    from ltc_ir.api.doctor import examine as look

    return look()


def _count_live(
    target: Target, programs: Collection[str] | None, levels: tuple[Level, ...], reading: Any, platform: str | None
) -> Count:
    from ltc_ir.tables.live import count_program
    from ltc_ir.targets.stages import environment

    made: dict[str, Any] = {}

    def one(name: str) -> None:
        made[name] = count_program(stage(target, name, platform), levels, reading, ownership_of(target))

    unavailable = each_program(target, programs, one)
    question = reading.question
    filters = {"ops": tuple(sorted(question.ops)), "phases": tuple(sorted(question.phases))}
    return Count(
        target=target.name or "target",
        environment=environment(platform or target.platform),
        programs=made,
        unavailable=unavailable,
        grouped=tuple(by.value for by in question.grouped),
        filters={key: names for key, names in filters.items() if names},
    )


def each_program(
    target: Target, programs: Collection[str] | None, do: Callable[[str], None], needed: Collection[str] = ()
) -> dict[str, str]:
    """Do something for each program; one nobody asked for or needs that cannot be made is passed over, with its reason."""
    from ltc_ir.targets.derive import program_names

    unavailable: dict[str, str] = {}
    for name in programs or program_names(target):
        try:
            do(name)
        except (UsageError, TargetError) as error:
            if programs or name == "forward" or name in needed:
                raise
            unavailable[name] = error.message
    return unavailable


def stage(target: Target, program: str, platform: str | None = None, *, clear: bool = True) -> Any:
    """A program of a target, ready to pass the stages; from cleared caches unless ``clear`` is false."""
    from ltc_ir.targets.derive import make_program
    from ltc_ir.targets.stages import Staged

    label = f"{target.name or 'target'} {program}"
    return Staged(make_program(target, program), label, platform or target.platform, clear)


def resolve(target: Inspectable, args: tuple[Any, ...] | None = None, options: Options | None = None) -> Target:
    """The Target meant by a name, a Target or a function with its arguments."""
    from ltc_ir.targets.target import Target

    if isinstance(target, Target):
        return target
    if isinstance(target, str):
        from ltc_ir.targets.find import find

        return find(target, options)
    if not callable(target):
        raise UsageError(f"{type(target).__name__} is no target", "give a function, a Target or a name")
    if args is not None and not isinstance(args, tuple | list):
        raise UsageError(f"args is of type {type(args).__name__}, not a tuple", "write args=(x,)")
    return Target(target, tuple(args or ()), name=getattr(target, "__name__", type(target).__name__))


def ownership_of(target: Target) -> Any:
    """Whose files are whose, the target's own top-level package counted as the user's."""
    from ltc_ir.ir.origin import Ownership

    module = _home(target.fn)
    return Ownership({module.split(".")[0]} if module else ())


def _home(fn: Callable[..., Any]) -> str:
    """The module a function was written in; of a method, its object's, for a library's class may have lent it."""
    owner = getattr(fn, "__self__", None)
    written = fn if owner is None else owner if isinstance(owner, type) else type(owner)
    return getattr(written, "__module__", None) or ""


def is_file(name: str) -> bool:
    """Whether a target names a stored file or standard input rather than a function."""
    from pathlib import Path

    return name == "-" or (":" not in name and Path(name).is_file()) or _looks_stored(name)


def _looks_stored(name: str) -> bool:
    return ":" not in name and name.endswith((".mlir", ".mlirbc", ".hlo", ".json", ".toml", ".txt"))


def asked_levels(levels: Collection[str]) -> tuple[Level, ...]:
    """The levels asked for, in reading order."""
    return tuple(level for level in Level if level in {word(Level, level, "level") for level in levels})


def make_question(asked: Mapping[str, Any]) -> Any:
    """The Question of plain words; unknown ones are refused with what there is."""
    from ltc_ir.tables.counting import Question

    return Question(
        by=tuple(dict.fromkeys(word(By, by, "grouping") for by in asked["by"])),
        ops=frozenset(asked["ops"]),
        phases=frozenset(word(Phase, phase, "phase").value for phase in asked["phases"]),
        sources=bool(asked["source"]),
    )


@contextmanager
def configured(x64: bool | None) -> Iterator[None]:
    """JAX with 64-bit types on or off for a while."""
    if x64 is None:
        yield
        return
    import jax

    config: Any = jax.config
    before = bool(config.jax_enable_x64)
    config.update("jax_enable_x64", x64)
    try:
        yield
    finally:
        config.update("jax_enable_x64", before)
