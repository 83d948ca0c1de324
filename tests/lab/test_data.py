"""The data sets: exact in every point, seeded, split as published, and back from a file as they were."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from ltc_ir.errors import UsageError
from ltc_ir.lab import data
from ltc_ir.lab.data import NOISE, SWITCHES, ZETAS, Series, oscillator_set, switch_set

ALL = {**oscillator_set(), **switch_set()}
EACH = pytest.mark.parametrize("series", ALL.values(), ids=ALL)


def integrated(times: np.ndarray, zetas: tuple[float, ...]) -> np.ndarray:
    """The states at ``times`` by SciPy's integrator of order 8, the ratio switched where it is due."""
    from scipy.integrate import solve_ivp

    def between(start: list[float], first: float, last: float, zeta: float, at: np.ndarray) -> np.ndarray:
        made = solve_ivp(
            lambda _, s: [s[1], -2 * zeta * s[1] - s[0]], (first, last), start, "DOP853", at, rtol=1e-12, atol=1e-13
        )
        return made.y.T

    if len(zetas) == 1:
        return between([1.0, 0.0], 0.0, 20.0, zetas[0], times)
    before, after = times[times <= data.SWITCH_TIME], times[times > data.SWITCH_TIME]
    first = between([1.0, 0.0], 0.0, data.SWITCH_TIME, zetas[0], before)
    assert before[-1] == data.SWITCH_TIME
    return np.concatenate([first, between([*first[-1]], data.SWITCH_TIME, 20.0, zetas[1], after)])


@EACH
def test_clean_data_are_exact_in_every_point(series: Series):
    half = np.linspace(0, 10, 100), np.linspace(10, 20, 101)[1:]
    times = np.linspace(0, 20, 200) if len(series.zetas) == 1 else np.concatenate(half)
    np.testing.assert_allclose(series.times, times, atol=1e-6)
    assert series.clean.dtype == np.float32
    np.testing.assert_allclose(series.clean, integrated(times, series.zetas), atol=1e-6, rtol=0)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", ["0.1", "0.1 -> 1.2"])
def test_diffrax_solves_them_alike(name: str):
    """The published solver, Tsit5, at the published tolerance."""
    series = ALL[name]
    diffrax = pytest.importorskip("diffrax")
    import jax
    import jax.numpy as jnp

    def solved(start, first, last, zeta, at):
        term = diffrax.ODETerm(lambda t, s, _: jnp.stack([s[1], -2 * zeta * s[1] - s[0]]))
        kept = diffrax.SaveAt(ts=jnp.asarray(at))
        control = diffrax.PIDController(rtol=1e-8, atol=1e-8)
        made = diffrax.diffeqsolve(
            term, diffrax.Tsit5(), first, last, 0.01, jnp.asarray(start), saveat=kept, stepsize_controller=control,
            max_steps=100_000,
        )  # fmt: skip
        return np.asarray(made.ys)

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        times = series.times.astype(np.float64)
        if len(series.zetas) == 1:
            found = solved([1.0, 0.0], 0.0, 20.0, series.zetas[0], times)
        else:
            first = solved([1.0, 0.0], 0.0, 10.0, series.zetas[0], times[:100])
            found = np.concatenate([first, solved(first[-1], 10.0, 20.0, series.zetas[1], times[100:])])
    finally:
        jax.config.update("jax_enable_x64", before)
    np.testing.assert_allclose(series.clean, found, atol=2e-6, rtol=0)


@EACH
def test_the_splits_share_no_point(series: Series):
    assert [len(split.times) for split in (series.train, series.test, series.validation)] == [100, 100, 100]
    assert series.train.times[0] == 0
    np.testing.assert_array_equal(np.sort([*series.train.times, *series.test.times]), series.times)
    assert not {*series.validation.times} & {*series.times}
    assert (series.validation.times > series.train.times).all() and (series.validation.times < series.test.times).all()
    found = data.exact(series.validation.times.astype(np.float64), series.zetas)
    np.testing.assert_allclose(series.validation.clean, found, atol=1e-6)


@EACH
def test_noise_is_small_seeded_and_of_its_own(series: Series):
    noise = series.noisy - series.clean
    assert 0.8 * NOISE < noise.std() < 1.2 * NOISE
    again = {**oscillator_set(), **switch_set()}[series.name]
    np.testing.assert_array_equal(series.noisy, again.noisy)
    other = {**oscillator_set(7), **switch_set(7)}[series.name]
    assert (other.noisy != series.noisy).any()
    assert all((one.noisy - one.clean != noise).any() for one in ALL.values() if one is not series)


def test_there_is_a_series_for_each_ratio_and_each_switch():
    assert list(oscillator_set()) == ["0.1", "0.3", "0.5", "0.8", "1.2"]
    assert list(switch_set()) == ["0.1 -> 1.2", "1.2 -> 0.1", "0.3 -> 0.8", "0.8 -> 0.3"]
    assert len(ALL) == len(ZETAS) + len(SWITCHES)


def test_a_file_gives_back_what_was_kept(tmp_path: Path):
    path = str(tmp_path / "data.npz")
    data.save(path, ALL)
    found = data.load(path)
    assert list(found) == list(ALL)
    for name, series in ALL.items():
        assert (found[name].zetas, found[name].seed) == (series.zetas, series.seed)
        for part in ("times", "clean", "noisy"):
            np.testing.assert_array_equal(getattr(found[name], part), getattr(series, part))


@pytest.mark.parametrize("held", [b"", b"PK\x03\x04 nothing", None])
def test_a_file_of_something_else_is_refused(held: bytes | None, tmp_path: Path):
    path = tmp_path / "data.npz"
    if held is None:
        np.savez(path, times=np.zeros(3))
    else:
        path.write_bytes(held)
    with pytest.raises(UsageError, match=r"data.npz holds no data of ours"):
        data.load(str(path))


def test_series_of_another_form_are_refused(tmp_path: Path):
    path = tmp_path / "data.npz"
    data.save(str(path), ALL)
    np.savez(path, **(dict(np.load(path)) | {"0.clean": np.zeros((3, 7), np.float32)}))
    with pytest.raises(UsageError, match=r"data.npz holds no data of ours"):
        data.load(str(path))


def test_csv_holds_every_point():
    rows = list(csv.DictReader(io.StringIO(data.to_csv(ALL))))
    assert len(rows) == 200 * len(ALL)
    assert [row["split"] for row in rows[:3]] == ["train", "test", "train"]
    assert np.float32(rows[1]["u_noisy"]) == ALL["0.1"].noisy[1, 0]
