"""Makes the published data sets from the closed form, seeded, and stores them with their parameters."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltc_ir.errors import UsageError
from ltc_ir.files import read_bytes
from ltc_ir.lab.physics import oscillator
from ltc_ir.writing import write_whole

ZETAS = (0.1, 0.3, 0.5, 0.8, 1.2)
"""The published damping ratios; 1 is critical, so 0.8 is underdamped, whatever the publication calls it."""
SWITCHES = ((0.1, 1.2), (1.2, 0.1), (0.3, 0.8), (0.8, 0.3))
"""The published changes of the damping ratio at `SWITCH_TIME`."""
POINTS, END, SWITCH_TIME = 200, 20.0, 10.0
"""Points of a series, the time of its last, and of the switch; the first is at 0."""
NOISE = 0.01
"""The standard deviation of the noisy copy."""
SEED = 42
"""The published seed. The authors' random stream is Julia's, so noise is like theirs, and never theirs."""
KIND = "ltc-ir data 1"

Floats = NDArray[np.float32]


class Split(NamedTuple):
    """Every other point of a series: times (N,), the clean states [u, u'] (N, 2) and the noisy ones (N, 2)."""

    times: Floats
    clean: Floats
    noisy: Floats


@dataclass(frozen=True, eq=False)
class Series:
    """One trajectory of the oscillator, from rest at u = 1.

    Args:
        name: what it is called in files and tables, such as ``0.3`` or ``0.3 -> 0.8``.
        zetas: its damping ratio; of a switch the one before and the one after.
        seed: of the noise.
        times: (N,), float32.
        clean: [u, u'] (N, 2), computed in float64 from the closed form, stored as float32.
        noisy: the same with noise of `NOISE` added.

    """

    name: str
    zetas: tuple[float, ...]
    seed: int
    times: Floats
    clean: Floats
    noisy: Floats

    @cached_property
    def train(self) -> Split:
        """The points in even places, from the first."""
        return Split(self.times[::2], self.clean[::2], self.noisy[::2])

    @cached_property
    def test(self) -> Split:
        """The points in odd places."""
        return Split(self.times[1::2], self.clean[1::2], self.noisy[1::2])

    @cached_property
    def validation(self) -> Split:
        """Points halfway between each training point and the next test point: seen by neither; there is no noisy copy."""
        before, after = self.train.times.astype(np.float64), self.test.times.astype(np.float64)
        times = (before + after) / 2
        clean = exact(times, self.zetas).astype(np.float32)
        return Split(times.astype(np.float32), clean, clean)


def exact(times: NDArray[np.float64], zetas: tuple[float, ...]) -> NDArray[np.float64]:
    """The states (T, 2) at ``times`` (T,), in float64; with two ratios the second holds from `SWITCH_TIME` on."""
    states = oscillator(times, zetas[0])
    if len(zetas) == 2:
        (u, v), = oscillator(np.array([SWITCH_TIME]), zetas[0])  # fmt: skip
        after = times > SWITCH_TIME
        states[after] = oscillator(times[after] - SWITCH_TIME, zetas[1], (u, v))
    return states


def oscillator_set(seed: int = SEED) -> dict[str, Series]:
    """The series of each damping ratio, `POINTS` equally spaced points from 0 to `END`."""
    times = np.linspace(0.0, END, POINTS)
    return {f"{zeta:g}": _make_series((zeta,), times, seed) for zeta in ZETAS}


def switch_set(seed: int = SEED) -> dict[str, Series]:
    """The series of each switch: half the points on [0, 10], then the last half of as many and one on [10, 20]."""
    half = POINTS // 2
    times = np.concatenate([np.linspace(0.0, SWITCH_TIME, half), np.linspace(SWITCH_TIME, END, half + 1)[1:]])
    return {switch_name(*zetas): _make_series(zetas, times, seed) for zetas in SWITCHES}


@cache
def oscillators() -> dict[str, Series]:
    """The published oscillator series."""
    return oscillator_set()


@cache
def switches() -> dict[str, Series]:
    """The published switch series."""
    return switch_set()


def switches_from(own: str) -> list[Series]:
    """The switches that start from a damping ratio."""
    return [series for series in switches().values() if f"{series.zetas[0]:g}" == own]


def switch_name(before: float, after: float) -> str:
    """What a switch is called."""
    return f"{before:g} -> {after:g}"


def _make_series(zetas: tuple[float, ...], times: NDArray[np.float64], seed: int) -> Series:
    clean = exact(times, zetas)
    noise = np.random.default_rng([seed, *(round(1000 * zeta) for zeta in zetas)]).standard_normal(clean.shape)
    name = switch_name(*zetas) if len(zetas) == 2 else f"{zetas[0]:g}"
    stored = (array.astype(np.float32) for array in (times, clean, clean + NOISE * noise))
    return Series(name, zetas, seed, *stored)


def save(path: str, sets: Mapping[str, Series]) -> None:
    """Keep series in an NPZ file, whole or not at all, with what they were made of."""
    arrays: dict[str, Any] = {}
    about = []
    for number, series in enumerate(sets.values()):
        about.append({"name": series.name, "zetas": list(series.zetas), "seed": series.seed})
        arrays |= {f"{number}.{part}": getattr(series, part) for part in ("times", "clean", "noisy")}
    description = {"kind": KIND, "noise": NOISE, "equation": "u'' + 2 zeta u' + u = 0", "series": about}
    file = io.BytesIO()
    np.savez(file, about=np.frombuffer(json.dumps(description, sort_keys=True).encode(), np.uint8), **arrays)
    write_whole(path, file.getvalue(), folders=True)


def load(path: str) -> dict[str, Series]:
    """The series of an NPZ file.

    Raises:
        UsageError: the file is not there, or is none of ours.

    """
    data = read_bytes(path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            description = json.loads(arrays["about"].tobytes())
            if description["kind"] != KIND:
                raise ValueError(description["kind"])
            return {
                about["name"]: _load_series(number, about, arrays) for number, about in enumerate(description["series"])
            }
    except Exception as error:
        raise UsageError(f"{path} holds no data of ours", "make it with ltc_ir.lab.data.save") from error


def _load_series(number: int, about: Mapping[str, Any], arrays: Any) -> Series:
    parts = [arrays[f"{number}.{part}"] for part in ("times", "clean", "noisy")]
    points = len(parts[0])
    if [part.shape for part in parts] != [(points,), (points, 2), (points, 2)]:
        raise ValueError(about["name"])
    return Series(about["name"], tuple(about["zetas"]), about["seed"], *parts)


COLUMNS = ("series", "split", "time", "u", "v", "u_noisy", "v_noisy")


def to_csv(sets: Mapping[str, Series]) -> str:
    """The series as CSV, a point a line, in the order of time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for series in sets.values():
        for number, (time, clean, noisy) in enumerate(zip(series.times, series.clean, series.noisy, strict=True)):
            split = "test" if number % 2 else "train"
            writer.writerow([series.name, split, *map(str, (time, *clean, *noisy))])
    return text.getvalue()
