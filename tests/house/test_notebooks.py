"""The notebooks run from top to bottom and store no output."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltc_ir import compat
from ltc_ir.lab.models import MODELS
from ltc_ir.records.timing import COLD, STAGES
from tests.quick_compile import quick_compile

pytestmark = pytest.mark.early

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
HAS_PASSES = compat.profile_data() is not None


def ran_by_values(table: Any) -> bool:
    """The same products stand in both runs of the LTC, and how many ran is the values' doing."""
    zeros, own = table.loc["zeros"], table.loc["own values"]
    return zeros["stands"] == own["stands"] == 55 < zeros["ran"] < own["ran"]


def steps_of_both(found: Any) -> bool:
    """Each of the solver's two loops is there, entered per interval, and accepts no more steps than it tried."""
    return all(
        made.loc[(phase, "while"), "entered"] == 99
        and made.loc[(phase, "while"), "iterations"] == made.loc[(phase, "select le"), "entered"]
        and made.loc[(phase, "select le"), "iterations"] <= made.loc[(phase, "select le"), "entered"]
        for made in found
        for phase in ("forward", "backward")
    )


def timed(made: Any) -> bool:
    """Every stage was measured, and a number of calls pays for the compile or a reason says why none does."""
    calls, why = made.break_even_calls, made.why_no_break_even
    told = isinstance(calls, int) if why is None else calls is None
    return told and list(made.stages) == list(STAGES) and all(made.stages.values()) and made.cause.stage in COLD


def by_pass(made: Any) -> bool:
    """The compile by pass with the kernels' lines and phases, or the reason why this JAX has none."""
    if made.passes is None:
        return not HAS_PASSES and "passes" in made.reasons
    named = [kernel for kernel in made.passes.kernels if kernel.source and kernel.phase]
    return HAS_PASSES and made.passes.times[0].path == ("compile",) and len(named) > 8


def learnt(found: Any) -> bool:
    """Both seeds were trained from different draws, and each loss is finite throughout and lower at the end."""
    curves = [made.losses for made in found.values()]
    told = all(np.isfinite(curve).all() and curve[-1] < curve[0] for curve in curves)
    return told and len(curves) == 2 and curves[0][0] != curves[1][0]


FOUND: dict[str, dict[str, Any]] = {
    "tour": {"forward": 3, "backward": 5},
    "01_models": {
        "off_closed_form": lambda found: len(found) == 5 and max(found.values()) < 1e-6,
        "splits": {"train": (100, 2), "test": (100, 2), "validation": (100, 2)},
        "counts": {"ltc": 184, "ctrnn": 96, "node": 160},
        "rates": lambda found: {name: rate.shape for name, rate in found.items()} == dict.fromkeys(MODELS, (8,)),
        "rate_off": lambda off: off < 1e-5,
        "states": lambda made: made.shape == (100, 8) and not made[0].any() and np.isfinite(made).all(),
        "taus": lambda made: made.shape == (100, 8) and (made > 1).all(),
        "slope_off": lambda off: off < 0.1,
        "adam_off": lambda off: off < 1e-6,
        "losses_by_hand": lambda made: made[1] < made[0],
        "trained": learnt,
        "errors": lambda table: table.shape == (5, 2) and np.isfinite(table.to_numpy()).all(),
    },
    "02_levels": {
        "small_products": {"forward": {"stands": 1, "ran": 20}, "grad": {"stands": 3, "ran": 60}},
        "small_how": "static",
        "products": {"forward": 16, "backward": 39},
        "headline": lambda table: table.loc["dot_general"].to_dict() == {"forward": 16, "grad": 55},
        "ltc_products": ran_by_values,
        "solver_steps": lambda found: steps_of_both(found.values()),
    },
    "03_compile_and_step": {
        "timing": lambda timing: (
            list(timing.programs) == ["forward", "grad"] and all(map(timed, timing.programs.values()))
        ),
        "step": lambda made: timed(made) and by_pass(made),
        "exponents": lambda found: min(found["unrolled"].values()) > 0.8 and not any(found["scanned"].values()),
    },
    "04_guarding": {
        "products": {"forward": 1, "backward": 2},
        "loops": {"forward": 1, "grad": 2},
        "codes": [0, 0, 1, 1, 0, 0],
        "verdicts": {("total +20%",): 1, ("total +5000%",): 0, ("total +5000%", "while = 1"): 1},
    },
}
"""What the names of each notebook hold at its end: a value, or what is true of it. No figure of time is held to anything."""


QUICK = {"02_levels", "04_guarding"}
"""Those that compile for the HLO alone."""


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def holds(found: Any, expected: Any) -> bool:
    return bool(expected(found)) if callable(expected) else found == expected


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # where an update refuses to write
    monkeypatch.setenv("MPLBACKEND", "agg")  # a picture needs no screen
    names: dict[str, Any] = {}
    with quick_compile() if path.stem in QUICK else nullcontext():
        for cell in code_cells(path):
            exec("".join(cell["source"]), names)
    wrong = {name: names[name] for name, expected in FOUND[path.stem].items() if not holds(names[name], expected)}
    assert wrong == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(path))
