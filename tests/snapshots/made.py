"""Snapshots to test with, that look like real ones. Imports little, for processes that are started often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ltc_ir.records.snapshot import Acceptance, Identity, LevelFacts, Provenance, Snapshot

JAXPR = LevelFacts(
    ops={
        ("forward", "net:dense"): {"add": 3, "dot_general": 2, "tanh": 1},
        ("forward", "net:loss"): {"mul": 4, "reduce_sum": 1},
        ("backward", "net:dense"): {"dot_general": 4, "mul": 2},
        ("backward", "net:loss"): {"mul": 2},
    },
    types={"forward": {"f32": 11}, "backward": {"f32": 8}},
    metrics={"max_depth": 2},
    fingerprint="0f1e2d3c4b5a6978",
)
STABLEHLO = LevelFacts(
    ops={("forward", "net:dense"): {"stablehlo.add": 3}, ("unattributed", "(no source)"): {"func.func": 2}},
    types={"forward": {"f32": 3}},
    metrics={"lines": 40, "constants.bytes": 0, "constants.embedded.bytes": 0},
    fingerprint="8899aabbccddeeff",
)
USUAL = Snapshot(
    target="net:step",
    program="grad",
    identity=Identity(
        "0.10", declaration="c0ffee", arguments="f32[8]", config={"jax_default_matmul_precision": "high"}
    ),
    provenance=Provenance("0.10.2", "0.10.2"),
    levels={"jaxpr": JAXPR, "stablehlo": STABLEHLO},
    accepted=(Acceptance("a deeper network", ("jaxpr total 12 -> 19", "stablehlo total 3 -> 5")),),
)


def usual(**fields: Any) -> Snapshot:
    """The usual snapshot with some fields changed; a field of its identity by its own name."""
    own = {key: fields.pop(key) for key in ("jax", "platform", "x64") if key in fields}
    if "jax" in own:
        fields.setdefault("provenance", Provenance(f"{own['jax']}.2", "0.10.2"))
    return replace(USUAL, identity=replace(USUAL.identity, **own), **fields)


def versions(program: str) -> tuple[Snapshot, Snapshot]:
    """Two versions of a program's snapshot, large enough that writing one takes a while."""
    blocks = {("forward", f"net:layer_{number}"): {"add": 1, "mul": number + 1} for number in range(300)}
    small = usual(program=program)
    return small, replace(small, levels={"jaxpr": replace(JAXPR, ops=blocks), "stablehlo": STABLEHLO})
