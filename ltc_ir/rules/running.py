"""Judges rules program by program, and keeps of each only what rules on all programs need: no lines, functions or scopes."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ltc_ir.records.check import CheckChange
from ltc_ir.records.op_table import ProgramTables, Row, Table, Weights
from ltc_ir.records.snapshot import Snapshot
from ltc_ir.rules.evaluate import Judgement, judge
from ltc_ir.rules.grammar import Complete, Rule

Key = TypeVar("Key", bound=Hashable)


@dataclass
class RunningJudgement(Generic[Key]):
    """Rules on programs that come one after the other."""

    rules: Collection[Rule]
    kept: dict[Key, ProgramTables] = field(default_factory=dict)
    """Each program with its operations by name, phase and types, which programs alike share."""
    _baselines: dict[Key, Snapshot | None] = field(default_factory=dict)
    _located: dict[Key, tuple[CheckChange, ...]] = field(default_factory=dict)
    _rows: dict[Row, Row] = field(default_factory=dict)

    def add(self, key: Key, tables: ProgramTables, baseline: Snapshot | None) -> None:
        """Judge a program by itself, for the lines of what breaks a rule; its snapshot is kept where a rule is a step."""
        self._located[key] = judge(self.rules, {key: tables}, {key: baseline}, complete=False).changes[key]
        levels = {name: self._table(table) for name, table in tables.levels.items()}
        self.kept[key] = replace(tables, levels=levels, signature=None)
        steps = any(rule.kind == "step" for rule in self.rules)
        self._baselines[key] = baseline if steps else None

    def judgement(
        self, keys: Collection[Key], complete: Complete, failed: Collection[tuple[str, str]]
    ) -> Judgement[Key]:
        """The outcome of all, in this order: what `judge` gives of the whole tables."""
        judged = judge(
            self.rules,
            {key: self.kept[key] for key in keys if key in self.kept},
            self._baselines,
            complete=complete,
            failed=failed,
        )
        return replace(judged, changes={key: self._with_lines(key, found) for key, found in judged.changes.items()})

    def _with_lines(self, key: Key, found: tuple[CheckChange, ...]) -> tuple[CheckChange, ...]:
        located = {(change.rule, change.where): change for change in self._located[key]}
        return tuple(located.get((change.rule, change.where), change) for change in found)

    def _table(self, table: Table) -> Table:
        return replace(
            table, static=self._merged(table.static), expanded=self._merged(table.expanded),
            executed=self._merged(table.executed), loops=(), functions=(),
        )  # fmt: skip

    def _merged(self, weights: Weights | None) -> Weights | None:
        if weights is None:
            return None
        merged: dict[Row, int] = {}
        for row, number in weights.items():
            bare = Row(
                row.name, row.phase, results=row.results, operands=row.operands, attributes=row.attributes,
                bytes=row.bytes, parts=row.parts,
            )  # fmt: skip
            bare = self._rows.setdefault(bare, bare)
            merged[bare] = merged.get(bare, 0) + number
        return merged
