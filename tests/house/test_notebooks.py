"""The notebooks run from top to bottom and store no output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
FOUND = {
    "tour": {"forward": 3, "backward": 5},
    "04_guarding": {
        "products": {"forward": 1, "backward": 2},
        "loops": {"forward": 1, "grad": 2},
        "codes": [0, 0, 1, 1, 0, 0],
        "verdicts": {("total +20%",): 1, ("total +5000%",): 0, ("total +5000%", "while = 1"): 1},
    },
}
"""What the names of each notebook hold at its end."""


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # where an update refuses to write
    names: dict[str, Any] = {}
    for cell in code_cells(path):
        exec("".join(cell["source"]), names)
    assert {name: names[name] for name in FOUND[path.stem]} == FOUND[path.stem]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(path))
