"""A snapshot as a Count, so that one can stand wherever a target does: counted, grouped by function, compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, LevelCount
from ltc_ir.records.environment import Environment
from ltc_ir.records.figures import figures_of
from ltc_ir.records.op_table import Table, level_count, tables_of_snapshot
from ltc_ir.records.request import Request
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.records.vocabulary import By, Level

EXPANDED_NOTE = "stablehlo: a snapshot holds each operation once per call path, not as it stands in the text"
_NOT_KEPT = "a snapshot does not keep it; count the program itself"
_KEPT = (By.OP, By.PHASE, By.FUNCTION)
"""The groupings that a snapshot can answer."""


def count_of(snapshot: Snapshot, by: Collection[str] = (), where: str = "the snapshot") -> Count:
    """The count that a snapshot holds; at stablehlo each operation once per call path.

    Raises:
        UsageError: a grouping that a snapshot does not keep.
    """
    for grouping in by:
        if grouping not in _KEPT:
            raise UsageError(
                f"{where} was not counted by {grouping}: a snapshot keeps op, phase and function",
                "count the target again",
            )
    tables = tables_of_snapshot(snapshot).levels
    request = Request(by=tuple(map(By, by)))
    return Count(
        target=snapshot.target,
        environment=Environment(
            jax=snapshot.provenance.jax,
            jaxlib=snapshot.provenance.jaxlib,
            platform=snapshot.identity.platform,
            x64=snapshot.identity.x64,
        ),
        programs={snapshot.program: {level: _level(tables[level], request) for level in Level if level in tables}},
        grouped=tuple(by),
        notes=(EXPANDED_NOTE,) if Level.STABLEHLO in tables else (),
    )


def _level(table: Table, request: Request) -> LevelCount:
    names = [figure.group or figure.key or figure.name for figure in figures_of(table.level)]
    reasons = dict.fromkeys((*names, "attributed.source"), _NOT_KEPT)
    count = level_count(replace(table, reasons=reasons), request)
    return replace(count, reasons={name: why for name, why in reasons.items() if getattr(count, name, None) is None})
