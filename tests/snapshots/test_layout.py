"""A snapshot's file says what the snapshot says, alike for the same facts, and is refused with words where it is damaged."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.errors import UsageError
from ltc_ir.records.snapshot import IN_PROCESS, LevelFacts, Snapshot
from ltc_ir.records.snapshot_toml import dumps, loads, loads_bytes
from tests.snapshots.made import JAXPR, STABLEHLO, USUAL, usual
from tests.snapshots.random_snapshots import snapshots

WHERE = "snapshots/net/grad@0.10.toml"
TEXT = dumps(USUAL)


def refused(text: str | bytes) -> str:
    """The message a text is refused with; whatever else it raises is a failure of the test."""
    with pytest.raises(UsageError) as caught:
        loads_bytes(text if isinstance(text, bytes) else text.encode(), WHERE)
    message = caught.value.message
    assert message.startswith(WHERE)
    assert message.isprintable()
    return message.removeprefix(WHERE)


def line_of(line: str, text: str = TEXT) -> int:
    return text.splitlines().index(line) + 1


VALUE = re.compile(r'("(?:[^"\\]|\\.)*"|[\w-]+) = (?!\[)')
"""The key of a value on one line."""


@settings(max_examples=40, deadline=None)
@given(snapshots, st.sampled_from(["-1", "nan", "1979-05-27", "[1]", "{a = 1}", f"0x{'f' * 5000}"]), st.randoms())
def test_any_wrong_value_is_refused_on_its_line(snapshot: Snapshot, value: str, chosen: random.Random):
    lines = dumps(snapshot).split("\n")
    places = [at for at, line in enumerate(lines) if VALUE.match(line) and not line.startswith(("schema", "whole"))]
    at = chosen.choice(places)
    lines[at] = f"{VALUE.match(lines[at])[1]} = {value}"
    said = refused("\n".join(lines))
    assert said.startswith(f":{at + 1}: ")
    assert ", not " in said


@settings(max_examples=40, deadline=None)
@given(snapshots, st.randoms())
def test_any_unknown_field_is_refused_on_its_line(snapshot: Snapshot, chosen: random.Random):
    lines = dumps(snapshot).split("\n")
    heads = ("[identity]", "[provenance]", "[[accepted]]", "[jaxpr]", "[stablehlo]", "[hlo]")
    at = chosen.choice([at for at, line in enumerate(lines) if line in heads])
    lines.insert(at + 1, "host = 1")
    assert refused("\n".join(lines)).startswith(f':{at + 2}: unknown field "host" in [')


@settings(max_examples=40, deadline=None)
@given(snapshots, st.randoms())
def test_a_snapshot_without_some_lines_is_read_or_refused_in_one_line(snapshot: Snapshot, chosen: random.Random):
    lines = dumps(snapshot).split("\n")
    for _ in range(chosen.randrange(1, 4)):
        del lines[chosen.randrange(len(lines))]
    try:
        loads_bytes("\n".join(lines).encode(), WHERE)
    except UsageError as error:
        assert error.message.startswith(WHERE)
        assert error.message.isprintable()


@settings(max_examples=80, deadline=None)
@given(snapshots)
def test_any_snapshot_comes_back_as_it_was(snapshot: Snapshot):
    text = dumps(snapshot)
    back = loads_bytes(text.encode(), WHERE)
    assert back == snapshot
    assert back.identity.arguments == snapshot.identity.arguments
    assert dumps(back) == text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_the_order_in_which_facts_were_found_does_not_show():
    def turned(facts: LevelFacts) -> LevelFacts:
        ops = {block: dict(reversed(counts.items())) for block, counts in reversed(facts.ops.items())}
        types = {phase: dict(reversed(counts.items())) for phase, counts in reversed(facts.types.items())}
        return replace(facts, ops=ops, types=types, metrics=dict(reversed(facts.metrics.items())))

    levels = {level: turned(facts) for level, facts in reversed(USUAL.levels.items())}
    assert dumps(replace(USUAL, levels=levels)) == TEXT


def test_nothing_counted_is_not_written():
    more = replace(JAXPR, ops={**JAXPR.ops, ("forward", "net:gone"): {"add": 0}, ("primal", "net:none"): {}})
    assert dumps(usual(levels={"jaxpr": more})) == dumps(usual(levels={"jaxpr": JAXPR}))


def test_one_fact_a_line_and_a_blank_line_before_each_block():
    lines = TEXT.splitlines()
    assert "dot_general = 4" in lines
    assert '  "jaxpr total 12 -> 19",' in lines
    assert '"stablehlo.add" = 3' in lines
    assert all(lines[number - 1] == "" for number, line in enumerate(lines) if line.startswith("["))
    assert TEXT.endswith("\n[end]\nwhole = true\n")


def test_a_level_reads_from_the_whole_to_the_parts():
    heads = [line for line in TEXT.splitlines() if line.startswith("[jaxpr")]
    assert heads == [
        "[jaxpr]",
        "[jaxpr.metrics]",
        "[jaxpr.types.forward]",
        "[jaxpr.types.backward]",
        '[jaxpr.ops.forward."net:dense"]',
        '[jaxpr.ops.forward."net:loss"]',
        '[jaxpr.ops.backward."net:dense"]',
        '[jaxpr.ops.backward."net:loss"]',
    ]


def test_a_file_that_begins_with_a_byte_order_mark_is_read():
    assert loads_bytes(b"\xef\xbb\xbf" + TEXT.encode(), WHERE) == loads(TEXT, WHERE)


def test_a_file_that_windows_line_ends_went_through_is_read():
    assert loads(TEXT.replace("\n", "\r\n"), WHERE) == USUAL


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dot_general = 2", "dot_general = true", "is True, not a whole number"),
        ("dot_general = 2", "dot_general = 2.0", "is 2.0, not a whole number"),
        ("dot_general = 2", "dot_general = nan", "is nan, not a whole number"),
        ("dot_general = 2", 'dot_general = "2"', "is '2', not a whole number"),
        ("dot_general = 2", "dot_general = -2", "is -2, not a whole number of 1 or more"),
        ("dot_general = 2", "dot_general = 0", "is 0, not a whole number of 1 or more"),
        ("dot_general = 2", "dot_general = " + "9" * 101, "is a number of more than 100 digits, not a whole number"),
        ("dot_general = 2", "dot_general = 2024-01-01", "not a whole number"),
        ("max_depth = 2", "max_depth = -1", "0 or more"),
        ("devices = 1", "devices = true", "devices is True"),
        ("devices = 1", "devices = 0", "devices is 0, not a whole number of 1 or more"),
        ("x64 = false", "x64 = 0", "x64 is 0, not true or false"),
        ('captured = "twice"', 'captured = "once"', "captured is 'once', not twice or in-process"),
        ('jax = "0.10"', 'jax = "0.10.2"', "not a minor version"),
        ('program = "grad"', 'programme = "grad"', 'missing field "program"'),
        ('arguments = "f32[8]"', 'arguments = "f32[8]"\nhost = "a"', 'unknown field "host" in [identity]'),
        ('reason = "a deeper network"', "reason = 5", "reason is 5, not text in [accepted.0]"),
        ('  "jaxpr total 12 -> 19",', "  12,", "growth holds 12, not text"),
        ("[jaxpr.metrics]", "[jaxpr.measures]", 'unknown field "measures" in [jaxpr]'),
        ("[stablehlo]", "[stablehlo]\ntotal = 3", 'unknown field "total" in [stablehlo]'),
        ("[jaxpr.types.backward]", "[jaxpr.types.sideways]", "'sideways' is none of primal"),
        ("[provenance]", "[origin]", 'missing field "provenance"'),
        ('kind = "snapshot"', 'kind = "count"', "kind is 'count', not snapshot"),
        ("schema = 1", 'schema = "1"', "schema is '1', which no snapshot has"),
        ("schema = 1", f"schema = 0x{'f' * 5000}", "schema a number of more than 100 digits, and this one reads"),
        ("schema = 1", f"schema = [0x{'f' * 5000}]", "schema is a list, which no snapshot has"),
        ('captured = "twice"', "captured = ['twice']", "captured is a list, not twice or in-process"),
        ("[stablehlo]", '[stablehlo]\n"a, not b" = 3', 'unknown field "a, not b" in [stablehlo]'),
        ("schema = 1", "schema = true", "schema is True, which no snapshot has"),
        ("schema = 1", "schema = -1", "schema is -1, which no snapshot has"),
        ("whole = true", "whole = false", "cut short"),
        ("whole = true", "whole = true\nmore = 1", "cut short"),
    ],
)
def test_a_wrong_value_is_refused(old, new, words):
    assert TEXT.count(f"\n{old}\n"), "the test changes nothing"
    assert words in refused(TEXT.replace(f"\n{old}\n", f"\n{new}\n", 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dot_general = 4", "dot_general = -4"),
        ("dot_general = 4", "dot_general = {a = 4}"),
        ('"stablehlo.add" = 3', '"stablehlo.add" = true'),
        ("x64 = false", "x64 = 1"),
        ("lines = 40", "lines = 1e3"),
        ("dot_general = 4", "dot_general = 4 4"),
        ("dot_general = 4", "dot_general = 4\ndot_general = 5"),
        ('program = "grad"', 'program = "grad'),
        ("[jaxpr.types.backward]", "[jaxpr.types.sideways]"),
        ('[jaxpr.ops.backward."net:dense"]', "[jaxpr.ops.backward.dense]\nadd = 0"),
    ],
)
def test_the_line_of_a_wrong_value_is_named(old, new):
    text = TEXT.replace(f"\n{old}\n", f"\n{new}\n", 1)
    changed = line_of(old) + new.count("\n")
    assert refused(text).startswith(f":{changed}: ")


def test_of_two_acceptances_the_wrong_one_is_named():
    text = TEXT.replace("[jaxpr]\n", "[[accepted]]\nreason = 7\n\n[jaxpr]\n", 1)
    assert refused(text).startswith(f":{line_of('reason = 7', text)}: reason is 7")


def test_an_unknown_table_is_named_with_the_first_line_that_has_it():
    text = TEXT.replace("[provenance]", "[origin.deep]", 1)
    data = text.replace("[jaxpr]\n", '[provenance]\njax = "0.10.2"\njaxlib = "0.10.2"\n\n[jaxpr]\n', 1)
    assert refused(data) == f':{line_of("[origin.deep]", data)}: unknown field "origin"'


def test_a_missing_key_is_said_of_its_table():
    text = TEXT.replace('declaration = "c0ffee"\n', "")
    assert refused(text) == f':{line_of("[identity]", text)}: missing field "declaration" in [identity]'


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| 1234abc"])
@pytest.mark.parametrize("line", [1, 20, TEXT.count("\n")])
def test_a_marker_of_a_merge_conflict_is_named_with_its_line(marker, line):
    lines = TEXT.splitlines()
    text = "\n".join([*lines[: line - 1], marker, *lines[line - 1 :]]) + "\n"
    with pytest.raises(UsageError) as caught:
        loads(text, WHERE)
    assert caught.value.message == f"{WHERE}:{line}: a merge conflict is not settled"
    assert "either side" in (caught.value.hint or "") and "snapshot update" in (caught.value.hint or "")


def test_what_a_newer_version_wrote_is_refused_whatever_else_it_holds():
    text = 'schema = 2\nkind = "picture"\nlevels = 7\n'
    assert refused(text) == ": written by a newer ltc-ir: schema 2, and this one reads up to 1"


def test_what_was_written_before_the_first_release_is_brought_up_to_date():
    old = TEXT.replace("schema = 1", "schema = 0").replace('captured = "twice"\n', "")
    assert loads(old, WHERE) == replace(USUAL, captured=IN_PROCESS)
    assert 'missing field "captured"' in refused(TEXT.replace('captured = "twice"\n', ""))


def test_a_file_cut_at_any_line_is_seen_to_be_cut():
    lines = TEXT.splitlines(keepends=True)
    for kept, last in enumerate(lines[:-1], 1):
        within_a_list = last.startswith("  ") or last.endswith("[\n")
        assert ("Invalid" if within_a_list else "cut short") in refused("".join(lines[:kept]))


def test_a_file_cut_at_any_byte_is_seen_to_be_cut():
    data = dumps(usual(target="naïve:schrïtt")).encode()
    chosen = random.Random(0)
    for kept in {*(chosen.randrange(len(data)) for _ in range(200)), *range(len(data) - 30, len(data) - 1)}:
        refused(data[:kept])
    assert loads_bytes(data[:-1], WHERE).program == "grad", "only the last newline is missing"


def test_a_mangled_file_is_read_or_refused_and_never_crashes():
    chosen = random.Random(1)
    refusals = 0
    for _ in range(3000):
        data = bytearray(TEXT.encode())
        for _ in range(chosen.randrange(1, 4)):
            start = chosen.randrange(len(data))
            data[start : start + chosen.randrange(8)] = chosen.choice(PIECES)
        try:
            loads_bytes(bytes(data), WHERE)
        except UsageError as error:
            refusals += 1
            assert error.message.startswith(WHERE)
            assert error.message.isprintable()
    assert refusals > 2000


PIECES = [
    b"", b"\n", b'"', b"'''", b"[", b"[[", b"]", b"=", b"{", b".", b"\xff", b"\x00", b"\\u", b"nan", b"-1", b"1979-05-27",
    b"[[[[[[[[" * 2000, b"9" * 5000, b"\n[a.b.c]\n", b"\n[jaxpr]\n", b"\n[[jaxpr]]\n", b"\n=======\n", b"\xf0\x9f", b"#",
]  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "a = 1\n", "hello", "[schema]\n", "schema = [1]\n"])
def test_what_is_no_snapshot_is_refused(text):
    refused(text)


def merged(base: Snapshot, ours: Snapshot, theirs: Snapshot, folder) -> tuple[int, str]:
    """How many conflicts git leaves between two branches, and what it makes of them."""
    names = []
    for name, snapshot in {"ours": ours, "base": base, "theirs": theirs}.items():
        (folder / name).write_text(dumps(snapshot), encoding="utf-8")
        names.append(str(folder / name))
    done = subprocess.run(["git", "merge-file", "-p", *names], capture_output=True, text=True, check=False)
    assert 0 <= done.returncode < 128, done.stderr
    return done.returncode, done.stdout


def changed(phase: str, function: str, ops: dict[str, int]) -> Snapshot:
    """The usual snapshot after a change to one function: its own operations, and every figure of the whole."""
    new = {**JAXPR.ops[phase, function], **ops}
    more = sum(new.values()) - sum(JAXPR.ops[phase, function].values())
    facts = LevelFacts(
        ops={**JAXPR.ops, (phase, function): new},
        types={**JAXPR.types, phase: {"f32": JAXPR.types[phase]["f32"] + more}},
        metrics={"max_depth": JAXPR.metrics["max_depth"] + more},
        fingerprint=function.encode().hex(),
    )
    return usual(levels={**USUAL.levels, "jaxpr": facts})


NEIGHBOURS = [
    (("forward", "net:dense", {"tanh": 5}), ("forward", "net:loss", {"mul": 9})),
    (("forward", "net:dense", {"zeta": 1}), ("forward", "net:loss", {"abs": 2})),
    (("forward", "net:loss", {"reduce_sum": 3}), ("backward", "net:dense", {"dot_general": 9})),
    (("backward", "net:dense", {"mul": 7}), ("backward", "net:loss", {"mul": 8})),
    (("forward", "net:dense", {"add": 7}), ("backward", "net:loss", {"add": 9})),
]


@pytest.mark.parametrize(("ours", "theirs"), NEIGHBOURS)
def test_branches_that_touch_two_functions_conflict_in_figures_of_the_whole_alone(ours, theirs, tmp_path):
    conflicts, text = merged(USUAL, changed(*ours), changed(*theirs), tmp_path)
    assert conflicts
    last_marker = text.rindex(">>>>>>>")
    assert text.index("[jaxpr]") < text.index("<<<<<<<")
    assert last_marker < text.index("[jaxpr.ops.")
    assert "a merge conflict is not settled" in refused(text)
    for side in (1, 2):
        settled = loads(re.sub(CONFLICT, rf"\{side}", text), WHERE)
        for phase, function, ops in (ours, theirs):
            assert settled.levels["jaxpr"].ops[phase, function].items() >= ops.items()


CONFLICT = re.compile(r"^<{7}.*\n((?:.*\n)*?)={7}\n((?:.*\n)*?)>{7}.*\n", re.MULTILINE)


def test_branches_that_touch_two_levels_merge(tmp_path):
    ours = usual(levels={**USUAL.levels, "jaxpr": replace(JAXPR, fingerprint="00")})
    theirs = usual(accepted=())
    conflicts, text = merged(USUAL, ours, theirs, tmp_path)
    assert not conflicts
    assert loads(text, WHERE) == replace(ours, accepted=())


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"^\[jaxpr\]\n(?:.*\n)*?(?=\[stablehlo\])", 'missing field "jaxpr"'),
        (r"^\[stablehlo\]\n(?:.*\n)*?(?=\[end\])", 'missing field "stablehlo"'),
        (r'^fingerprint = "0f.*\n', "the fingerprint is missing in [jaxpr]"),
        (r'^fingerprint = "88.*\n', "the fingerprint is missing in [stablehlo]"),
        (r"^lines = .*\n", "the metric lines is missing in [stablehlo]"),
        (r'^"constants.embedded.bytes" = .*\n', "the metric constants.embedded.bytes is missing in [stablehlo]"),
    ],
)
def test_a_file_that_lost_facts_which_every_capture_has_is_refused(pattern: str, said: str) -> None:
    cut = re.sub(pattern, "", TEXT, flags=re.M)
    assert cut != TEXT
    with pytest.raises(UsageError, match=re.escape(said)):
        loads(cut, "grad@0.10.toml")


def test_facts_that_two_captures_disagreed_on_may_be_missing() -> None:
    facts = replace(
        STABLEHLO, fingerprint=None, metrics={"constants.embedded.bytes": 0}, unstable=("fingerprint", "metric|lines")
    )
    made = usual(levels={"jaxpr": JAXPR, "stablehlo": facts})
    assert loads(dumps(made), "grad@0.10.toml") == made
