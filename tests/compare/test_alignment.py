"""Alignments are matches in order, as long as they can be where nothing bounds them, and quick where difflib is not."""

from __future__ import annotations

import random
import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.compare.text.align import _myers, align

texts = st.lists(st.integers(0, 4), max_size=14)


def longest(a: list[int], b: list[int]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            table[i][j] = table[i + 1][j + 1] + 1 if a[i] == b[j] else max(table[i + 1][j], table[i][j + 1])
    return table[0][0]


def is_alignment(pairs: list[tuple[int, int]], a: list[int], b: list[int]) -> bool:
    rising = all(x[0] < y[0] and x[1] < y[1] for x, y in pairwise(pairs))
    return rising and all(a[i] == b[j] for i, j in pairs)


@given(texts, texts)
def test_an_alignment_pairs_equal_items_in_order(a: list[int], b: list[int]) -> None:
    assert is_alignment(align(a, b), a, b)


@given(texts, texts)
def test_the_edit_script_between_anchors_is_a_shortest_one(a: list[int], b: list[int]) -> None:
    pairs, edits = _myers(a, b, (0, len(a), 0, len(b)), 99)
    assert is_alignment(sorted(pairs), a, b)
    assert len(pairs) == longest(a, b)
    assert edits == len(a) + len(b) - 2 * len(pairs)


@given(st.lists(st.integers(), max_size=20, unique=True), st.integers(0, 20))
def test_one_inserted_item_is_one_item_unpaired(a: list[int], where: int) -> None:
    b = [*a[:where], -(10**9), *a[where:]]
    assert len(align(a, b)) == len(a)


def test_a_hundred_thousand_repeating_lines_take_seconds() -> None:
    chance = random.Random(0)
    a = [chance.randint(0, 50) for _ in range(100_000)]
    b = list(a)
    for _ in range(200):
        b.insert(chance.randrange(len(b)), 99)
    began = time.perf_counter()
    assert len(align(a, b)) == len(a)
    align(a, [chance.randint(0, 50) for _ in range(100_000)])
    assert time.perf_counter() - began < 30  # minutes with difflib; about 4 s here
