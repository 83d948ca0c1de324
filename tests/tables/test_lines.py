"""Holds the line of every operation of programs that name their lines by sizes, at every level, live and from files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from ltc_ir.records import serialization
from ltc_ir.records.op_table import NO_SOURCE, Row, Table, of_plain
from ltc_ir.records.request import Request
from ltc_ir.records.vocabulary import By, Level
from ltc_ir.tables import from_file
from ltc_ir.tables.live import tables_of
from ltc_ir.targets import lowering, prepare
from ltc_ir.targets.stages import Staged
from ltc_ir.targets.target import Target
from tests.registry import JAX
from tests.tables import line_programs
from tests.tables.counted import plain

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]

FILE = "tests/tables/line_programs.py"
SOURCE = Path(line_programs.__file__).read_text().splitlines()
SIZES = {int(size) for line in SOURCE for size in re.findall(r"\b1\d\d(?=\b|\.0)", line)}
REGION = """
    bitcast broadcast broadcast_in_dim call copy dynamic_slice dynamic_update_slice fusion get_tuple_element jit pjit
    reshape slice squeeze transpose tuple
"""
"""What a line that runs a region does with the region's arrays."""
PLUMBING = """
    bitcast broadcast call constant copy fusion get_tuple_element parameter tuple while
"""
"""What XLA makes without a source."""


def staged(function: Callable[..., Any]) -> tuple[Staged, Target]:
    """A program, differentiated where it can be."""
    differentiable = function.__name__ not in line_programs.WITHOUT_GRADIENT
    target = Target(jax.grad(function) if differentiable else function, (jnp.float32(1.5),), name=function.__name__)
    return prepare.stage(target, "forward"), target


def compiles(function: Callable[..., Any]) -> bool:
    return function.__name__ not in line_programs.NOT_COMPILED


def live(program: Staged, target: Target, levels: tuple[Level, ...] = tuple(Level)) -> Mapping[str, Table]:
    request = Request(levels=levels, details=True, by=(By.SOURCE, By.STACK), text=False)
    return tables_of(program, request, prepare.ownership_of(target), ("lines", "forward")).levels


def stored(program: Staged, form: str) -> Table:
    """The table of a program's file, as ``ltc-ir lower --debug-info`` writes it."""
    data = lowering.text_of(program, form, debug_info=True)
    asked = {
        "wants": "tables",
        "kind": from_file.sniff(data),
        "request": serialization.pack(Request(text=False, details=True)),
    }
    with from_file.Reader() as reader:
        answer = reader.ask(data, {"where": "the file", "target": "the file", **asked})
    (table,) = of_plain(json.loads(answer)).levels.values()
    return table


@cache
def tables(function: Callable[..., Any]) -> Mapping[str, Table]:
    """The tables of a program from its files, then from the live program."""
    program, target = staged(function)
    forms = ("stablehlo", "bytecode", "hlo")[: 3 if compiles(function) else 2]
    return {f"{form} file": stored(program, form) for form in forms} | dict(
        live(program, target, tuple(Level)[: len(forms)])
    )


def size_of(row: Row) -> int | None:
    """The elements of the one array that an operation makes, where a line of the programs names such a size."""
    if row.bytes is None or len(row.results) != 1:
        return None
    size, rest = divmod(row.bytes, {"bool": 1, "c64": 8}.get(row.results[0], 4))
    return size if not rest and size in SIZES else None


def line_of(row: Row) -> str:
    """The text of the line that a row names; empty where it names none of the programs'."""
    file, _, number = row.source.partition(":")
    return SOURCE[int(number) - 1] if file == FILE and number.isdigit() else ""


def is_right(row: Row, size: int) -> bool:
    line = line_of(row)
    return (
        re.search(rf"\b{size}\b", line) is not None
        or ("# region" in line and plain(row.name) in REGION.split())
        or "# rule" in line
        or ("# solver" in line and JAX >= (0, 12))
    )


def wrong_lines(table: Table, of_file: bool) -> Counter[str]:
    """The operations whose line is another's, or no line of the program at all.

    A file does not say which frames lie outside the program: what JAX places at the program as a whole has the line that
    lowered it.
    """
    wrong: Counter[str] = Counter()
    for row, times in table.weights.items():
        if row.source == NO_SOURCE or row.source.endswith("(library)"):
            continue
        if of_file and plain(row.name) in {"constant", "return", "tuple", "parameter"} and size_of(row) is None:
            continue
        size = size_of(row)
        if not line_of(row).strip() if size is None else not is_right(row, size):
            wrong[f"{row.name} of {size} at {row.source}: {line_of(row).strip()}"] += times
    return wrong


def without_line(table: Table) -> Counter[str]:
    """The operations of a named size that have no line, and are not XLA's own."""
    found: Counter[str] = Counter()
    for row, times in table.weights.items():
        if size_of(row) is not None and not line_of(row) and plain(row.name) not in PLUMBING.split():
            found[f"{row.name} of {size_of(row)}"] += times
    return found


@pytest.mark.parametrize("function", line_programs.PROGRAMS, ids=lambda function: function.__name__)
def test_every_operation_has_the_line_that_names_its_size(function: Callable[..., Any]) -> None:
    levels = tables(function)
    assert any(size_of(row) for row in levels["jaxpr"].weights)
    assert {name: wrong for name, table in levels.items() if (wrong := wrong_lines(table, "file" in name))} == {}
    lowered = {name: table for name, table in levels.items() if not name.startswith("hlo")}
    assert {name: found for name, table in lowered.items() if (found := without_line(table))} == {}


OPAQUE = """
    custom_call debug_callback debug_print ffi_call io_callback pallas_call pure_callback
"""
"""Operations that do not say what they do."""
CALL = re.compile(r"callback\(|print\(|kernel\(x\)|library\.through\(|pallas_call\(")
"""What the line of one of them says."""


def opaque(table: Table) -> set[str]:
    """The lines of the operations that call something outside the program."""
    return {line_of(row).strip() for row in table.weights if plain(row.name) in OPAQUE.split()}


@pytest.mark.parametrize(
    ("function", "levels"),
    [
        (line_programs.callbacks, "jaxpr|stablehlo|hlo|stablehlo file|bytecode file|hlo file"),
        (line_programs.foreign, "jaxpr|stablehlo|stablehlo file|bytecode file"),
        (line_programs.kernels, "jaxpr"),
    ],
)
def test_a_callback_a_kernel_and_a_foreign_call_have_the_line_that_calls_them(
    function: Callable[..., Any], levels: str
) -> None:
    for level in levels.split("|"):
        lines = opaque(tables(function)[level])
        assert lines
        assert [line for line in lines if not CALL.search(line)] == [], level


def test_a_kernel_for_another_platform_has_the_line_that_calls_it() -> None:
    target = Target(line_programs.tpu_kernel, (jnp.float32(1.5),))
    program = prepare.stage(target, "forward", "tpu")
    levels = {form: stored(program, form) for form in ("stablehlo", "bytecode")}
    levels |= live(program, target, levels=tuple(Level)[:2])
    called = ["return library.through(call, c), None  # kernel called"]
    assert {name: sorted(opaque(table)) for name, table in levels.items()} == dict.fromkeys(levels, called)
    inside = {line_of(row).strip() for row in levels["jaxpr"].weights if row.name in {"get", "swap"}}
    assert inside == {"o_ref[...] = x_ref[...] * 2.0  # in the kernel"}


@pytest.mark.parametrize("level", ["hlo", "hlo file"])
def test_hardly_any_instruction_is_without_its_line(level: str) -> None:
    if level == "hlo file" and JAX < (0, 7):
        pytest.skip("HLO of JAX 0.6.x has the innermost frame alone, which is often a library's")
    read = [tables(function)[level] for function in line_programs.PROGRAMS if compiles(function)]
    sized = sum(times for table in read for row, times in table.weights.items() if size_of(row))
    assert sum(without_line(table).total() for table in read) < sized / 100


@pytest.mark.parametrize("function", line_programs.PROGRAMS, ids=lambda function: function.__name__)
def test_a_lowered_operation_has_the_stack_of_its_equation(function: Callable[..., Any]) -> None:
    if function.__name__ in {"kernels", "own_rules_in_scan", "solved"}:
        pytest.skip("JAX traces the rule, the kernel or the solver again for lowering")
    levels = tables(function)
    equations, operations = stacks(levels["jaxpr"]), stacks(levels["stablehlo"])
    assert operations
    assert {size: found - equations[size] for size, found in operations.items() if found - equations[size]} == {}


def stacks(table: Table) -> dict[int, set[str]]:
    """The stacks of the operations of each named size, but for what regions do with it."""
    found: dict[int, set[str]] = {}
    for row in table.weights:
        if (size := size_of(row)) is not None and plain(row.name) not in REGION.split():
            found.setdefault(size, set()).add(row.stack)
    return found
