"""Takes the inventory of a live program: each level read once with its types, folded into distinct entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ltc_ir.ir import fingerprint
from ltc_ir.ir.jaxpr import closures
from ltc_ir.ir.jaxpr import reader as jaxpr_level
from ltc_ir.ir.name_evidence import Evidence
from ltc_ir.ir.op import Details, Op, Origin, paused_collector
from ltc_ir.ir.origin import Ownership, function_key
from ltc_ir.ir.stablehlo import reader as stablehlo_level
from ltc_ir.ir.stablehlo.facts import text_size
from ltc_ir.records.inventory import Constant, Entry, Inventory, LevelInventory, Metric
from ltc_ir.records.vocabulary import NO_SOURCE, By, Level
from ltc_ir.tables.counting import shown_source
from ltc_ir.tables.live import constant_bytes, evidence_of
from ltc_ir.tables.unfolding import flat, unfold
from ltc_ir.tables.xla_costs import xla_facts
from ltc_ir.targets.stages import Staged

_WANTS = frozenset({By.SOURCE})


@dataclass(frozen=True)
class _Context:
    staged: Staged
    ownership: Ownership
    evidence: Evidence
    details: Details
    constants: tuple[Constant, ...]


def take(
    staged: Staged,
    levels: Collection[Level],
    ownership: Ownership,
    *,
    names: tuple[str, str],
    detailed: bool = False,
) -> Inventory:
    """The inventory of one program.

    Args:
        staged: the program, on its way through the stages.
        levels: the levels to take; optimised HLO is compiled.
        ownership: whose the source files are.
        names: the target's and the program's, as records call them.
        detailed: keep operand types, attributes and bytes too, for rules that filter on them.
    """
    details = Details.ALL if detailed else Details.TYPES
    staged.module()
    with paused_collector():
        made, evidence, constants = _jaxpr(staged, ownership, details)
        ownership.outside |= staged.outside
        context = _Context(staged, ownership, evidence, details, constants)
        taken = {Level.JAXPR.value: made} if Level.JAXPR in levels else {}
        taken |= {level.value: read(context) for level, read in _READERS.items() if level in levels}
        return Inventory(*names, devices=devices_of(staged.module()), levels=taken, detailed=detailed)


def _jaxpr(
    staged: Staged, ownership: Ownership, details: Details
) -> tuple[LevelInventory, Evidence, tuple[Constant, ...]]:
    jaxpr = staged.traced.jaxpr
    reader = jaxpr_level.Reader(_WANTS, ownership, False, details)
    stream = reader.read_program(jaxpr)
    unfolded = unfold(stream, module=False)
    constants = tuple(_constant(one) for one in closures.of_jaxpr(jaxpr, reader))
    made = LevelInventory(
        Level.JAXPR.value,
        entries(unfolded.expanded),
        {"max_depth": unfolded.max_depth},
        constants,
        fingerprint.of_jaxpr(jaxpr),
    )
    return made, evidence_of(stream, unfolded), constants


def _constant(closure: closures.Closure) -> Constant:
    return Constant(closure.bytes, closure.type, closure.origin.phase.value, *_place(closure.origin))


def _place(origin: Origin) -> tuple[str, str]:
    """The function key and the source line of an origin."""
    return function_key(origin.source) if origin.source else NO_SOURCE, shown_source(origin.source)


def entries(ops: Counter[Op]) -> tuple[Entry, ...]:
    """Distinct operations as an inventory holds them: sorted, those that differ in nothing it says counted together."""
    found: Counter[Entry] = Counter()
    for op, number in ops.items():
        detail = op.detail
        where = (op.name, op.origin.phase.value, *_place(op.origin))
        if detail is None:
            found[Entry(*where)] += number
        else:
            found[Entry(*where, 1, detail.results, detail.operands, detail.attributes, detail.bytes)] += number
    return tuple(sorted((entry._replace(number=number) for entry, number in found.items()), key=_rank))


def _rank(entry: Entry) -> tuple[Any, ...]:
    return (*entry[:4], entry.results, entry.operands, entry.attributes, entry.bytes or 0)


def _stablehlo(context: _Context) -> LevelInventory:
    staged = context.staged
    module = staged.module()
    stream = stablehlo_level.read(module, _WANTS, context.ownership, context.evidence, details=context.details)
    unfolded = unfold(stream, module=False)
    stored = constant_bytes(stream, staged.lowered)
    metrics: dict[str, Metric] = {
        "lines": text_size(module)["lines"],
        "constants.bytes": stored["bytes"],
        "constants.embedded.bytes": stored["embedded_bytes"],
        "max_depth": max(body.depth for body in stream.bodies),
        "private_functions": stream.facts["private_functions"],
    }
    reasons = {} if stored["bytes"] is not None else {"constants.bytes": "this JAX does not say what it hoisted"}
    return LevelInventory(
        Level.STABLEHLO.value,
        entries(unfolded.expanded),
        metrics,
        context.constants,
        fingerprint.of_module(module),
        reasons,
    )


def _hlo(context: _Context) -> LevelInventory:
    from ltc_ir.tables.compiled_hlo import optimised

    found = optimised(context.staged, _WANTS, context.ownership, context.evidence, details=context.details)
    stream, facts = found.stream, xla_facts(found.compiled, found.module)
    memory: Mapping[str, int] = facts["memory"] or {}
    metrics: dict[str, Metric] = {
        "max_depth": stream.facts.get("max_depth"),
        "flops": facts["flops"],
        "bytes_accessed": facts["bytes_accessed"],
        **{f"memory.{name}": value for name, value in memory.items()},
    }
    return LevelInventory(Level.HLO.value, entries(flat(stream).module), metrics, reasons=facts["reasons"])


def devices_of(module: Any) -> int:
    """The devices a lowered program spans: its partitions times its replicas."""
    attributes = module.operation.attributes
    found = (f"mhlo.num_{part}" for part in ("partitions", "replicas"))
    sizes = [int(attributes[name].value) for name in found if name in attributes]
    product = 1
    for size in sizes:
        product *= size
    return product


_READERS: Mapping[Level, Callable[[_Context], LevelInventory]] = {Level.STABLEHLO: _stablehlo, Level.HLO: _hlo}
