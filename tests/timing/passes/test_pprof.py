"""A pprof profile decoded by the field numbers of profile.proto, by a reader that shares nothing with the writer."""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ltc_ir.escape import escape
from ltc_ir.records.count import Group, LevelCount, Tally
from ltc_ir.render.formats import FORMATS
from ltc_ir.render.pprof import _varint
from tests.timing.passes.made import STACKS, by_stack


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value += (byte & 127) * 2**shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> dict[int, list[Any]]:
    """The fields of a message by number: integers, or the bytes of what has a length."""
    found: dict[int, list[Any]] = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = divmod(key, 8)
        if wire == 0:
            value, at = varint(data, at)
            found[number].append(value)
        else:
            assert wire == 2
            length, at = varint(data, at)
            assert at + length <= len(data)
            found[number].append(data[at : at + length])
            at += length
    return found


def packed(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        found.append(value)
    return found


def profile(data: bytes) -> dict[int, list[Any]]:
    return fields(gzip.decompress(data))


def decoded(data: bytes) -> dict[tuple[str, str | None], int]:
    """Each stack, outermost first, and its phase: how many operations."""
    made = profile(data)
    strings = [text.decode() for text in made[6]]
    assert strings[0] == ""
    functions = {one[1][0]: strings[one[2][0]] for one in map(fields, made[5])}
    locations = {}
    for one in map(fields, made[4]):
        (line,) = map(fields, one[4])
        number = line[2][0] if line[2] else None
        name = functions[line[1][0]]
        locations[one[1][0]] = name if number is None else f"{name}:{number}"
    found: dict[tuple[str, str | None], int] = {}
    for one in map(fields, made[2]):
        stack = ";".join(locations[number] for number in reversed(packed(one[1][0])))
        labels = {strings[label[1][0]]: strings[label[2][0]] for label in map(fields, one[3])}
        (value,) = packed(one[2][0])
        found[stack, labels.get("phase")] = value
    return found


def test_every_stack_and_phase_comes_back_with_its_number():
    expected = {(key, phase): sum(ops.values()) for key, phases in STACKS.items() for phase, ops in phases.items()}
    assert decoded(FORMATS["count"]["pprof"](by_stack())) == expected


def test_values_have_a_name_and_a_unit_and_the_file_says_what_it_is_of():
    made = profile(FORMATS["count"]["pprof"](by_stack()))
    strings = [text.decode() for text in made[6]]
    (kind,) = map(fields, made[1])
    assert (strings[kind[1][0]], strings[kind[2][0]]) == ("operations", "count")
    assert [strings[number] for number in made[13]] == ["ltc-ir count net grad jaxpr, JAX 0.10.2"]


def test_ids_begin_at_1_and_are_given_once():
    made = profile(FORMATS["count"]["pprof"](by_stack()))
    for field in (4, 5):
        ids = [one[1][0] for one in map(fields, made[field])]
        assert sorted(ids) == list(range(1, len(ids) + 1))


def test_a_function_has_its_module_as_file():
    made = profile(FORMATS["count"]["pprof"](by_stack()))
    strings = [text.decode() for text in made[6]]
    files = {strings[one[2][0]]: [strings[file] for file in one[4]] for one in map(fields, made[5])}
    assert files == {"net:loss": ["net"], "net:layer": ["net"], "(no source)": []}


FRAMES = st.text(st.characters(exclude_characters=";", exclude_categories=["Cs"]), min_size=1)
COUNTS = st.dictionaries(st.sampled_from(["forward", "backward"]), st.integers(1, 2**62), min_size=1)


@given(st.dictionaries(st.lists(FRAMES, min_size=1).map(tuple), COUNTS, max_size=6))
@example({("0:0",): {"forward": 1}, ("f:01",): {"forward": 1}})
def test_any_stack_comes_back(stacks: dict[tuple[str, ...], dict[str, int]]):
    groups = tuple(
        Group(";".join(stack), Tally({"op": sum(phases.values())}, {phase: {"op": n} for phase, n in phases.items()}))
        for stack, phases in stacks.items()
    )
    level = LevelCount("jaxpr", Tally(), {}, by=groups)
    found = decoded(FORMATS["count"]["pprof"](replace(by_stack(), programs={"grad": {"jaxpr": level}})))
    expected = {
        (";".join(map(escape, stack)), phase): n for stack, phases in stacks.items() for phase, n in phases.items()
    }
    assert found == expected


def test_one_count_is_the_same_bytes_every_time():
    assert FORMATS["count"]["pprof"](by_stack()) == FORMATS["count"]["pprof"](by_stack())


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63 - 1])
def test_numbers_of_any_size_are_read_back(number: int):
    data = _varint(number)
    assert varint(data, 0) == (number, len(data))
