"""The record of what is asked: of which programs of a target, at which levels, in which groupings, read how."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.records.vocabulary import PLATFORMS, By, Level, Phase, word

DEFAULT_LEVELS = (Level.JAXPR, Level.STABLEHLO)
"""The levels that are read where a request names none."""


@dataclass(frozen=True)
class Options:
    """Changes to a target found by name; ``None`` leaves it as it is.

    ``args`` is a string of short types, or ``module:callable`` returning ``(args, kwargs)`` or a tuple of arguments;
    ``loss`` is ``sum``, ``mean`` or ``module:function``; ``size`` is a size to change and its new value, as
    `ltc_ir.targets.sizes.resized` takes them, or one that ``args`` leaves open.
    """

    args: str | None = None
    loss: str | None = None
    argnums: tuple[int, ...] | None = None
    has_aux: bool | None = None
    static_argnums: tuple[int, ...] | None = None
    static_argnames: tuple[str, ...] | None = None
    size: tuple[str, int] | None = None


@dataclass(frozen=True)
class Request:
    """What is asked of a target's programs: plain data that can be sent to another process.

    Args:
        programs: the programs, by name; all that the target has where ``None``.
        levels: the levels to read, in reading order; where ``None`` jaxpr and stablehlo, of a file all that it has.
        by: groupings beyond operation and phase.
        ops: operations to narrow the tables to, with or without dialect; all where empty.
        phases: phases to narrow the tables to; all where empty.
        sources: resolve source lines.
        library: let library frames count as sources.
        text: print StableHLO for its lines and bytes.
        executed: determine how often each operation runs, if necessary by running the program.
        fill: the values of arguments that are only shapes, for such a run: ``zeros`` or ``normal:SEED``.
        details: read the operands, attributes and bytes of each operation.
        structure: hash programs regardless of the order of independent operations, too.
        types: read the element types of all operations of the jaxpr.
        hashes: hash programs for a comparison: with and without the order of independent operations.
        facts: read what snapshots keep besides counts: the types of results, a fingerprint, who uses each constant.
        options: changes to a target found by name.
        platform: what to lower for; the target's own or this machine's where ``None``.
        default_platform: what to lower for where neither ``platform`` nor the target names a platform.
        x64: enable or disable 64-bit types; as configured where ``None``.
    """

    programs: tuple[str, ...] | None = None
    levels: tuple[Level, ...] | None = None
    by: tuple[By, ...] = ()
    ops: frozenset[str] = frozenset()
    phases: frozenset[str] = frozenset()
    sources: bool = True
    library: bool = False
    text: bool = True
    executed: bool = False
    fill: str | None = None
    details: bool = False
    facts: bool = False
    types: bool = False
    structure: bool = False
    hashes: bool = False
    options: Options | None = None
    platform: str | None = None
    default_platform: str | None = None
    x64: bool | None = None

    @property
    def wants(self) -> frozenset[By]:
        """The groupings a reader has to keep apart."""
        return frozenset(self.by) | ({By.SOURCE} if self.sources else set())

    @property
    def fingerprints(self) -> tuple[bool, bool]:
        """Whether programs are hashed, and whether regardless of the order of independent operations, too."""
        return self.facts or self.hashes, self.structure or self.hashes

    @property
    def read_levels(self) -> tuple[Level, ...]:
        """The levels of a live program to read."""
        return self.levels or DEFAULT_LEVELS

    def platform_for(self, target_platform: str | None) -> str | None:
        """What a target that names this platform itself is lowered for; this machine's where ``None``."""
        return self.platform or target_platform or self.default_platform

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """What the tables are narrowed to, as a count records it: ``{"ops": …, "phases": …}``, without what is not."""
        filters = {"ops": tuple(sorted(self.ops)), "phases": tuple(sorted(self.phases))}
        return {key: names for key, names in filters.items() if names}


def parse_request(
    *,
    programs: Collection[str] | str | None = None,
    levels: Collection[str] | str | None = None,
    by: Collection[str] | str = (),
    ops: Collection[str] | str = (),
    phases: Collection[str] | str = (),
    **more: Any,
) -> Request:
    """A Request of plain words; ``more`` are its other fields.

    Raises:
        UsageError: an unknown level, grouping or phase; the hint lists those that exist; so for a platform. ``fill`` without
            ``executed``.
    """
    if more.get("fill") is not None and not more.get("executed"):
        raise UsageError("--fill only applies when the program is run", "add --executed")
    check_platform(more.get("platform"))
    return Request(
        programs=None if programs is None else tuple(listed(programs)),
        levels=parse_levels(listed(levels)) if levels else None,
        by=tuple(dict.fromkeys(word(By, name, "grouping") for name in listed(by))),
        ops=frozenset(listed(ops)),
        phases=frozenset(word(Phase, name, "phase").value for name in listed(phases)),
        **more,
    )


def check_platform(platform: str | None) -> None:
    """Refuse a platform that no program is lowered for.

    Raises:
        UsageError: it is unknown; the hint lists those that exist.
    """
    if platform is not None and platform not in PLATFORMS:
        raise UsageError(f"unknown platform {platform!r}", f"platforms are {', '.join(PLATFORMS)}")


def listed(words: Any) -> list[Any]:
    """A collection as a list; a string, or what is no collection, is one item."""
    if words is None:
        return []
    return [words] if isinstance(words, str) or not isinstance(words, Iterable) else list(words)


def parse_levels(names: Collection[str]) -> tuple[Level, ...]:
    """The levels of these names, in reading order.

    Raises:
        UsageError: a name is not a level.
    """
    levels = {word(Level, name, "level") for name in names}
    return tuple(level for level in Level if level in levels)
