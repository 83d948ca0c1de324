"""Decides when there are enough runs: the order-statistics interval of a median, and a loop until it is narrow."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ltc_ir.records.timing import Settings, Stage

SECOND = 1_000_000_000
RESERVED, ONE_MORE = 0.1, 0.25
"""Shares of the allowed seconds that remain when these are used up: for each kind of calls, and the longest first call that
is repeated once, because a first call does not predict the next."""
MOST_RUNS = 1_000
"""The most runs of a stage, however much they vary."""
Clock = Callable[[], int]
"""Returns nanoseconds, as `time.perf_counter_ns` does."""


@lru_cache(maxsize=4096)
def rank(runs: int, confidence: float) -> int | None:
    """The rank, from either end, of the values that enclose the median with this confidence; ``None`` with too few runs.

    The number of values below the median is binomial, whatever their distribution: with five runs the least and the
    greatest enclose it in 15 of 16 cases.
    """
    outside, highest, below = math.floor((1 - confidence) * 2 ** (runs - 1)), None, 0
    for number in range(runs // 2 + 1):
        below += math.comb(runs, number)
        if below > outside:
            break
        highest = number
    return highest


def interval(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """The interval that holds the median of the sampled distribution with at least this confidence; ``None`` with too few."""
    at = rank(len(values), confidence)
    if at is None:
        return None
    ordered = sorted(values)
    return ordered[at], ordered[-1 - at]


def is_narrow(values: Sequence[float], settings: Settings) -> bool:
    """Whether the interval of the median is as narrow as the settings require."""
    bounds = interval(values, settings.confidence)
    if bounds is None:
        return False
    middle = statistics.median(values)
    return middle - bounds[0] <= settings.within * middle and bounds[1] - middle <= settings.within * middle


def summarize(
    values: Sequence[float],
    settings: Settings,
    stopped: str | None = None,
    *,
    calls: int = 1,
    warmup_s: float | None = None,
) -> Stage:
    """The seconds of a stage over its runs."""
    low, high = interval(values, settings.confidence) or (None, None)
    enough = is_narrow(values, settings)
    return Stage(
        statistics.median(values), min(values), max(values), len(values), low, high, enough,
        None if enough else stopped, calls, warmup_s,
    )  # fmt: skip


def summarize_series(
    series: Mapping[str, list[float]], warmups: Mapping[str, float], settings: Settings, stopped: str | None
) -> dict[str, Stage]:
    """A stage for each series; where the time allowed no run after the first, that one is the stage."""
    stages = {}
    for name, values in series.items():
        if values:
            stages[name] = summarize(values, settings, stopped, warmup_s=warmups[name])
        else:
            stages[name] = summarize([warmups[name]], settings, f"{stopped}; only the first run in the process")
    return stages


@dataclass
class Until:
    """Decides whether another run follows: until every series is narrow, the requested runs are done, or the time is up.

    Args:
        settings: repeats, confidence, width and seconds.
        clock: returns nanoseconds.
        deadline: the time, by that clock, after which no further run may begin.
        span_s: the least seconds that the runs of short calls take together, so that a quiet moment does not bias them.
        reserve_s: a first run expected to take no longer is made although the time is up; ``None`` for never.
    """

    settings: Settings
    clock: Clock
    deadline: int
    span_s: float = 0.0
    reserve_s: float | None = None
    stopped: str | None = None

    def rounds(self, series: Mapping[str, Sequence[float]], calls: int = 1, expected_s: float = 0.0) -> Iterator[int]:
        """A number for each run; ``expected_s`` is the expected duration of the first one."""
        done = 0
        while not self._is_done(series, done, calls):
            longest = sum(values[-1] for values in series.values()) * calls if done else expected_s
            late = self.clock() + longest * SECOND > self.deadline
            if late and (done or self.reserve_s is None or longest > self.reserve_s):
                self.stopped = f"the limit of {self.settings.limit_s:g} s"
                return
            yield done
            done += 1

    def _is_done(self, series: Mapping[str, Sequence[float]], done: int, calls: int) -> bool:
        if self.settings.repeat is not None:
            self.stopped = f"--repeat {self.settings.repeat}"
            return done >= self.settings.repeat
        if done >= MOST_RUNS:
            self.stopped = f"{MOST_RUNS:,} runs"
            return True
        if done and sum(map(sum, series.values())) * calls < self.span_s:
            return False
        return done > 0 and all(is_narrow(values, self.settings) for values in series.values())
