"""What a user reads, and a script gets, when the input is wrong: one line that says what, one that says what helps."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltc_ir.records import snapshot_toml as layout
from ltc_ir.records.snapshot import Identity, LevelFacts, Provenance, Snapshot
from tests import golden
from tests.cli.conftest import Command, Ran, environment, program, run_program

pytestmark = pytest.mark.early

USAGE, TARGET_FAILED = 2, 4

MODULES = {
    "raises": 'raise ValueError("at import")\n',
    "exits": "import sys\nsys.exit(3)\n",
    "parses": "import argparse\nargparse.ArgumentParser(prog='parses').parse_args(['--nosuch'])\n",
    "garbled": "def f(:\n",
    "needs": "import nosuch_dependency\n",
    "relative": "from . import mine\n",
}

HARD = """
from functools import partial

import jax
import jax.numpy as jnp

@partial(jax.jit, static_argnames="mode")
def moded(x, mode):
    return x.sum() if mode == 2 else -x.sum()

def calling(x, mode):
    return moded(x, mode)

calling_args = (jax.ShapeDtypeStruct((3,), "float32"), 2)

class Lowers:
    __name__ = "lowers"

    def __call__(self, x):
        return x

    def lower(self, x):
        return jax.jit(self).lower(x)

lowers = Lowers()

def filled(n):
    return jnp.ones(n + 1)

filled_args = (jax.ShapeDtypeStruct((), "int32"),)

def concrete(x):
    return x * 2

def concrete_args():
    return (jnp.ones(3),)

def doubled(x):
    return jax.lax.while_loop(lambda y: y.sum() < 9, lambda y: y * 2, x).sum()

doubled_args = (jax.ShapeDtypeStruct((3,), "float32"),)

def called(x):
    return jax.pure_callback(lambda y: y, x, x).sum()

called_args = (jax.ShapeDtypeStruct((3,), "float32"),)
"""
"""Functions that JAX cannot trace or differentiate as they are called."""

OURS = {
    "unknown_target": (USAGE, "count nosuch"),
    "near_target": (USAGE, "count ltx"),
    "unknown_module": (USAGE, "count nosuch.module:f"),
    "unknown_name": (USAGE, "count mine:nope"),
    "unknown_name_near": (USAGE, "count mine:stepp"),
    "unknown_name_in_file": (USAGE, "count mine.py:nope"),
    "no_name": (USAGE, "count mine.py"),
    "half_a_name": (USAGE, "count mine:"),
    "module_of_dots": (USAGE, "count .:f"),
    "device_as_a_target": (USAGE, "count /dev/zero"),
    "size_too_large": (USAGE, "count mine:bare --args f32[9999999999999999999]"),
    "missing_python_file": (USAGE, "count nofile.py:f"),
    "neither_function_nor_target": (USAGE, "count mine:NUMBER"),
    "module_raises": (TARGET_FAILED, "count raises:f"),
    "file_raises": (TARGET_FAILED, "count raises.py:f"),
    "module_exits": (TARGET_FAILED, "count exits:f"),
    "module_lacks_a_dependency": (TARGET_FAILED, "count needs:f"),
    "no_arguments": (USAGE, "count mine:bare"),
    "malformed_arguments": (USAGE, "count mine:bare --args f32[8"),
    "unknown_type": (USAGE, "count mine:bare --args q32[8]"),
    "function_as_type": (USAGE, "count mine:bare --args sin[8]"),
    "unknown_key_type": (USAGE, "count mine:bare --args key<foo>[]"),
    "wide_type": (USAGE, "count mine:energy --args f64[3]"),
    "arguments_no_tuple": (USAGE, "count mine:bare --args mine:listed"),
    "arguments_unknown": (USAGE, "count mine:bare --args mine:nope"),
    "function_raises": (TARGET_FAILED, "count mine:fails --args f32[2]"),
    "output_no_scalar": (USAGE, "count mine:step --grad"),
    "integer_argument": (USAGE, "count mine:tabled --grad"),
    "argnums_out_of_range": (USAGE, "count mine:step --program grad --loss sum --argnums 2"),
    "argnums_no_integers": (USAGE, "count mine:step --argnums x"),
    "argnums_static": (USAGE, "count mine:power --static-argnums 0 --program grad"),
    "static_argnums_no_integers": (USAGE, "count mine:power --static-argnums n"),
    "unknown_loss": (USAGE, "count mine:step --loss max"),
    "loss_no_function": (USAGE, "count mine:step --loss mine:NUMBER"),
    "loss_unknown_name": (USAGE, "count mine:step --loss mine:nope"),
    "own_programs": (USAGE, "count ltc --loss sum"),
    "no_ir": (USAGE, "count hello.txt"),
    "empty": (USAGE, "count empty.mlir"),
    "missing_file": (USAGE, "count nofile.mlir"),
    "folder": (USAGE, "count ."),
    "record_without_fields": (USAGE, "count bare.json"),
    "record_of_a_newer_schema": (USAGE, "count newer.json"),
    "json_no_record": (USAGE, "count other.json"),
    "option_of_a_function_for_a_file": (USAGE, "count stored.mlir --args f32[]"),
    "program_of_a_file": (USAGE, "lower stored.mlir --grad"),
    "missing_folder": (USAGE, "lower mine:energy -o nofolder/out.mlir"),
    "below_a_file": (USAGE, "lower mine:energy -o mine.py/out.mlir"),
    "output_is_a_folder": (USAGE, "lower mine:energy -o ."),
    "unknown_level": (USAGE, "count mine:energy --level foo"),
    "unknown_format": (USAGE, "count mine:energy --format foo"),
    "unknown_listing_format": (USAGE, "targets --format folded"),
    "raw_csv_of_a_table": (USAGE, "targets --raw-csv"),
    "unknown_platform": (USAGE, "lower mine:energy --platform foo"),
    "unknown_phase": (USAGE, "count mine:energy --phase foo"),
    "unknown_program": (USAGE, "lower mine:energy --program foo"),
    "unknown_grouping": (USAGE, "count mine:energy --by foo"),
    "folded_without_stack": (USAGE, "count mine:energy --format folded"),
    "folded_several": (USAGE, "count mine:energy --by stack --format folded"),
    "foreign_hlo": (USAGE, "lower mine:energy --hlo --platform cuda"),
    "foreign_hlo_count": (USAGE, "count mine:energy --level hlo --program forward --platform tpu"),
    "argument_named_twice": (USAGE, "count mine:step --program grad --loss sum --argnums 0,-2"),
    "unknown_dialect": (USAGE, "count custom.mlir"),
    "serialised_export": (USAGE, "count exported.bin"),
    "standard_input_twice": (USAGE, "diff - -"),
    "output_without_a_name": (USAGE, "lower mine:energy --output="),
    "no_level": (USAGE, "count mine:energy --level="),
    "no_grouping": (USAGE, "count mine:energy --by=,"),
    "no_operation": (USAGE, "count mine:energy --op=add --op="),
    "no_program": (USAGE, "count mine:energy --program="),
    "no_program_to_lower": (USAGE, "lower mine:energy --program="),
    "two_forms": (USAGE, "lower mine:energy --hlo --jaxpr"),
    "two_programs": (USAGE, "lower mine:energy --grad --program forward"),
    "rule_without_operator": (USAGE, "count mine:energy --rule 'while'"),
    "rule_with_an_unknown_operator": (USAGE, "count mine:energy --rule 'while =< 0'"),
    "rule_without_a_value": (USAGE, "count mine:energy --rule 'while ='"),
    "rule_with_an_unknown_level": (USAGE, "count mine:energy --rule 'hol:while = 0'"),
    "rule_with_an_unknown_phase": (USAGE, "count mine:energy --rule 'backwards.dot_general <= 6'"),
    "rule_with_a_dialect": (USAGE, "count mine:energy --rule 'stablehlo.add = 0'"),
    "rule_with_a_percentage_of_nothing": (USAGE, "count mine:energy --rule 'total <= 5%'"),
    "rule_with_an_unknown_unit": (USAGE, "count mine:energy --rule 'constants.bytes <= 1MeB'"),
    "rule_with_a_size_of_a_number": (USAGE, "count mine:energy --rule 'dot_general <= 1MiB'"),
    "rule_with_an_unknown_type": (USAGE, "count mine:energy --rule 'dot_general[f32,foo->f32] = 1'"),
    "rule_with_a_misspelt_type": (USAGE, "count mine:energy --rule 'dot_general[f33] = 0'"),
    "rule_with_a_shape": (USAGE, "count mine:energy --rule 'dot_general[f32[8]] = 0'"),
    "rule_with_a_name_of_collectives": (USAGE, "count mine:energy --rule 'hlo:collectives[all-redcue] = 0'"),
    "strict_without_a_rule": (USAGE, "count mine:energy --strict"),
    "rule_of_collectives_in_a_jaxpr": (USAGE, "count mine:energy --rule 'jaxpr:collectives = 0'"),
    "rule_of_a_step_at_hlo": (USAGE, "snapshot check mine:energy --rule 'hlo:total +5%'"),
    "rule_of_a_step_in_types": (USAGE, "snapshot check mine:energy --rule 'dot_general[f32] +1'"),
    "rule_beside_a_table": (USAGE, "count mine:energy --rule 'while = 0' --by source"),
    "limit_of_no_number": (USAGE, "time mine:energy --limit nan"),
    "limit_without_end": (USAGE, "time mine:energy --limit 1e400"),
    "timeout_of_no_number": (USAGE, "time mine:energy --timeout nan"),
    "timeout_below_zero": (USAGE, "snapshot check mine:energy --timeout=-1"),
    "interval_of_no_number": (USAGE, "time mine:energy --within nan"),
    "count_too_large": (USAGE, "time mine:energy --repeat 99999999999999999999"),
    "sweep_without_numbers": (USAGE, "count --sweep hidden"),
    "sweep_of_no_numbers": (USAGE, "count --sweep hidden=8,big"),
    "sweep_of_one_size": (USAGE, "count --sweep hidden=8"),
    "sweep_of_a_size_of_nothing": (USAGE, "count --sweep hidden=0,8"),
    "sweep_of_no_size": (USAGE, "count --sweep width=8,16"),
    "sweep_of_a_file": (USAGE, "count stored.mlir --sweep x.0=8,16"),
    "sweep_beside_a_table": (USAGE, "count --sweep hidden=8,16 --by source"),
    "sweep_of_several": (USAGE, "time ltc node --sweep hidden=8,16"),
    "size_left_open": (USAGE, "count mine:bare --args f32[n,8]"),
    "snapshots_none": (USAGE, "snapshot check"),
    "snapshots_none_to_show": (USAGE, "snapshot show mine:energy"),
    "snapshots_option_of_several": (USAGE, "snapshot check mine:energy mine:step --loss sum"),
    "snapshot_growth_without_a_reason": (USAGE, "snapshot update mine:energy --accept-growth="),
    "snapshot_without_a_limit": (USAGE, "snapshot check mine:energy --timeout nan"),
    "snapshot_update_under_ci": (USAGE, "snapshot update mine:energy"),
    "snapshot_in_conflict": (USAGE, "snapshot show --dir conflict"),
    "snapshot_cut_short": (USAGE, "snapshot show --dir short"),
    "snapshot_of_a_newer_schema": (USAGE, "snapshot show --dir newer"),
    "snapshot_in_anothers_place": (USAGE, "snapshot show --dir moved"),
    "snapshot_with_a_wrong_value": (USAGE, "snapshot show --dir wrong"),
    "snapshot_that_lost_a_fact": (USAGE, "snapshot show --dir lost"),
    "snapshot_of_a_stored_file": (USAGE, "snapshot check grad.mlir"),
    "follow_of_a_stored_file": (USAGE, "follow grad.mlir"),
    "follow_no_such_operation": (USAGE, "follow mine:step --op tahn"),
    "follow_no_such_line": (USAGE, "follow mine:step --source mine.py:1"),
    "follow_no_such_function": (USAGE, "follow mine:step --function stepp"),
    "follow_no_such_equation": (USAGE, "follow mine:step --equation 9"),
    "follow_no_equation_together": (USAGE, "follow mine:step --op tanh --equation 1"),
    "follow_kernel_elsewhere": (USAGE, "follow mine:step --platform cuda --kernel fusion"),
    "follow_two_programs": (USAGE, "follow mine:energy --grad --program forward"),
    "lowers_only": (USAGE, "count hard:lowers --args f32[3]"),
    "snapshots_in_a_file": (USAGE, "snapshot check mine:energy --dir mine.py"),
    "hlo_without_an_operand": (USAGE, "count operand_lost.hlo"),
    "hlo_without_a_computation": (USAGE, "count computation_lost.hlo"),
    "hlo_without_a_root": (USAGE, "count root_lost.hlo"),
    "hlo_with_an_unknown_attribute": (USAGE, "count attribute.hlo"),
}  # fmt: skip
"""Messages wholly ours, by the name of their golden: the exit code and the command line."""

ELSEWHERE = {"fill_unknown", "fill_without_executed", "executed_of_a_file", "executed_with_a_rule"}
"""Goldens of tests/execution, whose programs these need."""

VARIABLES = {"snapshot_update_under_ci": {"CI": "true"}}
"""What stands in the environment of a command; else it is no machine of continuous integration."""

THEIRS = {
    "module_garbled": (TARGET_FAILED, "count garbled:f", "SyntaxError"),
    "relative_import": (TARGET_FAILED, "count relative.py:f", "ImportError"),
    "wrong_number_of_arguments": (TARGET_FAILED, "count mine:bare --args f32[8]", "TypeError"),
    "branches_on_a_tracer": (TARGET_FAILED, "count mine:branches --args f32[]", "TracerBoolConversionError"),
    "static_not_said": (TARGET_FAILED, "count mine:power", "TracerBoolConversionError"),
    "static_not_said_of_a_jitted_function": (TARGET_FAILED, "count hard:calling", "unhashable type"),
    "static_without_a_value": (TARGET_FAILED, "count hard:filled --static-argnums 0", "ShapeDtypeStruct"),
    "static_without_a_hash": (TARGET_FAILED, "count hard:concrete --static-argnums 0", "Non-hashable"),
    "static_name_of_no_parameter": (TARGET_FAILED, "count mine:energy --static-argnames zz", "zz"),
    "static_position_of_no_parameter": (TARGET_FAILED, "count mine:energy --static-argnums 5", "(5,)"),
    "loop_without_a_reverse": (TARGET_FAILED, "count hard:doubled --program grad", "while_loop"),
    "callback_without_a_reverse": (TARGET_FAILED, "count hard:called --program grad", "JVP"),
    "unfit_shapes": (TARGET_FAILED, "count mine:step --args", "TypeError"),
    "broken_record": (USAGE, "count broken.json", "is not JSON"),
    "truncated_text": (USAGE, "count truncated.mlir", ""),
    "truncated_bytecode": (USAGE, "count truncated.mlirbc", ""),
    "unknown_command": (USAGE, "nosuch", "nosuch"),
    "unknown_snapshot_command": (USAGE, "snapshot chekc", "chekc"),
    "unknown_option": (USAGE, "count --nosuch", "--nosuch"),
    "no_number": (USAGE, "count --top x", "--top"),
    "negative_number": (USAGE, "count --top -3", "--top"),
    "too_many_targets": (USAGE, "lower a b", "b"),
}
"""Messages that hold words of Python, JAX, MLIR or Typer, which change: only what is ours is kept."""

HLO = """HloModule m, entry_computation_layout={(f32[3]{0})->f32[3]{0}}

%f (x: f32[3]) -> f32[3] {
  %x = f32[3]{0} parameter(0)
  ROOT %s = f32[3]{0} sine(%x)
}

ENTRY %e (a: f32[3]) -> f32[3] {
  %a = f32[3]{0} parameter(0)
  %b = f32[3]{0} negate(%a)
  ROOT %c = f32[3]{0} fusion(%b), kind=kLoop, calls=%f
}
"""
DAMAGED_HLO = {
    "operand_lost": ("  %b = f32[3]{0} negate(%a)\n", ""),
    "computation_lost": (HLO[HLO.index("%f (") : HLO.index("ENTRY")], ""),
    "root_lost": ("  ROOT %c = f32[3]{0} fusion(%b), kind=kLoop, calls=%f\n", ""),
    "attribute": ("kind=kLoop", "knd=kLoop"),
}
"""What is taken out of an HLO text, or written in its place, by the name of the file."""

EXPORTED = bytes.fromhex(
    "280000002400440042003c003800340030002c002a00240020001c001800140010000c000a000400240000004000000040000000"
)
"""How a file of ``jax.export.Exported.serialize`` begins; it goes on with tables, and holds a module's bytecode."""

OTHERS_WORDS = r"^(error: (?:(?:\S+ )+failed to \w+: |cannot read \S+ |\S+ is not JSON: )?).*$"


@pytest.fixture(scope="module", autouse=True)
def files(folder: Path) -> None:
    """Bad files of every sort."""
    for name, text in {**MODULES, "hard": HARD}.items():
        (folder / f"{name}.py").write_text(text)
    import ltc_ir

    text = ltc_ir.lower("mine:energy")
    (folder / "stored.mlir").write_bytes(text)
    (folder / "truncated.mlir").write_bytes(text[: len(text) // 2])
    bytecode = ltc_ir.lower("mine:energy", form="bytecode")
    (folder / "truncated.mlirbc").write_bytes(bytecode[: len(bytecode) // 2])
    record = ltc_ir.count("mine:energy", programs=["forward"], levels=["jaxpr"]).to_dict()
    (folder / "hello.txt").write_text("hello\n")
    (folder / "empty.mlir").write_text("")
    (folder / "custom.mlir").write_text("func.func @f(%a: tensor<f32>) {\n  foo.bar %a : tensor<f32>\n  return\n}\n")
    (folder / "exported.bin").write_bytes(EXPORTED + ltc_ir.lower("mine:energy", form="bytecode"))
    (folder / "broken.json").write_text(json.dumps(record, indent=2)[:40])
    (folder / "bare.json").write_text('{"schema": 1, "kind": "count"}')
    for name, (old, new) in DAMAGED_HLO.items():
        assert old in HLO
        (folder / f"{name}.hlo").write_text(HLO.replace(old, new))
    (folder / "newer.json").write_text(json.dumps(record | {"schema": 99}))
    (folder / "other.json").write_text('{"a": 1}')
    for name, text in _snapshots().items():
        place = folder / name / "mine" / ("grad@0.10.toml" if name == "moved" else "forward@0.10.toml")
        place.parent.mkdir(parents=True)
        place.write_text(text)


def _snapshots() -> dict[str, str]:
    """Snapshots that cannot be used, by the folder each lies in."""
    facts = LevelFacts({("primal", "mine:energy"): {"mul": 1}}, fingerprint="a1")
    lowered = LevelFacts({}, metrics={"lines": 5, "constants.embedded.bytes": 0}, fingerprint="b2")
    levels = {"jaxpr": facts, "stablehlo": lowered}
    text = layout.dumps(Snapshot("mine", "forward", Identity("0.10"), Provenance("0.10.2", "0.10.2"), levels))
    return {
        "conflict": text.replace("mul = 1\n", "<<<<<<< ours\nmul = 2\n=======\nmul = 3\n>>>>>>> theirs\n"),
        "short": text[: text.index("[end]")],
        "newer": text.replace("schema = 1", "schema = 99"),
        "moved": text,
        "wrong": text.replace("mul = 1", "mul = true"),
        "lost": text.replace('fingerprint = "b2"\n', ""),
    }


def one_error(ran: Ran, code: int) -> None:
    assert ran.code == code, ran.err
    assert ran.out == ""
    assert len(ran.errors) == 1, ran.err
    assert len(ran.hints) <= 1, ran.err
    assert "Traceback" not in ran.err


@pytest.mark.versions
@pytest.mark.parametrize("name", OURS)
def test_message_hint_and_code(name: str, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, line = OURS[name]
    monkeypatch.delenv("CI", raising=False)
    for variable, value in VARIABLES.get(name, {}).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"module {}")))
    ran = command(*shlex.split(line))
    one_error(ran, code)
    assert len(ran.err.splitlines()) == len(ran.errors) + len(ran.hints), ran.err
    golden.check(_shown(line, ran, folder), f"messages/{name}.txt")


@pytest.mark.versions
@pytest.mark.parametrize("name", THEIRS)
def test_hint_and_code_where_the_words_are_others(name: str, command: Command, folder: Path) -> None:
    code, line, told = THEIRS[name]
    ran = command(*line.split(), *(["f32[8,128] f32[2,3]"] if line.endswith("--args") else []))
    one_error(ran, code)
    assert told in ran.errors[0]
    ran.err = re.sub(OTHERS_WORDS, r"\1…", ran.err, flags=re.MULTILINE)
    golden.check(_shown(line, ran, folder), f"messages/{name}.txt")


def _shown(line: str, ran: Ran, folder: Path) -> str:
    return golden.scrubbed(f"$ ltc-ir {line}\nexit {ran.code}\n{ran.err}", folder)


def test_what_a_script_prints_before_it_exits_stays_on_stderr(command: Command) -> None:
    ran = command("count", "parses:f")
    one_error(ran, TARGET_FAILED)
    assert "usage: parses" in ran.err
    assert "__main__" in ran.hints[0]


PROJECTS = {
    "project_no_toml": "[tool.ltc-ir\n",
    "project_no_table": "[tool]\nltc-ir = 3\n",
    "project_targets_no_table": "[tool.ltc-ir]\ntargets = 3\n",
    "project_target_no_function": "[tool.ltc-ir.targets]\nmine = 3\n",
    "project_target_without_target": '[tool.ltc-ir.targets]\nmine = {loss = "sum"}\n',
    "project_unknown_key": '[tool.ltc-ir.targets]\nmine = {target = "mine:step", lost = "sum"}\n',
    "project_wrong_type": '[tool.ltc-ir.targets]\nmine = {target = "mine:step", argnums = ["a"]}\n',
    "project_list_for_one": '[tool.ltc-ir.targets]\nmine = {target = "mine:step", args = ["f32[8]"]}\n',
}


@pytest.mark.parametrize("name", PROJECTS)
@pytest.mark.parametrize("line", ["targets", "count mine"])
def test_a_broken_project_file(
    name: str, line: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECTS[name])
    monkeypatch.chdir(tmp_path)
    ran = command(*line.split())
    one_error(ran, USAGE)
    if name == "project_no_toml":
        ran.err = re.sub(r"(not valid TOML: ).*", r"\1…", ran.err)
    golden.check(golden.scrubbed(f"exit {ran.code}\n{ran.err}", tmp_path), f"messages/{name}.txt")


GUARDS = {
    "guard_unknown_key": 'directory = "kept"\n',
    "guard_wrong_type": 'targets = "ltc"\n',
    "guard_rule_with_an_unknown_key": 'rules = [{rule = "while = 0", target = "ltc"}]\n',
    "guard_rule_that_is_none": 'rules = ["while 0"]\n',
    "guard_waiver_without_a_reason": 'waivers = [{op = "add", until = 2027-01-31}]\n',
    "guard_waiver_without_a_day": 'waivers = [{op = "add", reason = "mixed precision"}]\n',
}
"""What a project may say wrongly of its snapshots."""


@pytest.mark.parametrize("name", GUARDS)
def test_a_broken_guard(name: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.ltc-ir.snapshots]\n{GUARDS[name]}")
    monkeypatch.chdir(tmp_path)
    ran = command("snapshot", "check", "ltc")
    one_error(ran, USAGE)
    golden.check(golden.scrubbed(f"{GUARDS[name]}exit {ran.code}\n{ran.err}", tmp_path), f"messages/{name}.txt")


LONG = "x" * 5000
HARD_NAMES = [
    "", "~", ":", "::", ":f", "f:", ".:f", "..:f", "a..b:f", ".a:f", "a.:f", "a\0b:f", "a\0b.py:f", "a\0b.mlir", "\ud800",
    "\ud800:f", "\ud800.py:f", "\ud800.mlir", LONG, f"{LONG}:f", f"{LONG}.py:f", f"{LONG}.mlir", f"mine:{LONG}",
    "mine:energy.", "mine:.energy", "mine.py/:f", "mine.py/x.mlir", "folder/", "loop.mlir", "loop.py:f", "gone.mlir",
    "pipe.py:f", "zero.mlir", "zero.py:f", "/dev",
]  # fmt: skip
"""Names that no target has, most of which no file can have."""


@pytest.fixture(scope="module")
def hard_files(folder: Path) -> None:
    """What is not a file, by names that commands are given."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe.py")
    for name, place in {"loop.mlir": "loop.mlir", "loop.py": "loop.py", "gone.mlir": "nowhere"}.items():
        (folder / name).symlink_to(place)
    for name in ("zero.mlir", "zero.py"):
        (folder / name).symlink_to("/dev/zero")


@pytest.mark.parametrize("name", HARD_NAMES, ids=lambda name: ascii(name[:20])[1:-1])
@pytest.mark.parametrize("line", ["count", "diff mine:energy", "count mine:step --args"])
def test_a_hard_name_is_refused_in_one_line(line: str, name: str, command: Command, hard_files: None) -> None:
    ran = command(*line.split(), name)
    if name in {"", "a\0b:f"} and "--args" in line:
        assert ran.code in {USAGE, TARGET_FAILED}
        return
    one_error(ran, USAGE)


@pytest.mark.parametrize(
    "name", [LONG, "a\0b", "\ud800", "loop.mlir", "mine.py", "mine.py/x", "zero.mlir", f"{LONG}/x"]
)
def test_a_folder_of_snapshots_that_cannot_be_is_refused(name: str, command: Command, hard_files: None) -> None:
    for verb in ("list", "show"):
        one_error(command("snapshot", verb, "--dir", name), USAGE)


def test_every_golden_is_somebodys() -> None:
    kept = {path.stem for path in (golden.HERE / "messages").glob("*.txt")} - ELSEWHERE
    assert kept == {*OURS, *THEIRS, *PROJECTS, *GUARDS}


def test_verbose_shows_the_traceback_after_the_message(command: Command) -> None:
    ran = command("count", "mine:fails", "--args", "f32[2]", "--verbose")
    assert ran.code == TARGET_FAILED
    assert len(ran.errors) == 1
    assert ran.err.index("error: ") < ran.err.index("Traceback (most recent call last)")
    assert 'raise RuntimeError("boom' in ran.err


def test_quiet_still_says_what_failed(command: Command) -> None:
    ran = command("count", "nosuch", "--quiet")
    one_error(ran, USAGE)


def test_a_command_line_without_a_command_shows_the_help_on_stderr(command: Command) -> None:
    ran = command()
    assert (ran.code, ran.out) == (USAGE, "")
    assert "Commands:" in ran.err


def test_an_unwritable_output_is_refused_before_the_work(command: Command, folder: Path) -> None:
    (folder / "leaves.py").write_text("open('imported', 'w').close()\ndef f(): return 1.0\n")
    one_error(command("count", "leaves:f", "-o", "nofolder/out"), USAGE)
    assert not (folder / "imported").exists()


def test_a_failed_run_leaves_the_old_file(command: Command, folder: Path) -> None:
    kept = folder / "kept.mlir"
    kept.write_text("old")
    one_error(command("lower", "mine:fails", "--args", "f32[2]", "-o", str(kept)), TARGET_FAILED)
    assert kept.read_text() == "old"
    assert not list(folder.glob(".kept*"))


@pytest.mark.parametrize("line", ["targets", "--help", "lower mine:energy", "count mine:energy --level jaxpr"])
def test_a_full_disk_behind_stdout(line: str, folder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = _started(line.split(), folder, stdout=full)
        err = done.communicate(timeout=60)[1]
    one_error(Ran(done.returncode, "", err), USAGE)
    assert "cannot write standard output" in err


def test_a_closed_standard_output(folder: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" targets >&-', program()],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    one_error(Ran(done.returncode, done.stdout, done.stderr), USAGE)


@pytest.mark.parametrize("line", ["lower mine:energy --grad", "targets", "--help"])
def test_a_closed_pipe_is_silent_and_no_failure(line: str, folder: Path) -> None:
    with _started(line.split(), folder, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0


def test_head_of_a_long_output_ends_well(folder: Path) -> None:
    (folder / "long.py").write_text("def f(x):\n    for _ in range(3000): x = x * x\n    return x\nf_args = (1.0,)\n")
    done = subprocess.run(
        ["bash", "-c", '"$0" lower long.py:f | head -1; echo "${PIPESTATUS[0]}"', program()],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    first, code = done.stdout.splitlines()
    assert first.startswith("module @jit_f")
    assert (code, done.stderr) == ("0", "")


SLEEPER = """
import pathlib, time
def f(x):
    pathlib.Path("tracing").touch()
    time.sleep(60)
    return x
f_args = (1.0,)
"""


def test_an_interrupt_is_one_line_and_leaves_the_old_file(folder: Path) -> None:
    (folder / "sleeper.py").write_text(SLEEPER)
    (folder / "old.mlir").write_text("old")
    child = _started(["lower", "sleeper.py:f", "-o", "old.mlir"], folder, stdout=subprocess.PIPE)
    for _ in _until(60):
        if (folder / "tracing").exists():
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, "", "interrupted\n")
    assert (folder / "old.mlir").read_text() == "old"


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)
    raise TimeoutError


def _started(argv: list[str], folder: Path, stdout: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program(), *argv], cwd=folder, env=environment(), stdout=stdout, stderr=subprocess.PIPE, text=True
    )  # type: ignore[call-overload, no-any-return]


def test_the_program_itself_ends_with_the_code(folder: Path) -> None:
    one_error(run_program("count", "nosuch", folder=folder), USAGE)


def test_a_bug_of_ours_is_70_with_a_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from ltc_ir import config

    monkeypatch.setattr(config, "targets", lambda: 1 / 0)
    ran = command("targets")
    assert (ran.code, ran.out) == (70, "")
    assert "ZeroDivisionError" in ran.err
    assert len(ran.errors) == 1 and "bug" in ran.errors[0]


@pytest.mark.skip(reason="the program signals itself, which is now its own doing: it needs a signal from outside")
def test_an_interrupt_that_an_import_turned_into_its_own_error_is_no_bug(folder: Path) -> None:
    (folder / "extension.py").write_text(
        "import os, signal, time\ntry:\n    os.kill(os.getppid(), signal.SIGINT)\n    time.sleep(1000)\n"
        "except KeyboardInterrupt as error:\n"
        "    raise ImportError('Encountered an error while initializing the extension.') from error\n"
    )
    ran = run_program("lower", "extension.py:f", folder=folder)
    assert (ran.code, ran.out, ran.err) == (130, "", "interrupted\n")


@pytest.mark.skip(reason="the program signals itself, which is now its own doing: it needs a signal from outside")
@pytest.mark.versions
def test_an_interrupt_waits_until_jax_is_imported(folder: Path) -> None:
    """Broken off inside an extension of jaxlib, the import ends the process with an abort."""
    (folder / "jax").mkdir(exist_ok=True)
    (folder / "jax" / "__init__.py").write_text(
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(0.3)\n"
        "print('imported whole')\nraise ImportError('and then some')\n"
    )
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    ran = run_program("lower", "ltc", folder=folder, PYTHONPATH=path)
    assert (ran.code, ran.out, ran.err) == (130, "", "imported whole\ninterrupted\n")


@pytest.mark.skip(reason="the program signals itself, which is now its own doing: it needs a signal from outside")
def test_an_interrupt_that_a_collector_s_callback_swallows_comes_again(folder: Path) -> None:
    (folder / "swallows.py").write_text(
        "import gc, os, signal, time\n"
        "def callback(phase, info):\n"
        "    gc.callbacks.remove(callback)\n    os.kill(os.getppid(), signal.SIGINT)\n    time.sleep(0.3)\n"
        "def f(x):\n    gc.callbacks.append(callback)\n    gc.collect()\n    time.sleep(1000)\n    return x\nf_args = (1.0,)\n"
    )
    ran = run_program("lower", "swallows.py:f", folder=folder)
    assert (ran.code, ran.out, ran.err) == (130, "", "interrupted\n")


@pytest.mark.versions
@pytest.mark.parametrize("line", ["lower ltc", "count ltc --rule 'while = 1'", "count mine:step"])
def test_a_platform_that_jax_does_not_find_is_named(line: str, folder: Path) -> None:
    for platform in ("cuda", "abacus"):
        ran = run_program(*shlex.split(line), folder=folder, JAX_PLATFORMS=platform)
        assert (ran.code, ran.out) == (USAGE, "")
        assert ran.errors == [f"error: JAX found no platform {platform!r} here"]
        assert "JAX_PLATFORMS" in ran.hints[0]


@pytest.mark.versions
def test_an_exit_while_tracing_is_no_script_s(command: Command, folder: Path) -> None:
    (folder / "leaving.py").write_text("def f(x):\n    raise SystemExit(3)\nf_args = (1.0,)\n")
    ran = command("lower", "leaving.py:f")
    assert ran.code == TARGET_FAILED
    assert ran.errors == ["error: leaving.py:f forward failed to trace: SystemExit: 3 (leaving.py:2)"]
    assert "__main__" not in ran.err


@pytest.mark.versions
def test_an_exception_that_cannot_say_what_it_is_is_the_targets_own(folder: Path) -> None:
    (folder / "mute.py").write_text(
        "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError\n"
        "def f(x):\n    raise Mute\nf_args = (1.0,)\n"
    )
    ran = run_program("lower", "mute.py:f", folder=folder)
    assert (ran.code, ran.out) == (TARGET_FAILED, "")
    assert ran.err.startswith("error: mute.py:f forward failed to trace: Mute: no message (mute.py:5)\n")
