"""The notebooks run from top to bottom and store no output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path):
    names: dict[str, Any] = {}
    for cell in code_cells(path):
        exec("".join(cell["source"]), names)
    assert (names["forward"], names["backward"]) == (3, 5)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(path))
