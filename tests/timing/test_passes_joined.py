"""``time --passes``: one more compile by pass stands beside the stages, in every format; without it there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir import compat
from ltc_ir.api import time as clocking
from ltc_ir.errors import UsageError
from ltc_ir.records.passes import Passes
from ltc_ir.records.serialization import dumps, loads, pack, unpack
from ltc_ir.records.timing import Ended, Timing
from ltc_ir.render.formats import FORMATS
from ltc_ir.targets.target import Target

pytestmark = pytest.mark.versions
reads = pytest.mark.skipif(compat.profile_data() is None, reason="this JAX has no jax.profiler.ProfileData")

WRITTEN = """
import jax.numpy as jnp

def tiny(x):
    return jnp.tanh(x @ x).sum()

def fails(x):
    raise RuntimeError("no")

tiny_args = fails_args = (jnp.ones((8, 8)),)
"""
QUICK = ("--repeat", "1", "--limit", "5", "--no-eager")


def tiny(x):
    return jnp.tanh(x @ x).sum()


def timed(programs: tuple[str, ...] = ("forward",), **asked: Any) -> Timing:
    target = Target(tiny, (jnp.ones((8, 8)),), name="tiny")
    return clocking.time(target, programs=programs, repeat=1, limit_s=5, eager=False, **asked)


def passes_in(timing: Timing) -> Passes:
    passes = timing.programs["forward"].passes
    assert passes is not None
    return passes


@pytest.fixture(scope="module")
def seen() -> Timing:
    return timed(passes=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("passes")
    (made / "net.py").write_text(WRITTEN, encoding="utf-8")
    return made


def run(folder: Path, *argv: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "ltc_ir_cli", "time", *argv]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def test_without_being_asked_for_there_are_no_passes():
    timing = timed()
    made = json.loads(dumps(timing))["programs"]["forward"]
    assert not {"passes", "kernels", "compiler"} & made.keys()
    assert "passes" not in made["reasons"]
    assert "by pass" not in FORMATS["time"]["markdown"]([timing])


@reads
def test_json_holds_the_tree_beside_the_stages_and_comes_back_without_its_timeline(seen):
    text = dumps(seen)
    made = json.loads(text)["programs"]["forward"]
    assert made["stages"]["compile"]["runs"] == 1
    assert {"thread", "path", "inclusive_s", "exclusive_s", "count"} <= made["passes"][0].keys()
    assert "algsimp" in {one["path"][-1] for one in made["passes"]}
    assert made["kernels"]
    assert "%" in made["compiler"]["sentence"]
    assert "timeline" not in made["compiler"]
    assert passes_in(loads(text, "here", Timing)) == replace(passes_in(seen), timeline=())


@reads
def test_what_one_process_tells_another_keeps_the_timeline(seen):
    told = json.loads(json.dumps(pack(seen)))
    assert passes_in(seen).timeline
    assert passes_in(unpack(told, Timing, "it")) == passes_in(seen)


@reads
def test_markdown_has_the_sentence_and_the_tables_with_as_many_rows_as_asked(seen):
    text = FORMATS["time"]["markdown"]([seen], top=2)
    assert f"tiny forward: compile: {passes_in(seen).sentence}" in text
    tree = text.split("compile by pass, thread")[1].split("\n\n")[1]
    assert len(tree.splitlines()) == 2 + 2


@reads
@pytest.mark.parametrize("format", ["folded", "speedscope", "chrome-trace"])
def test_formats_for_other_tools_hold_the_compile_alone(seen, format):
    assert "algsimp" in FORMATS["time"][format]([seen])


@reads
def test_a_target_by_name_brings_its_timeline_from_the_process_it_is_timed_in(folder):
    code, out, err = run(folder, "net.py:tiny", "-p", "forward", "--passes", "-f", "chrome-trace", *QUICK)
    assert code == 0, err
    events = json.loads(out)["traceEvents"]
    assert {"algsimp", "fusion"} <= {event["name"] for event in events}
    assert all(event["dur"] >= 0 for event in events if event["ph"] == "X")


@pytest.mark.skipif(compat.profile_data() is not None, reason="this JAX has jax.profiler.ProfileData")
def test_a_jax_that_cannot_read_its_profiles_says_so_and_the_stages_stand(folder, seen):
    made = json.loads(dumps(seen))["programs"]["forward"]
    why = f"JAX {jax.__version__} has no jax.profiler.ProfileData"
    assert made["passes"] is None
    assert made["reasons"]["passes"].startswith(why)
    assert made["stages"]["compile"]["runs"] == 1
    assert f"passes: {why}" in FORMATS["time"]["markdown"]([seen])
    code, out, err = run(folder, "net.py:tiny", "-p", "forward", "--passes", "-f", "speedscope", *QUICK)
    assert (code, out) == (2, "")
    assert f"error: no compile by pass: {why}" in err


def test_a_timing_that_was_cut_short_says_why_it_has_no_passes(seen):
    made = replace(seen.programs["forward"], passes=None, reasons={})
    short = replace(seen, programs={"forward": made}).closed(Ended(5, "it took too long"))
    data = json.loads(dumps(short))["programs"]["forward"]
    assert (data["passes"], data["reasons"]["passes"]) == (None, "not reached: it took too long")


def test_a_function_that_fails_before_its_passes_is_what_is_said(folder):
    code, out, err = run(folder, "net.py:fails", "-p", "forward", "--passes", "-f", "folded", *QUICK)
    assert (code, out) == (4, "")
    assert "RuntimeError: no" in err
    assert "by pass" not in err


def test_two_programs_in_a_format_of_one_are_refused(seen):
    with pytest.raises(UsageError, match="holds the compile of one program, not of 2"):
        FORMATS["time"]["folded"]([seen, seen])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("-p", "forward", "-f", "speedscope"), "speedscope holds a compile by pass, which was not asked for"),
        (("--passes", "-f", "folded"), "folded holds the compile of one program"),
        (("ctrnn", "-p", "forward", "--passes", "-f", "chrome-trace"), "chrome-trace holds the compile of one program"),
        (("--top", "3"), "--top shortens the tables of passes, and there are none"),
        (("--passes", "-f", "csv"), "CSV has a line a program, and no place for passes"),
    ],
)
def test_what_no_output_could_heed_is_refused_before_anything_is_timed(folder, argv, words):
    code, out, err = run(folder, "net.py:fails", *argv)
    assert (code, out) == (2, "")
    assert words in err
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"]
