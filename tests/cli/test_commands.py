"""What the commands write: parseable in every format, only data on stdout, files whole, and the IR exactly JAX's own."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ltc_ir
from ltc_ir.targets import prepare
from ltc_ir.targets.builtin import BUILTIN
from ltc_ir.targets.target import Program, Target
from tests.cli.conftest import Command, data_of, environment, program, record_of

pytestmark = pytest.mark.versions

COUNTS = ("table", "json", "csv", "markdown")


@pytest.fixture(scope="module")
def counted(folder: Path) -> dict[str, Any]:
    """One count with everything in it, as JSON."""
    made = ltc_ir.count("mine:energy", levels=["jaxpr", "stablehlo", "hlo"], by=["source", "function"])
    return json.loads(json.dumps(made.to_dict()))


def test_a_count_has_the_documented_fields(counted: dict[str, Any]) -> None:
    assert counted["kind"] == "count"
    assert counted["target"] == "mine:energy"
    environment = counted["environment"]
    kinds = {"jax": str, "jaxlib": str, "python": str, "platform": str, "x64": bool, "devices": int}
    assert {key: type(value) for key, value in environment.items()} == kinds
    assert environment["jax"] == jax.__version__
    assert list(counted["programs"]) == ["forward", "grad"]


FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "jaxpr": {"max_depth": int},
    "stablehlo": {"lines": int, "bytes": int, "private_functions": int, "constants": dict, "expanded": dict},
    "hlo": {"fusions": int, "flops": (int, float), "bytes_accessed": (int, float), "memory": dict, "collectives": dict},
}


@pytest.mark.parametrize("level", FIELDS)
@pytest.mark.parametrize("name", ["forward", "grad"])
def test_a_level_has_the_documented_fields(level: str, name: str, counted: dict[str, Any]) -> None:
    made = counted["programs"][name][level]
    for field, kind in FIELDS[level].items():
        assert isinstance(made[field], kind), field
    _is_tally(made)
    if level == "stablehlo":
        _is_tally(made["expanded"])
        assert made["constants"].keys() == {"bytes", "embedded_bytes"}
    assert made["attributed"].keys() == {"phase", "source"}
    assert all(0 <= share <= 1 for share in made["attributed"].values())
    totals = [group["total"] for group in made["by"]]
    assert totals == sorted(totals, reverse=True)
    assert sum(totals) == made["total"] > 0
    for group in made["by"]:
        _is_tally(group)


def _is_tally(made: dict[str, Any]) -> None:
    assert made["total"] == sum(made["ops"].values())
    assert all(type(number) is int for number in made["ops"].values())
    partition: dict[str, int] = {}
    for ops in made["phases"].values():
        assert ops, "an empty phase is left out"
        for op, number in ops.items():
            partition[op] = partition.get(op, 0) + number
    assert partition == made["ops"]


def test_count_json_is_the_librarys_record(command: Command) -> None:
    found = record_of(command("count", "mine:energy", "--format", "json"))
    assert found == json.loads(json.dumps(ltc_ir.count("mine:energy", hashes=True).to_dict()))


def test_count_csv_is_tidy(command: Command) -> None:
    rows = list(
        csv.DictReader(io.StringIO(data_of(command("count", "mine:energy", "--format", "csv", "--by", "source"))))
    )
    assert None not in {key for row in rows for key in row} and None not in {
        value for row in rows for value in row.values()
    }
    record = ltc_ir.count("mine:energy")
    jaxpr = [row for row in rows if (row["program"], row["level"], row["view"]) == ("grad", "jaxpr", "module")]
    assert {row["op"]: int(row["count"]) for row in jaxpr if row["phase"] == "backward"} == dict(
        record.programs["grad"]["jaxpr"].tally.phases["backward"]
    )
    for row in rows:
        float(row["count"])


def _markdown_tables(text: str) -> int:
    """How many well-formed tables there are; a row with another number of cells fails."""
    tables = [block for block in re.split(r"\n\s*\n", text) if block.startswith("|")]
    for table in tables:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
        assert re.fullmatch(r"\|( -{3}:? \|)+", table.splitlines()[1])
    return len(tables)


@pytest.mark.parametrize("by", [(), ("--by", "source,function"), ("--by", "stack"), ("--grad",)])
def test_count_markdown_holds_tables(by: tuple[str, ...], command: Command) -> None:
    assert _markdown_tables(data_of(command("count", "mine:energy", "--format", "markdown", *by))) >= 2


@pytest.mark.parametrize("kind", ["targets", "doctor"])
@pytest.mark.parametrize("form", COUNTS)
def test_listings_in_every_format(kind: str, form: str, command: Command) -> None:
    ran = command(kind, "--format", form)
    if form == "json":
        found = record_of(ran)
        assert found["kind"] == kind
        assert all(isinstance(value, str) for row in found[kind] for value in row.values())
    text = data_of(ran)
    if form == "csv":
        assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1
    if form == "markdown":
        assert _markdown_tables(text) == 1
    assert ("ltc" if kind == "targets" else "jaxlib") in text


def test_targets_lists_what_is_built_in(command: Command) -> None:
    found = record_of(command("targets", "--format", "json"))
    assert {row["name"] for row in found["targets"]} >= set(BUILTIN)


def test_the_table_says_total_shares_and_attribution(command: Command) -> None:
    text = data_of(command("count", "mine:energy", "--program", "grad", "--level", "jaxpr"))
    assert re.search(r"total +\d+ +100\.0 %", text)
    assert "attributed to a phase 100 %" in text
    assert "\x1b" not in text


def test_grad_sets_the_headline_first(command: Command) -> None:
    text = data_of(command("count", "ltc", "--grad", "--level", "jaxpr"))
    rows = [
        line.split()[0] for line in text.splitlines() if re.match(r" (dot_general|scan|while|tanh|transpose) ", line)
    ]
    assert rows[:5] == ["dot_general", "scan", "while", "tanh", "transpose"]


def test_a_target_without_a_headline_leads_with_its_own_largest_operations(command: Command) -> None:
    text = data_of(command("count", "mine:step", "--loss", "sum", "--grad", "--level", "jaxpr"))
    first = text.partition("mine:step jaxpr")[0]
    rows = {line.split()[0]: line.split()[2] for line in first.splitlines() if re.match(r" [a-z_]+ +\d+ +\d", line)}
    made = record_of(
        command("count", "mine:step", "--loss", "sum", "--program", "grad", "--level", "jaxpr", "-f", "json")
    )
    largest = sorted(made["programs"]["grad"]["jaxpr"]["ops"].items(), key=lambda item: (-item[1], item[0]))[:5]
    assert {name: int(number) for name, number in rows.items()} == dict(largest)
    assert "headline" not in made


def test_op_and_phase_narrow(command: Command) -> None:
    ran = command("count", "mine:step", "--loss", "sum", "--program", "grad", "--level", "jaxpr",
                  "--op", "dot_general", "--phase", "backward", "--format", "json")  # fmt: skip
    made = record_of(ran)["programs"]["grad"]["jaxpr"]
    assert set(made["ops"]) == {"dot_general"} and set(made["phases"]) == {"backward"}


def test_an_operation_that_is_nowhere_is_said(command: Command) -> None:
    ran = command("count", "mine:energy", "--op", "cumsum", "--level", "jaxpr")
    assert ran.code == 0
    assert "note: there is no operation 'cumsum' in what was counted" in ran.err.splitlines()


def test_an_operation_that_no_level_knows_is_refused_with_the_near_one(command: Command) -> None:
    ran = command("count", "mine:energy", "--op", "dot_generel", "--level", "jaxpr")
    assert (ran.code, ran.out) == (2, "")
    assert "no level knows an operation 'dot_generel'" in ran.err
    assert "did you mean dot_general?" in ran.err


def test_top_cuts_rows_and_says_so(command: Command) -> None:
    whole = data_of(command("count", "ltc", "--level", "jaxpr", "--program", "forward"))
    cut = data_of(command("count", "ltc", "--level", "jaxpr", "--program", "forward", "--top", "2"))
    assert len(cut.splitlines()) < len(whole.splitlines())
    assert "more rows not shown (--top 2)" in cut


def test_by_two_keys_joins_them(command: Command) -> None:
    found = record_of(
        command("count", "mine:energy", "--by", "source,function", "--level", "jaxpr", "--format", "json")
    )
    key = found["programs"]["forward"]["jaxpr"]["by"][0]["key"]
    assert "mine.py:" in key and "mine:energy" in key


def test_folded_stacks_feed_a_flame_graph(command: Command) -> None:
    ran = command("count", "mine:step", "--loss", "sum", "--program", "grad", "--level", "stablehlo",
                  "--by", "stack", "--format", "folded")  # fmt: skip
    lines = data_of(ran).splitlines()
    assert all(re.fullmatch(r"[^ ]+ \d+", line) for line in lines)
    assert any("mine:step" in line for line in lines)


@pytest.mark.parametrize("format", ["folded", "speedscope", "pprof"])
def test_formats_of_stacks_are_refused_without_them_before_any_work(command: Command, format: str) -> None:
    ran = command("count", "no_such_target", "--format", format)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[0].endswith("need a count by stack")
    assert "--by stack" in ran.err


def test_a_program_that_cannot_be_made_is_left_out_with_its_reason(command: Command) -> None:
    ran = command("count", "mine:step", "--format", "json")
    assert "note: grad left out: no gradient: the output is float32[5, 4], not a real scalar" in ran.err.splitlines()
    assert record_of(ran)["unavailable"].keys() == {"grad"}


def test_no_text_leaves_lines_and_bytes_null(command: Command) -> None:
    found = record_of(command("count", "mine:energy", "--no-text", "--level", "stablehlo", "--format", "json"))
    made = found["programs"]["forward"]["stablehlo"]
    assert made["lines"] is None and made["bytes"] is None


NOISY = """
import os
import jax.numpy as jnp
print("python, imported")
os.write(1, b"c, imported\\n")
def f(x):
    print("python, traced")
    os.write(1, b"c, traced\\n")
    os.system("echo child, traced")
    return jnp.sin(x)
f_args = (1.0,)
"""


@pytest.mark.parametrize("form", ["--stablehlo", "--jaxpr", "--hlo", "--bytecode"])
def test_stdout_is_the_ir_and_nothing_else(form: str, folder: Path) -> None:
    """The same program, once with and once without what prints, gives the same bytes."""

    def lowered(text: str) -> Any:
        (folder / "noisy.py").write_text(text)
        argv = [program(), "lower", "noisy.py:f", form]
        return subprocess.run(argv, cwd=folder, env=environment(), capture_output=True, timeout=60, check=True)

    noisy = lowered(NOISY)
    still = lowered(re.sub(r"^( *)(print|os\.).*$", r"\1pass", NOISY, flags=re.MULTILINE))
    assert noisy.stdout == still.stdout
    for said in ("python, imported", "c, imported", "python, traced", "c, traced", "child, traced"):
        assert said.encode() in noisy.stderr


def test_lower_is_exactly_what_jax_prints(command: Command, folder: Path) -> None:
    mine = importlib.import_module("mine")
    for name, fn in (("forward", mine.energy), ("grad", jax.grad(mine.energy))):
        jax.clear_caches()
        expected = jax.jit(fn).lower(*mine.energy_args).as_text()
        assert data_of(command("lower", "mine:energy", "--program", name)) == expected


@pytest.mark.parametrize("name", ["forward", "loss", "grad", "train_step"])
def test_lower_of_the_ltc_is_exactly_what_jax_prints(name: str, command: Command) -> None:
    from ltc_ir.lab.models.ltc import TARGET

    made = TARGET.programs.get(name) or Program(TARGET.fn, TARGET.args)
    jax.clear_caches()
    assert data_of(command("lower", "ltc", "--program", name)) == jax.jit(made.fn).lower(*made.args).as_text()


def test_lower_jaxpr_is_exactly_what_jax_prints(command: Command, folder: Path) -> None:
    text = data_of(command("lower", "mine:energy", "--jaxpr"))
    mine = importlib.import_module("mine")
    jax.clear_caches()
    assert text == str(jax.jit(mine.energy).trace(*mine.energy_args).jaxpr) + "\n"


@pytest.mark.parametrize("platform", ["cpu", "cuda", "rocm", "tpu"])
def test_lower_for_any_platform_from_here(platform: str, command: Command) -> None:
    text = data_of(command("lower", "mine:step", "--platform", platform))
    assert "stablehlo.dot_general" in text
    found = record_of(command("count", "mine:step", "--program", "forward", "--platform", platform, "--format", "json"))
    assert found["environment"]["platform"] == platform


def test_debug_info_keeps_names_and_places(command: Command) -> None:
    assert "loc(" not in data_of(command("lower", "mine:step"))
    assert "mine.py" in data_of(command("lower", "mine:step", "--debug-info"))


def test_x64(command: Command) -> None:
    assert "xf64>" in data_of(command("lower", "mine:energy", "--args", "f64[3]", "--x64"))
    assert not jax.config.jax_enable_x64
    assert record_of(command("count", "mine:energy", "--x64", "--format", "json"))["environment"]["x64"] is True


def _sharded() -> Target:
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()[:4]), ("d",))
    where = NamedSharding(mesh, PartitionSpec("d"))
    return Target(lambda x: jax.lax.with_sharding_constraint(x * 2, where).sum(), (jnp.ones(8),), name="sharded")


BYTECODE = {
    "erf": lambda: Target(jax.lax.erf, (jnp.ones(3),), name="erf"),
    "top_k": lambda: Target(lambda x: jax.lax.top_k(x, 2), (jnp.ones(5),), name="top_k"),
    "sharded": _sharded,
    "ltc": lambda: prepare.resolve("ltc"),
}


@pytest.mark.parametrize("name", BYTECODE)
def test_bytecode_can_be_read_again_and_the_module_still_compiles(name: str) -> None:
    from jaxlib.mlir.dialects import stablehlo

    from ltc_ir.compat import mlir
    from ltc_ir.targets.lowering import text_of

    staged = prepare.stage(BYTECODE[name](), "forward")
    before = staged.lowered.as_text()
    artifact = text_of(staged, "bytecode")
    read = stablehlo.deserialize_portable_artifact(mlir.mlir_context(), artifact)
    assert _operations(str(read)) == _operations(before)
    assert staged.lowered.as_text() == before
    assert staged.compiled.as_text().startswith("HloModule")


def _operations(text: str) -> list[str]:
    return sorted(re.findall(r'= "?((?:stablehlo|chlo|sdy)\.\w+)', text))


def test_bytecode_holds_locations_only_when_they_are_asked_for(command: Command, tmp_path: Path) -> None:
    plain, located = tmp_path / "plain.mlirbc", tmp_path / "located.mlirbc"
    assert command("lower", "mine:energy", "--bytecode", "-o", str(plain)).code == 0
    assert command("lower", "mine:energy", "--bytecode", "--debug-info", "-o", str(located)).code == 0
    assert b"mine.py" not in plain.read_bytes()
    assert b"mine.py" in located.read_bytes()


def test_bytecode_is_the_same_from_everywhere() -> None:
    def from_deeper() -> bytes:
        return ltc_ir.lower("ltc", form="bytecode")

    assert from_deeper() == ltc_ir.lower("ltc", form="bytecode")
    assert b"ltc_ir" not in from_deeper() and __file__.encode() not in from_deeper()
