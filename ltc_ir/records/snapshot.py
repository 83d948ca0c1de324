"""The record kept under version control: what identifies a program, what made the record, and the facts of its IR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ltc_ir.records.signature import ATTRIBUTION, Signature

Block = tuple[str, str]
"""A phase and a function key: the unit in which facts are kept, so that two branches that touch two functions merge."""

SCHEMA = 1
"""The snapshot schema this version writes; older ones are migrated when read, newer ones refused."""

DISAGREED = "two captures disagreed"
"""Why a fact is unstable, or a signature missing, in the files that this version writes."""

TWICE, IN_PROCESS = "twice", "in-process"
"""How a snapshot was captured: a second time in a child with another hash seed and order, or by a second trace here."""


@dataclass(frozen=True)
class Identity:
    """What must be equal for two sets of facts to be comparable at all.

    ``jax`` is the minor version, ``0.10``; ``platform`` the one lowered for; ``devices`` those the program spans; ``config``
    the JAX options that alter tracing; ``declaration`` a hash of the target's declaration: argument types and shardings,
    static values, argnums, loss options. ``arguments`` are the argument types in short, for reading only: never compared.
    """

    jax: str
    platform: str = "cpu"
    devices: int = 1
    x64: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    declaration: str = ""
    arguments: str = field(default="", compare=False)


@dataclass(frozen=True)
class Provenance:
    """What made the facts; another patch release may make others (drift), which is said and not hidden."""

    jax: str
    jaxlib: str


@dataclass(frozen=True)
class LevelFacts:
    """The facts of one level.

    ``ops[(phase, function)][name]`` counts operations, once per call path; ``types[phase][element type]`` their results.
    ``metrics`` are ``lines``, ``constants.bytes`` and the like. ``unstable`` names facts that two captures disagreed on:
    they are not held (``"op|phase|function|name"``, ``"type|phase|name"``, ``"metric|name"``, ``"fingerprint"``), each for the
    reason that ``reasons`` has of it: one without was not marked by a capture.
    ``structure`` is the fingerprint regardless of the order of independent operations, ``None`` where it was not read.
    """

    ops: Mapping[Block, Mapping[str, int]] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    metrics: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str | None = None
    unstable: tuple[str, ...] = ()
    structure: str | None = None
    reasons: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def total(self) -> int:
        """All operations."""
        return sum(sum(counts.values()) for counts in self.ops.values())

    def totals(self) -> Counter[str]:
        """Operations by name, over all phases and functions."""
        found: Counter[str] = Counter()
        for counts in self.ops.values():
            found.update(counts)
        return found


@dataclass(frozen=True)
class HloFacts:
    """Facts of optimised HLO, kept on request only: they hold for one jaxlib and one kind of device, and gate nothing."""

    jaxlib: str
    device: str
    facts: LevelFacts


@dataclass(frozen=True)
class Acceptance:
    """A growth that somebody accepted: why, and what grew (``"jaxpr total 120 -> 1320"``), one line each."""

    reason: str
    growth: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The facts of one program of one target, as one file keeps them; ``levels`` are jaxpr and stablehlo.

    ``signature`` is ``None`` where it was not recorded, for the reason ``unsigned`` where two captures disagreed on it;
    ``attribution`` is the version that told the phases of the facts.
    """

    target: str
    program: str
    identity: Identity
    provenance: Provenance
    levels: Mapping[str, LevelFacts]
    hlo: HloFacts | None = None
    accepted: tuple[Acceptance, ...] = ()
    captured: str = TWICE
    signature: Signature | None = None
    attribution: int = ATTRIBUTION
    unsigned: str | None = None
    kind: str = "snapshot"
