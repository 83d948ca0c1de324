"""Aligns the lines of two long texts in time that stays near linear; difflib is quadratic or worse.

Common ends are cut off, then lines that are unique on both sides anchor the rest (patience), alone or as runs of lines where
lines repeat, as they do in IR; between anchors the shortest edit script is found (E. W. Myers, "An O(ND) Difference Algorithm
and Its Variations", 1986), up to a bound past which a stretch counts as replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from math import isqrt

STEPS = 4_000_000
"""The steps spent on edit scripts, about a second; one of n edits takes n² of them, and n² / 2 numbers of memory."""

_RUNS = (1, 4, 16)

Pairs = list[tuple[int, int]]


def align(a: Sequence[int], b: Sequence[int]) -> Pairs:
    """Pairs of positions of equal items, rising on both sides.

    Args:
        a: one text, each distinct line a number.
        b: the other, equal lines with equal numbers.
    """
    pairs: Pairs = []
    pending = [(0, len(a), 0, len(b))]
    steps = STEPS
    while pending:
        box = pending.pop()
        start, stop = _ends(a, b, box)
        pairs += start + stop
        inner = (box[0] + len(start), box[1] - len(stop), box[2] + len(start), box[3] - len(stop))
        if inner[0] == inner[1] or inner[2] == inner[3]:
            continue
        anchors = _anchors(a, b, inner)
        if anchors:
            pairs += anchors
            pending += _between(anchors, inner)
        else:
            matched, edits = _myers(a, b, inner, isqrt(max(steps, 0)))
            pairs += matched
            steps -= edits * edits
    return sorted(pairs)


Box = tuple[int, int, int, int]


def _ends(a: Sequence[int], b: Sequence[int], box: Box) -> tuple[Pairs, Pairs]:
    """The common beginning and end of a box."""
    i, i_end, j, j_end = box
    start: Pairs = []
    while i < i_end and j < j_end and a[i] == b[j]:
        start.append((i, j))
        i, j = i + 1, j + 1
    stop: Pairs = []
    while i < i_end and j < j_end and a[i_end - 1] == b[j_end - 1]:
        i_end, j_end = i_end - 1, j_end - 1
        stop.append((i_end, j_end))
    return start, stop


def _anchors(a: Sequence[int], b: Sequence[int], box: Box) -> Pairs:
    """Positions of what is unique on both sides, in the longest order both share: the shortest runs that give any."""
    for run in _RUNS:
        left, right = _unique(a, box[0], box[1], run), _unique(b, box[2], box[3], run)
        rising = _rising(sorted((left[key], right[key]) for key in left.keys() & right.keys()))
        if rising:
            return rising
    return []


def _unique(items: Sequence[int], start: int, stop: int, run: int) -> dict[tuple[int, ...], int]:
    runs = list(zip(*(items[start + shift : stop] for shift in range(run)), strict=False))
    times = Counter(runs)
    return {key: start + number for number, key in enumerate(runs) if times[key] == 1}


def _rising(pairs: Pairs) -> Pairs:
    """The longest subsequence that rises on both sides (patience sorting)."""
    tops: list[int] = []
    heads: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        before.append(heads[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(j)
            heads.append(number)
        else:
            tops[pile], heads[pile] = j, number
    chain: Pairs = []
    number = heads[-1] if heads else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]


def _between(anchors: Pairs, box: Box) -> Iterator[Box]:
    i, j = box[0], box[2]
    for left, right in [*anchors, (box[1], box[3])]:
        if i < left and j < right:
            yield (i, left, j, right)
        i, j = left + 1, right + 1


def _myers(a: Sequence[int], b: Sequence[int], box: Box, most: int) -> tuple[Pairs, int]:
    """The pairs of a shortest edit script and its length; no pairs where it would be longer than ``most``."""
    left, right = a[box[0] : box[1]], b[box[2] : box[3]]
    trace: list[dict[int, int]] = []
    reach = {1: 0}
    for edits in range(min(most, len(left) + len(right)) + 1):
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            while x < len(left) and 0 <= x - k < len(right) and left[x] == right[x - k]:
                x += 1
            reach[k] = x
            if x >= len(left) and x - k >= len(right):
                walked = _walk_back(trace, len(left), len(right))
                return [(box[0] + i, box[2] + j) for i, j in walked], edits
        trace.append({k: reach[k] for k in range(-edits, edits + 1, 2)})
    return [], len(trace)


def _walk_back(trace: list[dict[int, int]], x: int, y: int) -> Pairs:
    pairs: Pairs = []
    for edits in range(len(trace), 0, -1):
        reach, k = trace[edits - 1], x - y
        down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
        k_before = k + 1 if down else k - 1
        x_before = reach[k_before]
        y_before = x_before - k_before
        x_from = x_before if down else x_before + 1
        while x > x_from:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = x_before, y_before
    pairs += [(number, number) for number in range(min(x, y))]
    return pairs
