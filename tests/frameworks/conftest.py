"""What a user of any framework relies on: counts, phases that add up, sources in the user's own file, a library's cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ltc_ir
from ltc_ir import Count, Target
from ltc_ir.records.count import LevelCount

LEVELS = ("jaxpr", "stablehlo", "hlo")


@dataclass
class Held:
    """A target of a framework, counted with and without library frames."""

    target: Target
    file: Path

    def count(self, **more: Any) -> Count:
        return ltc_ir.count(self.target, levels=LEVELS, by=["source"], **more)

    def check(self, *programs: str) -> Count:
        """Hold what must be true of every target: something counted, the phases a partition, the sources the user's."""
        made = self.count(programs=programs)
        assert list(made.programs) == list(programs)
        for name, levels in made.programs.items():
            for level, one in levels.items():
                assert one.tally.total > 0, (name, level)
                self._partitioned(one)
            self._mine(levels["jaxpr"], name)
            self._mine(levels["stablehlo"], name)
        return made

    def _partitioned(self, one: LevelCount) -> None:
        split: dict[str, int] = {}
        for ops in one.tally.phases.values():
            for op, number in ops.items():
                split[op] = split.get(op, 0) + number
        assert split == dict(one.tally.ops)

    def _mine(self, one: LevelCount, name: str) -> None:
        """Half of what is counted, at the least, was written in the test's file: a module's frame alone has no source."""
        keys = {group.key: group.tally.total for group in one.by or ()}
        mine = sum(total for key, total in keys.items() if f"{self.file.name}:" in key)
        assert mine >= 0.5 * one.tally.total, (name, one.level, keys)

    def has_phases(self, made: Count, program: str = "grad") -> None:
        phases = made.programs[program]["jaxpr"].tally.phases
        assert {"forward", "backward"} <= set(phases), phases.keys()

    def names_library(self, library: str, program: str = "forward") -> None:
        """With library frames counted, some of the cost is the library's own; without, none is."""
        for wanted in (True, False):
            made = self.count(programs=[program], library=wanted)
            keys = [group.key for group in made.programs[program]["jaxpr"].by or ()]
            assert any(f"{library}/" in key for key in keys) is wanted, keys
