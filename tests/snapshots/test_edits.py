"""What counts as a change: edits of small programs, what a check says of each, and what it passes over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.snapshots.edits import (
    CONVOLUTION,
    CONVOLVED,
    HARMLESS,
    MEANINGFUL,
    OF_SYMBOLIC_SIZES,
    SHARDED,
    STEP,
    SYMBOLIC,
    faults,
)

pytestmark = pytest.mark.versions


def test_what_means_the_same_matches_in_silence(tmp_path: Path) -> None:
    assert len(HARMLESS) >= 20
    assert not faults(STEP, HARMLESS, tmp_path)


def test_what_means_another_program_is_named_and_classified(tmp_path: Path) -> None:
    assert len(MEANINGFUL) + len(CONVOLVED) + len(SHARDED) >= 20
    assert not faults(STEP, MEANINGFUL, tmp_path)


def test_wider_convolutions_and_carries_are_growth(tmp_path: Path) -> None:
    assert not faults(CONVOLUTION, CONVOLVED, tmp_path)


def test_symbolic_sizes_are_types_as_any(tmp_path: Path) -> None:
    assert not faults(SYMBOLIC, OF_SYMBOLIC_SIZES, tmp_path)


def test_shardings_donations_and_collectives_on_four_devices() -> None:
    child = [sys.executable, "-m", "tests.snapshots.edits_child"]
    ran = subprocess.run(child, check=False, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr[-2000:]
