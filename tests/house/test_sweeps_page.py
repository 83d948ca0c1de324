"""The timed sweep on the page of sweeps is its data, and its pictures are drawn from them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from benchmarks.sweeps import COMMAND, PAGE, PICTURES, blocks, stored

TEXT = PAGE.read_text(encoding="utf-8")
SWEEP = stored()


def test_the_table_and_the_command_are_those_of_the_stored_sweep():
    for name, block in blocks(SWEEP).items():
        assert f"<!-- {name}: begin -->\n{block}\n<!-- {name}: end -->" in TEXT, "python -m benchmarks.sweeps --update"
    assert f"--sweep {SWEEP.parameter}={','.join(map(str, SWEEP.values))}" in COMMAND
    assert SWEEP.target in COMMAND and set(SWEEP.programs) == {"grad"}


@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_shows_the_fitted_growth(dark: bool):
    text = PICTURES[dark].read_text(encoding="utf-8")
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    written = " ".join(re.findall(r"<!-- (.*?) -->", text))
    growth = SWEEP.programs["grad"].growth["hlo"]
    assert f"n^{growth.exponent:.2f} ({growth.low:.2f} to {growth.high:.2f})" in written
    assert PICTURES[dark].relative_to(PAGE.parent).as_posix() in TEXT
