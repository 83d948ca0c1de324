"""The sweep from the command line and from Python: figures at each size, what grows, and what happens when a size fails."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir import TargetError, UsageError
from ltc_ir.api.count import count_request
from ltc_ir.records.environment import Environment
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import dumps, loads
from ltc_ir.records.sweep import Growth, ProgramSweep, Sweep, SweepPoint
from ltc_ir.render.layouts.sweep import sweep_sheets
from tests.cli.conftest import Command

pytestmark = pytest.mark.early


def figures(made: Sweep, program: str, metric: str) -> list[float]:
    return [point.metrics[metric] for point in made.programs[program].points]


@pytest.mark.versions
def test_an_unrolled_loop_under_grad_is_linear_in_stablehlo_and_quadratic_in_hlo(folder: Path):
    made = ltc_ir.sweep("sized:unrolled", "steps", (4, 8, 16, 32), programs=("grad",))
    growth = made.programs["grad"].growth
    assert growth["stablehlo"].exponent == pytest.approx(1, abs=0.05)
    assert growth["hlo"].exponent == pytest.approx(2, abs=0.25)
    assert [(one.metric, one.than) for one in made.programs["grad"].faster] == [("hlo", "stablehlo")]


@pytest.mark.versions
def test_a_loop_does_not_grow_with_its_steps(folder: Path):
    made = ltc_ir.sweep("sized:rolled", "steps", (4, 8, 16), programs=("forward",))
    assert {made.programs["forward"].growth[level].form for level in ("jaxpr", "stablehlo", "hlo")} == {"constant"}
    assert made.programs["forward"].faster == ()


@pytest.mark.versions
def test_each_figure_is_the_count_s_own(folder: Path):
    made = ltc_ir.sweep("sized:unrolled", "steps", (3, 5))
    for number, steps in enumerate((3, 5)):
        counted = ltc_ir.count("sized:unrolled", args=None, options=options(size=("steps", steps)), levels=ltc_ir.Level)
        for program, levels in counted.programs.items():
            for level, one in levels.items():
                assert figures(made, program, level)[number] == one.tally.total
            assert figures(made, program, "lines")[number] == levels["stablehlo"].lines
            assert figures(made, program, "flops")[number] == levels["hlo"].flops


def options(**more: Any) -> Any:
    from ltc_ir.records.request import Options

    return Options(**more)


@pytest.mark.versions
def test_the_ir_of_the_ltc_does_not_depend_on_its_size():
    made = ltc_ir.sweep("ltc", "hidden", (8, 16), programs=("grad",), levels=("jaxpr", "stablehlo"))
    assert {growth.form for growth in made.programs["grad"].growth.values()} == {"constant"}
    assert figures(made, "grad", "jaxpr")[0] == ltc_ir.count(programs=("grad",)).programs["grad"]["jaxpr"].tally.total


@pytest.mark.versions
def test_a_target_in_code():
    def make(depth: int) -> Any:
        def run(x: Any) -> Any:
            for _ in range(depth):
                x = jnp.sin(x)
            return x

        return run, (jnp.ones(3),)

    target = ltc_ir.Target(*make(1), name="deep", sizes={"depth": make})
    made = ltc_ir.sweep(target, "depth", (3, 2, 2, 5), programs="forward", levels=("jaxpr",))
    assert made.values == (2, 3, 5)
    assert figures(made, "forward", "jaxpr") == [2, 3, 5]
    assert made.to_pandas()["figure"].tolist() == [2, 3, 5]
    assert "n^1.00" in made._repr_html_()


def test_narrowed_to_operations(folder: Path):
    made = ltc_ir.sweep("sized:unrolled", "steps", (4, 8), programs=("forward",), ops=("sin",), levels=("jaxpr",))
    assert figures(made, "forward", "jaxpr") == [4, 8]
    assert [metric.name for metric in made.programs["forward"].metrics()] == ["jaxpr"]


@pytest.mark.versions
def test_timed(folder: Path):
    made = ltc_ir.sweep(
        "sized:unrolled", "steps", (2, 4), programs=("forward",), timed=True, fill="zeros", repeat=2, limit_s=2.0
    )  # fmt: skip
    names = {metric.name for metric in made.programs["forward"].metrics()}
    assert {"jaxpr", "stablehlo", "hlo", "trace_s", "lower_s", "compile_s", "steady_s"} <= names
    assert "eager_s" not in names
    assert made.machine is not None and made.machine.load_after is not None
    assert made.settings is not None and made.settings.apart


def test_shapes_are_filled_while_timed(folder: Path):
    made = ltc_ir.sweep("sized:unrolled", "steps", (2, 4), programs=("forward",), timed=True, repeat=1, limit_s=1.0)
    assert "steady_s" in made.programs["forward"].points[0].metrics
    assert sum("--fill" in note for note in made.notes) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"values": (8,)}, "two sizes at least"),
        ({"values": ("8", "16")}, "a size is an integer, which '8' is not"),
        ({"values": (2.5, 4)}, "a size is an integer, which 2.5 is not"),
        ({"values": (True, 4)}, "a size is an integer, which True is not"),
        ({"values": (8, 2**60)}, "cannot be swept over"),
        ({"values": (8, 16), "parameter": 0}, "named by a string, not by int"),
        ({"values": (0, 8)}, "a size of 0"),
        ({"values": (4, 8), "limit_s": 2.0}, "nothing is timed"),
        ({"values": (4, 8), "target": "kept.mlir"}, "a stored file, whose sizes are fixed"),
    ],
)
def test_what_cannot_be_swept(asked: dict[str, Any], message: str, folder: Path):
    (folder / "kept.mlir").write_text("module {}\n")
    with pytest.raises(UsageError, match=message):
        ltc_ir.sweep(**{"target": "sized:unrolled", "parameter": "steps", **asked})


def test_a_size_that_fails_keeps_the_figures_before_it(command: Command):
    ran = command("count", "sized:odd", "--sweep", "x.0=4,8,16", "--level", "jaxpr", "--format", "json")
    assert ran.code == 4
    made = json.loads(ran.out)
    assert [point["value"] for point in made["programs"]["forward"]["points"]] == [4, 8]
    assert made["values"] == [4, 8, 16]
    assert "at 16: sized:odd forward failed to trace: ValueError: no more than eight" in made["ended"]["message"]
    assert "no more than eight" in ran.errors[0]


def test_a_first_size_that_fails_is_an_error_alone(command: Command):
    ran = command("count", "sized:odd", "--sweep", "x.0=16,32")
    assert (ran.code, ran.out) == (4, "")


def test_python_raises_what_ended_it(folder: Path):
    with pytest.raises(TargetError, match="at 16: "):
        ltc_ir.sweep("sized:odd", "x.0", (8, 16), levels=("jaxpr",))


def test_an_interrupt_keeps_the_figures(command: Command, monkeypatch: pytest.MonkeyPatch):

    def interrupted(target: Any, request: Request) -> Any:
        assert request.options is not None and request.options.size is not None
        if request.options.size[1] == 16:
            raise KeyboardInterrupt
        return count_request(target, request)

    monkeypatch.setattr("ltc_ir.api.sweep.count_request", interrupted)
    ran = command("count", "sized:unrolled", "--sweep", "steps=4,8,16", "--level", "jaxpr", "-p", "forward")
    assert (ran.code, ran.out) == (130, "")
    assert "cut short: at 16: interrupted" in ran.err


def test_what_hangs_at_a_size_is_ended_and_counted_at_none(command: Command):
    """Timed first, in a process that can be ended: this one never traces what hung there."""
    quick = ("--repeat", "1", "--limit", "1", "-p", "forward", "--timeout", "10")
    ran = command("time", "sized:hangs", "--sweep", "steps=1,2,4", *quick, "-f", "json")
    assert ran.code == 5
    made = json.loads(ran.out)
    assert [point["value"] for point in made["programs"]["forward"]["points"]] == [1, 2]
    assert made["ended"]["message"].startswith("at 4: sized:hangs forward, in trace, was not done after 10 s")


def test_what_hangs_at_the_first_size_is_an_error_alone(command: Command):
    ran = command("time", "sized:hangs", "--sweep", "steps=4,8", "--repeat", "1", "-p", "forward", "--timeout", "6")
    assert (ran.code, ran.out) == (5, "")
    assert "at 4: " in ran.errors[0]


def test_a_foreign_platform_is_refused_before_anything_is_counted(command: Command):
    ran = command("time", "sized:unrolled", "--sweep", "steps=2,4", "--platform", "tpu")
    assert (ran.code, ran.out) == (2, "")
    assert "needs a tpu device" in ran.errors[0]


def test_an_operation_that_is_nowhere_is_said(command: Command):
    ran = command("count", "sized:unrolled", "--sweep", "steps=2,4", "--op", "cumsum", "--op", "sine", "-p", "forward")
    assert "there is no operation 'cumsum' in what was counted" in ran.out
    assert "'sine'" not in ran.out


def test_the_table(command: Command):
    ran = command("count", "sized:unrolled", "--sweep", "steps=4,8,16,32", "--program", "grad")
    assert ran.code == 0
    assert "sized:unrolled grad: over steps" in ran.out
    assert "hlo grows faster than stablehlo: n^" in ran.out
    assert "n is steps; from four sizes on a fixed part is fitted beside the power of n" in ran.out


def test_csv_is_tidy(command: Command):
    ran = command("count", "sized:unrolled", "--sweep", "steps=8,4", "-l", "jaxpr,stablehlo", "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert {row["metric"] for row in rows} == {"jaxpr", "stablehlo", "lines"}
    first = rows[0]
    assert [first[key] for key in ("target", "program", "parameter", "value", "metric", "unit")] == [
        "sized:unrolled", "forward", "steps", "4", "jaxpr", "operations",
    ]  # fmt: skip
    assert int(first["figure"]) > 4


def test_a_time_sweep_as_json(command: Command):
    quick = ("--fill", "zeros", "--repeat", "1", "--limit", "1", "-p", "forward")
    ran = command("time", "sized:unrolled", "--sweep", "x.0=4,8", *quick, "-f", "json")
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    assert made["kind"] == "sweep"
    assert all(point["metrics"]["compile_s"] > 0 for point in made["programs"]["forward"]["points"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("count", "--sweep", "hidden"), "--sweep: 'hidden' names no size with numbers"),
        (("count", "--sweep", "hidden=8,big"), "'8,big' is no list of integers"),
        (("count", "--sweep", "hidden=8"), "a sweep needs two sizes at least"),
        (("count", "--sweep", "width=8,16"), "ltc has no size 'width'"),
        (("count", "--sweep", "hidden=8,16", "--by", "source"), "--by cannot be combined with --sweep"),
        (("count", "--sweep", "hidden=8,16", "--executed"), "--executed cannot be combined with --sweep"),
        (("count", "--sweep", "hidden=8,16", "--rule", "while = 0"), "--rule cannot be combined with --sweep"),
        (("count", "--sweep", "hidden=8,16", "-f", "folded"), "unknown format 'folded'"),
        (("count", "--sweep", ""), "--sweep: nothing given"),
        (("time", "ltc", "node", "--sweep", "hidden=8,16"), "--sweep is over one target, not 2"),
        (("time", "--sweep", "hidden=8,16", "--passes"), "so --passes has no place in it"),
    ],
)
def test_wrong_usage(argv: tuple[str, ...], message: str, command: Command):
    ran = command(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.errors[0]


POINTS = (
    SweepPoint(8, {"jaxpr": 10.0, "compile_s": 0.5}, {"compile_s": (0.4, 0.6)}),
    SweepPoint(16, {"jaxpr": 20.0}, {}, {"compile_s": "it took too long"}),
)
MADE = Sweep(
    "mine", "n", (8, 16), Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1),
    {"forward": ProgramSweep(POINTS, {"jaxpr": Growth("power", 1.0), "compile_s": Growth(reason="one size shows no growth")})},
)  # fmt: skip


def test_a_record_comes_back_from_json():
    assert loads(dumps(MADE), "here", Sweep) == MADE


def test_a_sweep_s_own_record_comes_back(folder: Path):
    made = ltc_ir.sweep("sized:unrolled", "steps", (4, 8, 16, 32), levels=("jaxpr",))
    plain = Sweep(**{field.name: getattr(made, field.name) for field in fields(Sweep)})
    assert loads(dumps(made), "here", Sweep) == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"kind": "count"}', 'is a record of kind "count", not sweep'),
        (dumps(MADE).replace('"schema": 1', '"schema": 9'), "has schema 9"),
        (dumps(MADE).replace('"values"', '"valves"'), "values"),
    ],
)
def test_what_is_no_sweep(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        loads(text, "kept.json", Sweep)


def test_a_figure_that_is_not_there_is_said():
    (sheet,) = sweep_sheets(MADE)
    assert sheet.rows[-1][:3] == ("compile", "500 ms", "-")
    assert "compile: it took too long" in sheet.notes
    assert "compile: no growth fitted: one size shows no growth" in sheet.notes


def test_an_open_growth_is_called_so():
    growth = Growth("offset", 0.4, None, None, 1.0, 1.0, grows=True)
    made = replace(MADE, programs={"forward": ProgramSweep(POINTS[:1], {"jaxpr": growth})})
    assert sweep_sheets(made)[0].rows[0][-2:] == ("grows", "open")
