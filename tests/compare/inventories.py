"""Tables written by hand, for what is judged on them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ltc_ir.compare.facts import snapshot_of
from ltc_ir.records.op_table import Constant, ProgramTables, Row, Table
from ltc_ir.records.snapshot import Identity, Provenance, Snapshot
from ltc_ir.records.vocabulary import NO_SOURCE, Part

_COLUMNS = ("results", "operands", "attributes", "bytes", "parts")


class Entry(NamedTuple):
    """A row and its number, in short."""

    name: str
    phase: str
    function: str = NO_SOURCE
    source: str = NO_SOURCE
    number: int = 1
    results: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    bytes: int | None = None
    parts: tuple[Part, ...] = ()

    @property
    def row(self) -> Row:
        return Row(*self[:4], **{name: getattr(self, name) for name in _COLUMNS})


def table(level, entries, figures=None, **fields) -> Table:
    weights: Counter[Row] = Counter()
    for entry in entries:
        weights[entry.row] += entry.number
    return Table(level, expanded=weights, figures=figures or {}, **fields)


HERE = Identity(jax="0.10", arguments="f32[8]", declaration="a1")
MADE = Provenance(jax="0.10.2", jaxlib="0.10.2")

JAXPR = (
    Entry("dot_general", "forward", "m:net", "m.py:9", 3, ("f32",), ("f32", "f32"), bytes=16),
    Entry("dot_general", "backward", "m:net", "m.py:9", 6, ("f32",), ("f32", "f32"), bytes=16),
    Entry("tanh", "forward", "m:act", "m.py:4", 2, ("f32",), ("f32",), bytes=16),
    Entry("scan", "forward", "m:loop", "m.py:12", 1, ("f32", "i32"), bytes=20),
)
STABLEHLO = (
    Entry("stablehlo.dot_general", "forward", "m:net", "m.py:9", 3, ("f32",), bytes=16),
    Entry("stablehlo.dot_general", "backward", "m:net", "m.py:9", 6, ("f32",), bytes=16),
    Entry("stablehlo.tanh", "forward", "m:act", "m.py:4", 2, ("f32",), bytes=16),
    Entry("stablehlo.while", "forward", "m:loop", "m.py:12", 1, ("f32", "i32"), bytes=20),
)
FIGURES = {"lines": 40, "constants.bytes": 400, "constants.embedded.bytes": 0, "max_depth": 3}


def hashed(entries) -> str:
    """A fingerprint of these operations and no others."""
    return f"{hash(tuple(entries)) % 2**64:016x}"


def inventory(
    jaxpr=JAXPR, stablehlo=STABLEHLO, hlo=None, *, target="m", program="grad", devices=1, detailed=True, **figures
) -> ProgramTables:
    """A program; figures are given as ``constants_bytes=3`` for ``constants.bytes``."""
    named = ((name.replace("_bytes", ".bytes").replace("constants_", "constants."), figures[name]) for name in figures)
    metrics = FIGURES | dict(named)
    constants = (Constant(400, "f32", "forward", "m:act", "m.py:3"),) if metrics["constants.bytes"] else ()
    levels = {
        "jaxpr": table("jaxpr", jaxpr, {"max_depth": 3}, fingerprint=hashed(jaxpr)),
        "stablehlo": table("stablehlo", stablehlo, metrics, constants=constants, fingerprint=hashed(stablehlo)),
    }
    if hlo is not None:
        flops = {"flops": 12.5, "memory.temporary_bytes": 2048}
        levels["hlo"] = table("hlo", hlo, flops, reasons={"bytes_accessed": "XLA did not say"})
    return ProgramTables(target, program, devices, levels, detailed)


def snapshot(of: ProgramTables, identity: Identity = HERE, provenance: Provenance = MADE, device=None) -> Snapshot:
    return snapshot_of(of, identity, provenance, device=device)


def changed(entries, name, number, **fields):
    """The entries with the first of that name given another number, and whatever else is said."""
    made, done = [], False
    for entry in entries:
        hit = entry.name == name and not done
        made.append(entry._replace(number=number, **fields) if hit else entry)
        done |= hit
    return tuple(made)
