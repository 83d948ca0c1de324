"""The ``time`` command: a target that hangs, fails or fills the memory ends with its own code and the figures so far."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ltc_ir_cli.app import main

pytestmark = pytest.mark.early

TARGETS = """
import os
import signal
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

X = jnp.arange(4.0)

def good(x):
    print("said by Python")
    os.system("echo said by a shell")
    return jnp.sin(x).sum()

def eager(x):
    return not isinstance(x, jax.core.Tracer)

def hangs(x):
    def late(x):
        time.sleep(1000)
        return np.asarray(x)
    return jax.pure_callback(late, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

def fills(x):
    kept = []
    while eager(x):
        kept.append(np.ones(1 << 21))
        time.sleep(0.01)
    return x

def dies(x):
    if eager(x):
        os.kill(os.getpid(), signal.SIGSEGV)
    return x

def leaves(x):
    if eager(x):
        os._exit(3)
    return x

def fails(x):
    if eager(x):
        raise RuntimeError("the file is gone")
    return x

def waits(x):
    if eager(x):
        print("here", file=sys.stderr, flush=True)
        time.sleep(1000)
    return x

good_args = hangs_args = fills_args = dies_args = leaves_args = fails_args = waits_args = (X,)
"""

QUICK = ["--repeat", "2", "--limit", "5", "--format", "json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("timing")
    (made / "slow.py").write_text(TARGETS, encoding="utf-8")
    return made


def start(folder: Path, *argv: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ltc_ir_cli", "time", *argv]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LTC_IR_")}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(folder: Path, *argv: str) -> tuple[int, str, str]:
    child = start(folder, *argv)
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def has(stages: dict[str, object]) -> set[str]:
    return {name for name, stage in stages.items() if stage is not None}


@pytest.mark.versions
def test_what_the_target_prints_goes_to_stderr_and_json_to_stdout(folder):
    code, out, err = run(folder, "slow.py:good", "--program", "forward", *QUICK)
    assert code == 0, err
    data = json.loads(out)
    made = data["programs"]["forward"]
    assert has(made["stages"]) == {"trace", "lower", "compile", "first", "steady", "eager"}
    assert all(stage["runs"] == 2 for stage in made["stages"].values())
    assert "said by Python" in err
    assert "said by a shell" in err
    assert data["machine"]["load_after"] is not None
    assert data["settings"]["apart"]
    if sys.platform == "linux":
        assert made["memory"]["compile"]["peak_bytes"] > 50 << 20
        assert made["memory"]["run"]["peak_bytes"] > 50 << 20


@pytest.mark.parametrize(
    ("name", "bounds", "code", "stage", "words"),
    [
        ("hangs", ("--timeout", "8"), 5, "first", "was not done after 8 s (--timeout)"),
        ("fills", ("--memory", "1GiB"), 5, "eager", "allowed are 1,024 (--memory)"),
        ("dies", (), 4, "eager", "its process did not survive (SIGSEGV)"),
        ("leaves", (), 4, "eager", "it ended its process (exit 3)"),
        ("fails", (), 4, "eager", "failed to run: RuntimeError: the file is gone"),
    ],
)
def test_what_ends_a_target_has_its_own_code_and_leaves_the_figures_so_far(folder, name, bounds, code, stage, words):
    if name == "fills" and sys.platform != "linux":
        pytest.skip("the memory of another process is read on Linux only")
    actual, out, err = run(folder, f"slow.py:{name}", "-p", "forward", *QUICK, *bounds)
    assert actual == code, err
    assert f"error: slow.py:{name} forward" in err
    assert words in err
    assert "Traceback (most recent" not in err
    data = json.loads(out)
    made = data["programs"]["forward"]
    assert {"trace", "lower", "compile"} <= has(made["stages"])
    assert made["stages"][stage] is None
    assert words in made["reasons"][stage]
    assert (data["ended"]["code"], data["ended"]["stage"]) == (code, stage)


def test_an_interrupt_shows_the_figures_so_far_on_stderr(folder):
    child = start(folder, "slow.py:waits", "-p", "forward", "--repeat", "2")
    assert child.stderr
    said = ""
    while "here" not in said:
        said += child.stderr.readline()
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert out == ""
    assert "slow.py:waits forward" in err
    assert "compile" in err
    assert err.rstrip().endswith("interrupted")


@pytest.mark.versions
def test_several_targets_stand_in_one_table(folder):
    argv = ["slow.py:good", "slow.py:fails", "ctrnn", "-p", "forward", "--repeat", "1", "--no-eager", "--format", "csv"]
    code, out, err = run(folder, *argv)
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["target"] for row in rows] == ["slow.py:good", "slow.py:fails", "ctrnn"]
    assert all(float(row["steady_s"]) > 0 and row["eager_s"] == "" for row in rows)


def test_one_target_that_fails_leaves_the_others(folder):
    code, out, err = run(folder, "slow.py:fails", "slow.py:good", "-p", "forward", *QUICK)
    assert code == 4, err
    assert [one["target"] for one in json.loads(out)["timings"]] == ["slow.py:fails", "slow.py:good"]
    assert has(json.loads(out)["timings"][1]["programs"]["forward"]["stages"]) >= {"eager", "steady"}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nosuch"], "unknown target 'nosuch'"),
        (["slow.py:good", "-p", "loss"], "no program 'loss'"),
        (["step.mlir"], "is a stored file, which cannot be run"),
        (["--confidence", "100"], "cannot time with a confidence of 100%"),
        (["--limit", "0"], "0 is no time that a limit could be"),
        (["--memory", "3x"], "'3x' is no size"),
        (["--fill", "ones"], "cannot fill with 'ones'"),
        (["--format", "xml"], "unknown format 'xml'"),
        (["slow.py:good", "slow.py:fails", "--args", "f32[3]"], "--args is about one target, not 2"),
        (["--platform", "tpu"], "timing for tpu needs a tpu device"),
    ],
)
def test_bad_usage_is_said_in_two_lines(folder, argv, words, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = main(["time", *argv])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    assert words in err
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"]
