"""The one registry of figures: the numbers of a level that are not operation counts, and how each is named, shown and kept.

A figure of a level is added here and in the reader that measures it; rules, diffs, snapshots, JSON and tables follow. Two
families are open: XLA names the parts of ``memory.*``, and ``collectives.*`` are the kinds that a program has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ltc_ir.records.vocabulary import Level

Value = int | float | None
"""A figure's value; ``None`` where it is unknown, with a reason beside it."""
Figures = Mapping[str, Value]
"""The figures of one level of one program, by name."""


@dataclass(frozen=True)
class Figure:
    """What is known of a figure besides its value, e.g. ``Figure("constants.bytes", ("stablehlo",), unit="bytes")``.

    Args:
        name: as rules, diffs and snapshots spell it; a family's ends with ``.*``.
        levels: the levels that have it; the first is the one meant where a rule names none.
        unit: ``bytes``, ``lines`` or ``flops``; empty for a plain number.
        key: its key in the JSON of a count, ``group.key`` where a group holds several; its name where empty (new ones).
        stored: whether snapshots keep it. Growth of such a figure counts against a program, as growth of operations does.
        bounded: whether a rule can bound it.
        falls: whether less of it counts as growth, as of what is donated.
        compared: whether another value is a change by itself. One that is not is told by changes of the signature.
        relative: whether only a comparison has it: how much became worse. It has no value and takes steps alone.
    """

    name: str
    levels: tuple[str, ...]
    unit: str = ""
    key: str = ""
    stored: bool = False
    bounded: bool = True
    falls: bool = False
    compared: bool = True
    relative: bool = False

    @property
    def json_key(self) -> str:
        """Its key in the JSON of a count."""
        return self.key or self.name

    @property
    def group(self) -> str | None:
        """The group of its JSON key, if it is in one."""
        group, dot, _ = self.key.partition(".")
        return group if dot else None

    def words(self, name: str) -> str:
        """How tables of facts call this figure, or ``name`` of its family: ``constants embedded_bytes``."""
        return (name if self.name.endswith(".*") else self.key or self.name).replace(".", " ")


_ALL = (Level.JAXPR.value, Level.STABLEHLO.value, Level.HLO.value)
_MODULE = (Level.STABLEHLO.value,)
_COMPILED = (Level.HLO.value,)
WAYS = ("executed", "partitioned")
"""Further ways of counting collectives: as they run, and as the partitioned program had them before a backend changed it."""

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("max_depth", _ALL),
        Figure("lines", _MODULE, "lines", stored=True),
        Figure("bytes", _MODULE, "bytes", bounded=False),
        Figure("private_functions", _MODULE, bounded=False),
        Figure("fusions", _COMPILED, bounded=False),
        Figure("flops", _COMPILED, "flops"),
        Figure("bytes_accessed", _COMPILED, "bytes"),
        Figure("constants.bytes", _MODULE, "bytes", "constants.bytes", stored=True),
        Figure("constants.embedded.bytes", _MODULE, "bytes", "constants.embedded_bytes", stored=True),
        Figure("donated.bytes", _MODULE, "bytes", stored=True, falls=True, compared=False),
        Figure("types", (Level.JAXPR.value,), compared=False, relative=True),
        Figure("memory.*", _COMPILED, "bytes", "memory.*"),
        Figure("collectives.*", _COMPILED, key="collectives.*", bounded=False),
        *(
            Figure(f"collectives.{way}{amount}", _COMPILED, unit, key="collectives.*")
            for way in WAYS
            for amount, unit in (("", ""), (".bytes", "bytes"))
        ),
    )
}
"""The figures in the order in which tables of facts show them."""


def register(figure: Figure) -> None:
    """Add a figure.

    Raises:
        ValueError: there is one of that name.
    """
    if figure.name in FIGURES:
        raise ValueError(f"there is a figure {figure.name} already")
    FIGURES[figure.name] = figure


def size(number: float) -> str:
    """A number of bytes as people read it: ``12 bytes``, ``1.5 KiB``, ``4 MiB``."""
    amount, unit = abs(number), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    shown = f"{amount:.1f}".removesuffix(".0")
    return f"{'-' if number < 0 else ''}{shown} {'byte' if (shown, unit) == ('1', 'bytes') else unit}"


def figure_of(name: str) -> Figure | None:
    """The figure of this name, or the family that the name is a member of; ``None`` where the name is not a figure's."""
    return FIGURES.get(name) or FIGURES.get(f"{name.partition('.')[0]}.*")


def takes_steps(name: str) -> bool:
    """Whether a figure can be compared with a snapshot's: one that it keeps, or that a comparison alone has."""
    figure = FIGURES.get(name)
    return figure is not None and (figure.stored or figure.relative)


def figures_of(level: str) -> list[Figure]:
    """The figures of a level, in reading order."""
    return [figure for figure in FIGURES.values() if level in figure.levels and not figure.relative]


def stored_names() -> tuple[str, ...]:
    """The figures that snapshots keep, in reading order."""
    return tuple(figure.name for figure in FIGURES.values() if figure.stored)


def compared_names() -> tuple[str, ...]:
    """The figures that snapshots keep and of which another value is a change by itself."""
    return tuple(figure.name for figure in FIGURES.values() if figure.stored and figure.compared)


def to_json(level: str, figures: Figures) -> dict[str, Any]:
    """The figures of a level as the JSON of a count spells them: all of the level's; a group of unknown ones is ``null``."""
    data: dict[str, Any] = {}
    for figure in figures_of(level):
        if figure.group == "collectives":
            data["collectives"] = kinds_of(figures)
        elif figure.group:
            group = data.setdefault(figure.group, {})
            group |= {_last(figure, name): figures.get(name) for name in _members(figure, figures)}
        else:
            data[figure.json_key] = figures.get(figure.name)
    return {key: value if _is_known(value) or key == "collectives" else None for key, value in data.items()}


def from_json(level: str, data: Mapping[str, Any]) -> dict[str, Value]:
    """The figures of a level from the JSON of a count; what is ``null`` there is ``None``, or absent in a family."""
    figures: dict[str, Value] = {}
    for figure in figures_of(level):
        if figure.group == "collectives":
            figures |= of_collectives(data.get("collectives"))
        elif figure.group:
            held = data.get(figure.group)
            if figure.name.endswith(".*"):
                figures |= {f"{figure.group}.{key}": value for key, value in (held or {}).items()}
            elif held is not None:
                figures[figure.name] = held.get(_last(figure, figure.name))
        else:
            figures[figure.name] = data.get(figure.json_key)
    return figures


Kinds = Mapping[str, Mapping[str, Any]]
"""Collectives by kind: ``count`` and ``bytes``, and both for each of `WAYS` and, in ``phases``, for each phase."""


def of_collectives(kinds: Kinds | None) -> dict[str, Value]:
    """The figures of a program's collectives: all of them, and each kind; result bytes on one device.

    ``collectives.all-reduce.bytes`` are those of a kind, ``collectives.all-reduce.executed.bytes`` those of the same kind that
    run, ``collectives.all-reduce.backward.bytes`` those of a phase.

    Args:
        kinds: the collectives by kind; ``None`` where they are not known.
    """
    if kinds is None:
        return {}
    figures: dict[str, Value] = {"collectives": 0, "collectives.bytes": 0}
    for kind, row in kinds.items():
        amounts = {"": row} | {f".{way}": row[way] for way in WAYS if way in row}
        for suffix, amount in amounts.items():
            for name, key in (("", "count"), (".bytes", "bytes")):
                value = None if amount is None else amount[key]
                figures[f"collectives.{kind}{suffix}{name}"] = value
                total = figures.get(f"collectives{suffix}{name}", 0)
                figures[f"collectives{suffix}{name}"] = None if value is None or total is None else total + value
        for phase, amount in row.get("phases", {}).items():
            figures[f"collectives.{kind}.{phase}"] = amount["count"]
            figures[f"collectives.{kind}.{phase}.bytes"] = amount["bytes"]
    return figures


def kinds_of(figures: Figures) -> dict[str, dict[str, Any]] | None:
    """The inverse of `of_collectives`."""
    if figures.get("collectives") is None:
        return None
    kinds: dict[str, dict[str, Any]] = {}
    for name in figures:
        family, _, rest = name.partition(".")
        kind, _, suffix = rest.partition(".")
        if family != "collectives" or kind in {"", "bytes", *WAYS} or suffix == "bytes" or suffix.endswith(".bytes"):
            continue
        entry = kinds.setdefault(kind, {})
        amount = {"count": figures[name], "bytes": figures.get(f"{name}.bytes")}
        if not suffix:
            entry |= amount
        elif suffix in WAYS:
            entry[suffix] = amount if amount["count"] is not None else None
        else:
            entry.setdefault("phases", {})[suffix] = amount
    return kinds


def _members(figure: Figure, figures: Figures) -> Iterator[str]:
    """The names of a figure, or of the members of a family that there are."""
    if not figure.name.endswith(".*"):
        yield figure.name
        return
    yield from (name for name in figures if name.startswith(figure.name[:-1]))


def _last(figure: Figure, name: str) -> str:
    """A figure's key within its group."""
    return name.partition(".")[2] if figure.name.endswith(".*") else figure.key.partition(".")[2]


def _is_known(value: Any) -> bool:
    return any(item is not None for item in value.values()) if isinstance(value, dict) else value is not None
