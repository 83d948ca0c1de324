"""Holds how much is attributed: pooled over the programs of known lines and those of the catalogue, as the page has it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.registry import JAX
from tests.tables.attribution_shares import Pool, is_of_known_truth, pooled, share

pytestmark = [pytest.mark.versions, pytest.mark.long, pytest.mark.usefixtures("quick_compile")]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "counting.md"
TRIED = {(0, 6), (0, 10), (0, 12)}
LEAST = {"stablehlo": 0.97, "hlo": 0.95}


@pytest.fixture(scope="module")
def pool(quick_compile: None) -> Pool:
    return pooled()


@pytest.mark.parametrize("level", LEAST)
def test_nearly_all_that_equations_became_is_attributed(pool: Pool, level: str) -> None:
    known_truth = {name: found for name, found in pool[level].items() if is_of_known_truth(name)}
    assert len(known_truth) >= 29
    assert share(known_truth.values()) >= LEAST[level]
    assert share(pool[level].values()) >= LEAST[level]


def test_the_page_has_the_shares_of_this_jax(pool: Pool) -> None:
    shares = " | ".join(f"{math.floor(1000 * share(pool[level].values())) / 10} %" for level in LEAST)
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| 0.")]
    this = f"| {JAX[0]}.{JAX[1]} | {shares} |"
    assert this in rows or JAX[:2] not in TRIED
