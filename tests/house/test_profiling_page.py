"""The page of the profiling table is its data, its pictures are drawn from them, and what it says of them is so."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jax
import pytest

from benchmarks import profiling
from benchmarks.profiling import COMMAND, DATA, PAGE, PICTURES, PUBLISHED, blocks, filled, program, shown, stored
from ltc_ir.records.timing import STAGES, seconds
from ltc_ir.targets.derive import make_program
from ltc_ir.targets.find import find
from ltc_ir.timing.inputs import argument_values

pytestmark = pytest.mark.early

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [(target, name) for target in ("ltc", "ctrnn", "node") for name in ("forward", "train_step")]
TEXT = PAGE.read_text(encoding="utf-8")
FOUND = stored()


def test_every_block_of_the_page_is_what_the_stored_figures_render_to():
    made = blocks(FOUND)
    assert set(made) == set(re.findall(r"<!-- (\S+): begin -->", TEXT))
    for name, block in made.items():
        assert f"<!-- {name}: begin -->\n{block}\n<!-- {name}: end -->" in TEXT, (
            "python -m benchmarks.profiling --update"
        )


def test_a_page_that_drifted_is_filled_anew():
    assert filled(TEXT.replace("| ltc forward |", "| ltc fast |"), blocks(FOUND)) == TEXT


def test_the_data_hold_every_stage_of_every_program_on_both_versions_of_jax():
    assert [timings[0].environment.jax[:4] for timings in FOUND.values()] == ["0.10", "0.6."]
    for timings in FOUND.values():
        assert [(timing.target, name) for timing in timings for name in timing.programs] == PROGRAMS
        assert all(one.stages[stage] is not None for _, one in every(timings) for stage in STAGES)
        assert all(timing.machine.cpu and timing.machine.load_before is not None for timing in timings)


def every(timings):
    return [(f"{timing.target} {name}", one) for timing in timings for name, one in timing.programs.items()]


def test_the_csv_holds_the_figures_of_the_json():
    text = (DATA / "profiling.csv").read_text(encoding="utf-8")
    assert text == shown(FOUND["profiling"], "csv")
    data = json.loads((DATA / "profiling.json").read_text(encoding="utf-8"))
    rows = {(row["target"], row["program"]): row for row in csv.DictReader(io.StringIO(text))}
    for timing in data["timings"]:
        for name, one in timing["programs"].items():
            row = rows[timing["target"], name]
            assert {stage: float(row[f"{stage}_s"]) for stage in STAGES} == {
                stage: one["stages"][stage]["median_s"] for stage in STAGES
            }
            assert float(row["eager_over_steady"]) == one["eager_over_steady"]


@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_shows_the_stored_medians(dark: bool):
    text = PICTURES[dark].read_text(encoding="utf-8")
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    written = Counter(re.findall(r"<!-- (.*?) -->", text))
    medians = Counter(seconds(one.seconds(stage)) for _, one in every(FOUND["profiling"]) for stage in STAGES)
    assert medians <= written
    assert {name for name, _ in every(FOUND["profiling"])} <= set(written)
    assert PICTURES[dark].relative_to(PAGE.parent).as_posix() in TEXT


def test_the_published_figures_are_those_of_the_reference():
    reference = json.loads((ROOT / "tests/reference/seed_ir.json").read_text(encoding="utf-8"))["profiling_ms"]
    names = {
        "eager": "jax_eager_train_step", "lower": "jax_lower", "compile": "jax_compile",
        "once": "jax_one_time_compile_total", "steady": "jax_jit_train_step",
        "julia": "julia_tsit5_forward_rollout", "pytorch": "pytorch_rk4_step",
    }  # fmt: skip
    assert {key: one.ms for key, one in PUBLISHED.items()} == {key: reference[name] for key, name in names.items()}
    assert PUBLISHED["lower"].ms + PUBLISHED["compile"].ms == PUBLISHED["once"].ms
    for key in ("eager", "lower", "compile", "once", "steady", "julia", "pytorch"):
        assert f"{PUBLISHED[key].ms:g} ms" in TEXT, f"the prose does not name {key}"


def test_the_command_on_the_page_is_the_one_that_was_run():
    assert f"```sh\n{COMMAND}\n```" in TEXT
    ran = [name for name in ("ltc", "ctrnn", "node") if name in COMMAND.split()]
    assert ran == [timing.target for timing in FOUND["profiling"]]
    assert f"--limit {FOUND['profiling'][0].settings.limit_s:g}" in COMMAND


def _published(key: str) -> float:
    figure = profiling._published(key)
    assert figure is not None
    return figure


def _ours() -> list[Callable[[str], float]]:
    return [profiling._figures(program(timings, "ltc", "train_step")) for timings in FOUND.values()]


def test_what_the_page_says_agrees_does():
    for figure in (_published, *_ours()):
        assert 0.01 < figure("steady") < 0.1
        assert 0.5 < figure("eager") < 2
        assert 0.5 < figure("once") < 2
        assert figure("compiled_calls") >= 24
        assert 0.75 < figure("eager_calls") < 1.5
        assert figure("once") / (figure("eager") - figure("steady")) <= 2
        assert 0.75 < figure("steady") / _published("steady") < 4 / 3


def test_what_the_page_says_does_not_agree_does_not():
    newer, older = _ours()
    nearer = min(abs(math.log(_published("ratio") / figure("ratio"))) for figure in (newer, older))
    assert math.log(newer("ratio") / older("ratio")) > nearer
    assert newer("compile") > older("compile")
    assert 0.8 < newer("steady") / older("steady") < 1.25
    assert all(_published("lower") > 2 * figure("lower") for figure in (newer, older))


@pytest.mark.usefixtures("quick_compile")
def test_a_call_without_jit_compiles_the_solver_each_time():
    """What the page says the ratio is made of, counted and not timed: two programs, forward and backward, at each call."""
    step = make_program(find("ltc"), "train_step")
    values = argument_values(step, None, "ltc train_step")
    assert values is not None
    compiled: list[str] = []
    listener = lambda name, _, **more: compiled.append(name) if "backend_compile" in name else None  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    numbers = []
    for _ in range(2):
        compiled.clear()
        jax.block_until_ready(step.fn(*values[0], **values[1]))
        numbers.append(len(compiled))
    assert numbers[1:] == [2]
