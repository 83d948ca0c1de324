"""A record whose figures do not add up, or are none, is refused with the field: no verdict is taken from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count, Group, LevelCount, make_tally
from ltc_ir.records.environment import Environment
from ltc_ir.records.serialization import dumps, loads

TALLY = make_tally({"sin": 2, "mul": 1}, {"forward": {"sin": 2}, "backward": {"mul": 1}})
JAXPR = LevelCount("jaxpr", TALLY, {"phase": 1.0, "source": 0.5}, max_depth=1, by=(Group("m.py:1", TALLY),))
STABLEHLO = LevelCount(
    "stablehlo", TALLY, {"phase": 1.0, "source": None}, expanded=TALLY, lines=9, bytes=90, further={"donated.bytes": 64},
    constants={"bytes": 4, "embedded_bytes": 0},
)  # fmt: skip
HLO = LevelCount("hlo", TALLY, {"phase": 1.0, "source": 0.0}, flops=12.5, memory={"temporary_bytes": 64})
LEVELS = {"jaxpr": JAXPR, "stablehlo": STABLEHLO, "hlo": HLO}
TEXT = dumps(Count("m", Environment(), {"grad": LEVELS}, grouped=("source",)))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("jaxpr.ops.sin", -2, "jaxpr.ops.sin: expected an integer of at least 0, not -2"),
        ("jaxpr.ops.sin", 1.9, "jaxpr.ops.sin"),
        ("jaxpr.ops.sin", True, "jaxpr.ops.sin"),
        ("jaxpr.ops.sin", "2", "jaxpr.ops.sin"),
        ("jaxpr.ops.sin", 3, "jaxpr: the phases do not add up to the operations"),
        ("jaxpr.phases.forward.sin", 1, "jaxpr: the phases do not add up"),
        ("jaxpr.phases.sideways", {"sin": 1}, "jaxpr: the phases do not add up"),
        ("jaxpr.total", 2, "jaxpr: the total is not the sum of the operations"),
        ("jaxpr.total", "3", "jaxpr: the total"),
        ("jaxpr.total", -3, "jaxpr: the total"),
        ("jaxpr.total", 3.0, "jaxpr: the total"),
        ("jaxpr.by.0.total", 2, "the total"),
        ("jaxpr.by", [], "jaxpr: the groups do not add up to the operations"),
        ("jaxpr.attributed.phase", 7, "a share from 0 to 1"),
        ("jaxpr.attributed.source", -0.5, "a share from 0 to 1"),
        ("jaxpr.attributed.source", True, "a share from 0 to 1"),
        ("jaxpr.max_depth", -1, "jaxpr.max_depth"),
        ("stablehlo.expanded.total", 9, "stablehlo.expanded: the total"),
        ("stablehlo.lines", -9, "stablehlo.lines"),
        ("stablehlo.constants.bytes", -4, "stablehlo.constants.bytes"),
        ("stablehlo.donated.bytes", -64, "donated.bytes"),
        ("stablehlo.donated.bytes", 1.5, "donated.bytes is no whole number"),
        ("hlo.flops", -1, "hlo.flops: expected a finite number of at least 0, not -1"),
        ("hlo.memory.temporary_bytes", -1, "hlo.memory.temporary_bytes"),
    ],
)
def test_a_figure_that_is_none_or_does_not_add_up_is_refused(path: str, value: Any, says: str) -> None:
    data = json.loads(TEXT)
    place = data["programs"]["grad"]
    level, _, rest = path.partition(".")
    keys = [level, *(["donated.bytes"] if rest == "donated.bytes" else rest.split("."))]
    for key in keys[:-1]:
        place = place[int(key) if key.isdigit() else key]
    place[keys[-1]] = value
    with pytest.raises(UsageError) as refused:
        loads(json.dumps(data), "stored.json")
    assert refused.value.exit_code == 2
    assert says in refused.value.message


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    with pytest.raises(UsageError):
        loads(TEXT.replace('"max_depth": 1', f'"max_depth": {number}'), "stored.json")


def test_the_record_itself_is_read() -> None:
    assert dumps(loads(TEXT, "stored.json")) == TEXT
