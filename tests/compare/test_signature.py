"""What changed of arguments, results and types, in sentences, and which of it is growth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_ir.compare.diff import diff_counts
from ltc_ir.compare.facts import count_snapshot
from ltc_ir.compare.signature import bytes_of, compare_signatures, sharding_in_words, wider
from ltc_ir.records.element_types import bits_of
from ltc_ir.records.serialization import dumps, loads
from ltc_ir.records.signature import Signature, TypedOperation, Value
from tests.compare.inventories import JAXPR, inventory, snapshot

W = Value("params.w", "bf16[8,128]", donated=True, aliases=0, sharding="")
B = Value("params.b", "f32[8]", donated=False, sharding="")
OUT = Value("0", "bf16[8,128]", sharding="")
BASE = Signature((W, B), (OUT,), {"n": "3"}, {}, (TypedOperation("dot_general", "bf16,bf16->bf16", "m:f", 3),))
TYPES = st.builds(
    "{}[{}]".format,
    st.sampled_from(["f32", "bf16", "i8", "f8_e4m3fn", "key<fry>"]),
    st.sampled_from(["", "3", "8,0,2"]),
)
VALUES = st.builds(
    Value,
    name=st.text("abc.0", min_size=1),
    type=TYPES,
    weak=st.booleans(),
    donated=st.booleans(),
    aliases=st.none() | st.integers(0, 99),
    sharding=st.sampled_from(["", "replicated", "(d, -) over d=4", "devices=[4,1]<=[4]"]),
)


def said(after: Signature, before: Signature = BASE) -> list[tuple[str, bool]]:
    return [(change.words, change.grown) for change in compare_signatures(before, after)]


def arguments(*values: Value) -> Signature:
    return replace(BASE, arguments=values)


@given(VALUES)
def test_a_value_comes_back_from_its_line(value: Value) -> None:
    assert Value.parse(value.name, value.text) == value


@pytest.mark.parametrize("text", ["", "weak ", "donated f32[2]", "f32[2] for result x", "f32[2] sharded "])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the type of an argument or result"):
        Value.parse("x", text)


@pytest.mark.parametrize(
    ("after", "words", "grown"),
    [
        (arguments(replace(W, donated=False, aliases=None), B), "argument params.w is no longer donated (2 KiB)", True),
        (
            arguments(replace(W, donated=True), replace(B, donated=True)),
            "argument params.b is donated (32 bytes)",
            False,
        ),
        (arguments(W, replace(B, type="f64[8]")), "argument params.b became f64[8] (was f32[8])", True),
        (arguments(W, replace(B, type="bf16[8]")), "argument params.b became bf16[8] (was f32[8])", False),
        (arguments(W, replace(B, weak=True)), "argument params.b became weak f32[8] (was f32[8])", False),
        (arguments(W), "argument params.b is gone: it was f32[8]", False),
        (arguments(B), "argument params.w is gone: it was bf16[8,128], donated", False),
        (arguments(W, B, Value("x", "i32[]")), "argument x is new: i32[]", False),
        (
            arguments(W, replace(B, sharding="(d) over d=4")),
            "argument params.b is sharded over d (was sharded as XLA chooses)",
            False,
        ),
        (replace(BASE, statics={"n": "4"}), "static argument n is 4 (was 3)", False),
        (replace(BASE, statics={}), "static argument n is gone: it was 3", False),
        (replace(BASE, statics={"n": "3", "m": "f"}), "static argument m is new: f", False),
    ],
)
def test_each_change_is_a_sentence(after: Signature, words: str, grown: bool) -> None:
    assert said(after) == [(words, grown)]


def test_renamed_arguments_and_static_values_are_the_same() -> None:
    after = replace(BASE, arguments=(replace(W, name="p.w"), replace(B, name="p.b")), statics={"length": "3"})
    assert said(after) == []
    assert said(replace(after, arguments=(replace(W, name="p.w", type="f32[8,128]"), B))) == [
        ("argument p.w became f32[8,128] (was bf16[8,128])", True)
    ]


def test_names_that_were_exchanged_are_the_same() -> None:
    assert said(arguments(replace(W, name="params.b"), replace(B, name="params.w"))) == []


def test_a_value_with_a_new_name_is_found_at_another_place() -> None:
    """Leaves of a dictionary are sorted by name: a new name moves them, and must not hide what became of them."""
    moved = replace(W, name="params.z")
    order = ("the arguments are in another order: params.b, params.z (was params.w, params.b)", False)
    assert said(arguments(B, moved)) == [order]
    assert said(arguments(B, replace(moved, donated=False, aliases=None))) == [
        ("argument params.z is no longer donated (2 KiB)", True),
        order,
    ]
    assert said(arguments(B, replace(moved, type="f32[8,128]"))) == [
        ("argument params.z became f32[8,128] (was bf16[8,128])", True),
        order,
    ]


def test_of_values_with_new_names_those_of_one_type_belong_together() -> None:
    before = arguments(Value("p.a", "bf16[4]"), Value("p.b", "i32[]"), Value("p.c", "f32[4]"))
    after = arguments(Value("p.b", "i32[]"), Value("p.x", "f32[4]"), Value("p.y", "bf16[4]"))
    words = "the arguments are in another order: p.b, p.x, p.y (was p.a, p.b, p.c)"
    assert said(after, before) == [(words, False)]


def test_what_is_not_known_of_a_side_is_not_compared() -> None:
    traced = tuple(replace(value, donated=None, aliases=None, sharding=None) for value in BASE.arguments)
    assert said(arguments(*traced)) == []


def test_operations_are_told_with_their_number_and_line_and_counted_once_each() -> None:
    wide = TypedOperation("dot_general", "f32,f32->f32", "m:f", 2, ("m.py:9",))
    after = replace(BASE, operations=(replace(BASE.operations[0], count=1), wide))
    (change,) = compare_signatures(BASE, after)
    assert change.words == "2 dot_general at m.py:9 multiplies f32 (was bf16)"
    assert (change.grown, change.baseline, change.current, change.function) == (True, 16, 32, "m:f")
    assert said(replace(BASE, operations=(*BASE.operations, wide))) == []  # more operations are told by their number
    assert wider(compare_signatures(BASE, after)) == 1


def test_operations_of_another_function_are_found_again() -> None:
    moved = TypedOperation("dot_general", "bf16,bf16->bf16", "m:g", 3)
    assert said(replace(BASE, operations=(moved,))) == []
    wide = replace(moved, types="bf16,bf16->f32")
    assert said(replace(BASE, operations=(wide,))) == [("3 dot_general in m:g gives f32 (was bf16)", True)]


@pytest.mark.parametrize(
    ("sharding", "words"),
    [
        ("", "sharded as XLA chooses"),
        ("replicated", "replicated"),
        ("(-, -) over d=4", "replicated"),
        ("() over d=4", "replicated"),
        ("(a+b, -) over a=2,b=2", "sharded over a, b"),
        ("devices=[4,1]<=[4]", "sharded 4 ways in dimension 0"),
        ("devices=[1,2,2]<=[4]", "sharded 2 ways in dimension 1 and 2 ways in dimension 2"),
        ("maximal", "sharded as maximal"),
    ],
)
def test_shardings_in_words(sharding: str, words: str) -> None:
    assert sharding_in_words(sharding) == words


def test_sizes_of_types() -> None:
    assert [bits_of(name) for name in ("bf16", "f8_e4m3fn", "bool", "c128", "i4", "key<fry>")] == [16, 8, 8, 128, 4, 0]
    assert [bytes_of(kind) for kind in ("f32[8,128]", "bf16[]", "i4[3]", "key<fry>[2]", "f32[n]")] == [
        4096,
        2,
        2,
        None,
        None,
    ]


def test_a_diff_names_them_and_does_not_compare_phases_of_another_attribution() -> None:
    stored = replace(snapshot(inventory()), signature=BASE)
    before, after = count_snapshot(stored), count_snapshot(replace(stored, signature=arguments(W)))
    diff = diff_counts(before, after)
    assert [change.words for change in diff.pairs[0].signature] == ["argument params.b is gone: it was f32[8]"]
    assert not diff.empty
    assert loads(dumps(diff)) == diff
    assert diff_counts(before, before).empty
    moved = inventory(tuple(entry._replace(phase="primal") for entry in JAXPR))
    levels = {
        name: replace(facts, fingerprint=stored.levels[name].fingerprint)
        for name, facts in snapshot(moved).levels.items()
    }
    other = count_snapshot(replace(snapshot(moved), levels=levels, signature=BASE))
    assert not diff_counts(before, other).empty
    older = diff_counts(replace(before, attribution=1), other)
    assert older.empty
    assert any("attributions (1 and 2)" in note for note in older.notes)
