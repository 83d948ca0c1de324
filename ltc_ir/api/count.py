"""The verb `count`: what a target's programs, or a stored file, hold at each level."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ltc_ir.errors import UsageError
from ltc_ir.files import names_stored_file
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.op_table import level_count, matches, narrow
from ltc_ir.records.request import Options, Request, parse_request
from ltc_ir.records.signature import ATTRIBUTION, Signature
from ltc_ir.records.vocabulary import Level, meant

if TYPE_CHECKING:
    from ltc_ir.ir.origin import Ownership
    from ltc_ir.tables.live import Reading
    from ltc_ir.targets.prepare import Inspectable
    from ltc_ir.targets.stages import Staged
    from ltc_ir.targets.target import Target


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
    types: bool = False,
    hashes: bool = False,
) -> Count:
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
        types: read the element types of all operations into the signatures, for a comparison.
        hashes: hash how the operations of each level are connected, for a comparison.
        fill: the values of arguments that are only shapes, for such a run: ``zeros`` or ``normal:SEED``.

    Each program is traced from cleared caches (`jax.clear_caches`), so that no count depends on what was traced before:
    functions that this process had compiled compile again at their next call.

    Raises:
        UsageError: bad input. TargetError: the function failed. LimitError: a limit of ours ended it.
    """
    request = parse_request(
        programs=programs, levels=levels, by=by, ops=ops, phases=phases, sources=source, library=library, text=text,
        executed=executed, fill=fill, types=types, hashes=hashes, options=options, platform=platform, x64=x64,
    )  # fmt: skip
    return count_request(target, request, args)


def count_request(target: Inspectable, request: Request, args: tuple[Any, ...] | None = None) -> Count:
    """The count that a request asks for, of a stored file or of a live target."""
    counted = _counted(target, request, args)
    _check_operations(counted, request.ops)
    return counted


def _check_operations(counted: Count, names: Collection[str]) -> None:
    """Refuse operations that no level knows and nothing here has: a misspelt name would read as none of it.

    Raises:
        UsageError: there is one.
    """
    found = [name for levels in counted.programs.values() for level in levels.values() for name in level.tally.ops]
    for name in sorted(names):
        plain = name.replace("-", "_")
        if any(matches(each, {plain}) for each in found):
            continue
        from ltc_ir.rules.names import vocabulary

        known = frozenset().union(*map(vocabulary, Level))
        if plain not in known and plain.rpartition(".")[2] not in known:
            hint = f"{meant(plain, known)}names are those that `ltc-ir count` prints, with or without dialect"
            raise UsageError(f"no level knows an operation {name!r}, and {counted.target} has none", hint)


def _counted(target: Inspectable, request: Request, args: tuple[Any, ...] | None) -> Count:
    if isinstance(target, str) and names_stored_file(target):
        return count_file(target, request)
    from ltc_ir.targets.prepare import configured, resolve

    with configured(request.x64):
        return count_target(resolve(target, args, request.options), request)


def count_file(path: str, request: Request) -> Count:
    """The count of a stored file, with only what the request asks for."""
    from ltc_ir.tables.from_file import count_stored

    stored = count_stored(path, request)
    if request.executed and not any(level.executed for levels in stored.programs.values() for level in levels.values()):
        words = f"{path} holds no executed counts, and a file is not run", "count a target, or leave --executed out"
        raise UsageError(*words)
    count = narrow(stored, request.filters, [by.value for by in request.by], path)
    return _narrowed(path, count, request)


def _narrowed(path: str, stored: Count, request: Request) -> Count:
    """A stored count with only the programs and levels asked for, refused where that is nothing."""
    if request.programs and set(stored.programs) == {"file"}:
        raise UsageError(f"{path} holds IR of one program and does not say which", "leave --program and --grad out")
    narrowed = stored.narrowed(request.programs, request.levels or stored.levels())
    if stored.programs and not narrowed.programs:
        has = f"{', '.join(stored.programs)} at {', '.join(stored.levels())}"
        raise UsageError(f"{path} has nothing of what was asked for", f"it has {has}")
    return narrowed


def count_staged(
    staged: Staged, request: Request, ownership: Ownership, signed: Callable[[Signature], None] | None = None
) -> dict[str, LevelCount]:
    """The counts of one program, by level, with how often its operations run where that is asked.

    ``signed`` takes its signature.
    """
    from ltc_ir.tables.live import count_program, read_program

    if not request.executed:
        return count_program(staged, request, ownership, signed)
    from ltc_ir.execution.measured import with_executed

    def count_level(reading: Reading) -> LevelCount:
        return level_count(with_executed(reading, staged, request, ownership), request)

    return read_program(staged, request, ownership, count_level, signed)


def count_target(target: Target, request: Request) -> Count:
    """The count of a live target."""
    from ltc_ir.targets.prepare import Attempts, ownership_of, stage
    from ltc_ir.targets.stages import environment

    if request.fill is not None:
        from ltc_ir.targets.example_values import parse_filling

        parse_filling(request.fill)
    counts: dict[str, Mapping[str, LevelCount]] = {}
    signatures: dict[str, Signature] = {}
    attempts = Attempts(target, request.programs)
    for program in attempts.names:
        with attempts.making(program):
            staged = stage(target, program, request.platform)
            signed = partial(signatures.__setitem__, program)
            counts[program] = count_staged(staged, request, ownership_of(target), signed)
    return Count(
        target=target.name or "target",
        environment=environment(request.platform or target.platform),
        programs=counts,
        unavailable=attempts.unavailable,
        grouped=tuple(by.value for by in request.by),
        filters=request.filters,
        headline=target.headline,
        signatures={} if request.filters else signatures,
        attribution=ATTRIBUTION,
    )
