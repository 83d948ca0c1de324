"""The vocabularies hold every name that a program can have, so that a rule about an absent operation is not called misspelt."""

from __future__ import annotations

import subprocess
import sys

import jax
import pytest

from ltc_ir.rules.names import vocabulary
from tests import catalogue, vocabulary_file
from tests.tables.counted import counted, levels_of, plain

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]


@pytest.mark.parametrize("program", catalogue.names())
def test_every_name_of_a_test_program_is_known_at_its_level(program):
    made = counted(program)
    for level in levels_of(program):
        assert {plain(name) for name in made[level].tally.ops} <= vocabulary(level)


@pytest.mark.parametrize(
    ("level", "known", "unknown"),
    [
        ("jaxpr", ["dot_general", "scan", "pjit", "jit", "custom_vjp_call", "shard_map", "pure_callback"], ["dot", "scann"]),
        ("stablehlo", ["dot_general", "while", "custom_call", "erf", "func", "module"], ["scan_", "stablehlo.add", "zgather"]),
        ("hlo", ["dot", "fusion", "all_reduce", "custom_call"], ["all-reduce", "dot_general"]),
        ("llvm", [], ["add"]),
    ],
)  # fmt: skip
def test_a_level_knows_its_own_names_and_no_others(level, known, unknown):
    assert set(known) <= vocabulary(level)
    assert not set(unknown) & vocabulary(level)


def test_the_file_has_every_name_of_this_jax():
    if jax.__version__ not in vocabulary_file.held()[vocabulary_file.MADE_WITH]:
        pytest.skip("python -m tests.vocabulary_file --update was not run with this JAX")
    command = [sys.executable, "-m", "tests.vocabulary_file"]
    done = subprocess.run(command, cwd=vocabulary_file.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
