"""Stored files as targets: told by their content, counted like the live program, refused in one line."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import time
from collections import Counter

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir import files
from ltc_ir.errors import LimitError, LtcIrError, UsageError
from ltc_ir.records.environment import Environment
from ltc_ir.records.request import Request, parse_request
from ltc_ir.records.serialization import dumps, pack, to_data
from ltc_ir.tables import from_file as stored
from ltc_ir.tables.from_file import count_stored, read_stored_text, sniff
from ltc_ir.tables.from_file_child import NO_DEBUG_INFO, SMALL, UNCOUNTED
from ltc_ir.targets import prepare
from tests.tables.stored_programs import forms, originals

pytestmark = [pytest.mark.early, pytest.mark.usefixtures("quick_compile")]

QUESTION = Request()
EMPTY_MAIN = "func.func public @main() {\n  return\n}\n"


@pytest.fixture
def counted(tmp_path):
    """Write a file and count it: what it is called does not matter."""

    def count(data, level="stablehlo", **asked):
        path = tmp_path / "a.file"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        limit_s = asked.pop("limit_s", stored.LIMIT)
        made = count_stored(str(path), parse_request(**asked), limit_s=limit_s)
        return made if level is None else made.programs["file"][level]

    return count


def refused(count, data, kind=UsageError, **asked):
    """The message of a refusal: one line that names the file."""
    with pytest.raises(kind) as caught:
        count(data, **asked)
    assert "a.file" in caught.value.message
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.hint
    assert UNCOUNTED not in caught.value.message
    return caught.value.message


# the same as live


@pytest.fixture(scope="module")
def ltc():
    """The gradient of the LTC: how it counts live, and its files."""
    target = prepare.resolve("ltc")
    live = ltc_ir.count(target, programs=["grad"], levels=["stablehlo"], by=["source"])
    staged = prepare.stage(target, "grad")
    lowered = staged.lowered
    return live.programs["grad"]["stablehlo"], forms(lowered), lowered.as_text()


@pytest.mark.versions
@pytest.mark.parametrize("form", ["text", "debug", "bytecode", "artifact"])
def test_a_file_counts_like_the_live_program(ltc, counted, form):
    live, files, _ = ltc
    made = counted(files[form])
    assert made.tally.ops == live.tally.ops
    assert made.expanded.ops == live.expanded.ops
    assert made.lines == live.lines
    assert made.private_functions == live.private_functions
    assert made.max_depth == live.max_depth
    assert made.constants["embedded_bytes"] == live.constants["embedded_bytes"]
    assert made.loops
    assert times_of(made.loops) == times_of(live.loops)


def times_of(loops):
    """How often each kind of loop is there, whatever its phase and source: a file may not know those."""
    times = Counter()
    for loop in loops:
        times[loop.kind, loop.trip_count] += loop.times
    return times


@pytest.mark.versions
@pytest.mark.parametrize("form", ["text", "debug", "bytecode"])
def test_bytes_are_those_of_the_text_jax_prints(ltc, counted, form):
    live, files, _ = ltc
    assert counted(files[form]).bytes == live.bytes


@pytest.mark.versions
@pytest.mark.parametrize("form", ["debug", "bytecode", "artifact"])
def test_debug_information_tells_phases_and_sources_as_live(ltc, counted, form):
    live, files, _ = ltc
    made = counted(files[form], by=["source"])
    for phase, ops in made.expanded.phases.items():
        if phase != "unattributed":
            missing = Counter(ops) - Counter(live.expanded.phases.get(phase, {}))
            assert not missing, phase  # a file may know less, never other than the live program
    sources = {group.key: group.tally.ops for group in made.by}
    told = {group.key: group.tally.ops for group in live.by if group.key.startswith("ltc_ir/lab/")}
    assert len(told) > 5
    assert {key: sources[key] for key in told} == told
    assert made.tally.phases["backward"]["stablehlo.dot_general"] > 0


@pytest.mark.versions
def test_text_without_debug_information_says_so(counted):
    count = counted(originals()["text"], None)
    made = count.programs["file"]["stablehlo"]
    assert made.attributed == {"phase": 0.0, "source": 0.0}
    assert set(made.tally.phases) == {"unattributed"}
    assert count.notes == (NO_DEBUG_INFO,)
    assert "--debug-info" in count.notes[0]
    assert counted(originals()["debug"], None).notes == ()


def test_lines_of_a_parsed_text_are_no_source(counted):
    body = '"foo.bar"() : () -> () loc("a.py":3:1)\n    "foo.baz"() : () -> ()\n    return'
    text = f"module {{\n  func.func @main() {{\n    {body}\n  }}\n}}"
    made = counted(text, by=["source"])
    assert {group.key: dict(group.tally.ops) for group in made.by} == {
        "a.py:3": {"foo.bar": 1},
        "(no source)": {"builtin.module": 1, "foo.baz": 1, "func.func": 1, "func.return": 1},
    }


@pytest.mark.versions
def test_hlo_is_counted_with_what_a_file_cannot_say(counted):
    count = counted(originals()["hlo"], None)
    made = count.programs["file"]["hlo"]
    assert made.tally.ops["while"] >= 2
    assert (made.flops, made.bytes_accessed, made.memory) == (None, None, None)
    assert {"flops", "bytes_accessed", "memory"} <= set(made.reasons)


def test_elided_tuple_elements_are_told(counted):
    text = "HloModule m\nENTRY e { p = (f32[], f32[]) parameter(0)\n ROOT s = f32[] add(%p#0, %p#1) }"
    notes = counted(text, None).notes
    assert any("2 get-tuple-element" in note for note in notes)


def test_a_record_knows_only_what_a_file_says(counted):
    count = counted(EMPTY_MAIN, None, by=["region"], ops=["return"])
    assert count.environment == Environment()
    assert count.target.endswith("a.file")
    assert count.grouped == ("region",)
    assert count.filters == {"ops": ("return",)}
    made = count.programs["file"]["stablehlo"]
    assert made.tally.ops == {"func.return": 1}
    assert made.constants == {"bytes": None, "embedded_bytes": 0}
    assert made.reasons["constants.bytes"]


def test_the_text_need_not_be_printed(counted):
    made = counted(EMPTY_MAIN, text=False)
    assert (made.lines, made.bytes) == (None, None)
    assert {"lines", "bytes"} <= set(made.reasons)


def test_a_large_file_has_the_lines_and_bytes_of_its_text(counted):
    """Above a size they are found out by a copy of the child."""
    body = "".join(f"    %{n} = stablehlo.add %arg0, %arg0 : tensor<64x64xf32>\n" for n in range(SMALL // 50))
    text = f"module {{\n  func.func @main(%arg0: tensor<64x64xf32>) {{\n{body}    return\n  }}\n}}\n"
    assert len(text) > SMALL
    made = counted(text)
    assert (made.lines, made.bytes) == (len(text.splitlines()), len(text))


# told by content


def test_a_count_record_is_read_without_a_child(tmp_path, counted, monkeypatch):
    count = counted(EMPTY_MAIN, None)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert counted(dumps(count), None) == count


def test_a_record_is_read_cold(tmp_path, counted):
    path = tmp_path / "a.json"
    path.write_text(dumps(counted(EMPTY_MAIN, None)))
    told = "import sys; from ltc_ir.records.request import Request; from ltc_ir.tables.from_file import count_stored;"
    told += f"count_stored({str(path)!r}, Request());"
    told += "print([name for name in ('jax', 'jaxlib', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.versions
def test_reading_mlir_imports_no_jax():
    told = "import sys, ltc_ir.tables.from_file_child as c; q = {'where': 'x', 'target': 'x', 'wants': 'count',"
    told += f"'kind': 'mlir', 'request': {pack(QUESTION)!r}}};"
    told += f"assert c.answer(q, {EMPTY_MAIN.encode()!r}).startswith(b'{{'); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "data, kind",
    [
        (b"ML\xefR\r", "bytecode"),
        (b"module {}", "mlir"),
        (b"// made by hand\n\n  module {}", "mlir"),
        (b"\xef\xbb\xbfmodule {}", "mlir"),
        (b"#loc = loc(unknown)\nmodule {}", "mlir"),
        (b"#map = affine_map<(d0) -> (d0)>", "mlir"),
        (b"!t = tensor<2xf32>", "mlir"),
        (b"func.func @f() { return }", "mlir"),
        (b'"foo.bar"() : () -> ()', "mlir"),
        (b'%0 = "foo.bar"() : () -> i32', "mlir"),
        (b"%0:2 = foo.bar", "mlir"),
        (b"HloModule m, a=b", "hlo"),
        (b"/* x */ // y\n\nHloModule m", "hlo"),
        (b'  {"schema": 1}', "record"),
    ],
)
def test_the_content_tells_what_a_file_is(data, kind):
    assert sniff(data) == kind


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is empty"),
        (b" \n// nothing\n", "is empty"),
        (PNG, "is no IR ltc-ir can read"),
        (bytes(range(256)) * 40, "is no IR ltc-ir can read"),
        (b"import jax\nx = 1\n", "is no IR ltc-ir can read"),
        (b'schema = 1\nkind = "count"\n', "not snapshot"),
        (b"{", "is not JSON"),
        (b'{"a": 1}', "not a record of ltc-ir"),
        (b'{"a":' + b"[" * 200_000, "nested too deeply"),
        (b'{"\xff": 1}', ":1: not UTF-8"),
        (gzip.compress(b"module {}", mtime=0), "is compressed (gzip)"),
        ("module {}".encode("utf-16"), "is UTF-16 or UTF-32"),
        ("module {}".encode("utf-16-le"), "is UTF-16 or UTF-32"),
        ('{"schema": 1}'.encode("utf-16-be"), "is UTF-16 or UTF-32"),
        ('{"schema": 1}'.encode("utf-32"), "is UTF-16 or UTF-32"),
        (b"module {\n  foo bar\n}", "2:3: custom op 'foo' is unknown"),
        (b"func.func @f() { %0 = stablehlo.add %1, %1 : tensor<f32>\n return }", "1:37: "),
        (b"module {\n  func.func @f() {", "2:"),
        (b"ML\xefR\rMLIR24.0.0git\x00garbage", "cannot read"),
        (b"ML\xefR\rStableHLO_v1.0.0\x00garbage", "cannot read"),
        (b"HloModule m\nENTRY e {\n  a = f32[] add(", "line 3"),
        (b"HloModule m", "line 1"),
        (
            b"HloModule m\nENTRY e {\n  %a = f32[] constant(1)\n  ROOT %b = f32[] call(%a), to_apply=f\n}",
            "line 4: 'b' calls 'f', which nothing above it defines",
        ),
    ],
)
def test_what_is_no_ir_is_refused_with_words(counted, data, words):
    assert words in refused(counted, data)


@pytest.mark.versions
@pytest.mark.parametrize("form", ["text", "debug", "bytecode", "artifact", "hlo"])
def test_a_truncated_file_is_refused(counted, form):
    data = originals()[form]
    for part in (0.3, 0.6, 0.9):
        message = refused(counted, data[: int(len(data) * part)], LtcIrError)
        assert "cannot read" in message or "did not survive" in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.mlir", tmp_path):
        with pytest.raises(UsageError) as caught:
            count_stored(str(path), QUESTION)
        assert str(path) in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize("asked", [{"by": ["line"]}, {"phases": ["reverse"]}])
def test_unknown_words_are_refused_with_those_there_are(counted, asked):
    with pytest.raises(UsageError) as caught:
        counted(EMPTY_MAIN, **asked)
    assert caught.value.message.startswith("unknown ")
    assert ", " in caught.value.hint


def test_standard_input_is_a_file():
    told = "from ltc_ir.tables.from_file import count_stored, Request; c = count_stored('-', Request());"
    told += "print(c.target, c.programs['file']['stablehlo'].tally.total)"
    done = subprocess.run([sys.executable, "-c", told], input=EMPTY_MAIN, capture_output=True, text=True, check=True)
    assert done.stdout == "- 3\n"


@pytest.mark.parametrize(
    "data, words", [("", "is empty"), ("hello", "is no IR"), ("module {", "1:7: "), ("{", "is not JSON")]
)
def test_messages_call_standard_input_so(data, words, monkeypatch):
    for read in (lambda: count_stored("-", QUESTION), lambda: read_stored_text("-")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
        with pytest.raises(UsageError) as caught:
            read()
        assert "standard input" in caught.value.message
        assert words in caught.value.message or "is a record" in caught.value.message


def test_standard_input_can_be_read_once(monkeypatch):
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(EMPTY_MAIN.encode())))
        assert count_stored("-", QUESTION).programs
    with pytest.raises(UsageError, match="standard input can be read once"):
        count_stored("-", QUESTION)


def test_an_unknown_dialect_in_its_own_form_is_refused_with_what_helps(counted):
    for result in ("", "%0 = "):
        text = f"func.func @f(%a: tensor<f32>) {{\n  {result}foo.bar %a : tensor<f32>\n  return\n}}\n"
        with pytest.raises(UsageError, match="Dialect `foo' not found") as caught:
            counted(text)
        assert "--mlir-print-op-generic" in caught.value.hint


def test_a_serialised_export_is_told_apart(tmp_path):
    export = pytest.importorskip("jax.export")
    pytest.importorskip("flatbuffers")
    exported = export.export(jax.jit(jnp.sin))(jnp.ones(3))
    with pytest.raises(UsageError, match=r"serialised jax\.export"):
        sniff(bytes(exported.serialize(vjp_order=1)))
    assert sniff(bytes(exported.mlir_module_serialized)) == "bytecode"


def test_a_file_beyond_the_size_is_refused_unread(counted, monkeypatch):
    monkeypatch.setattr(files.read_bytes, "__defaults__", (10,))
    assert "has more than 10 bytes" in refused(counted, EMPTY_MAIN, LimitError)


@pytest.mark.parametrize(
    "location", ['"{0}"', '"{0}"("a.py":1:1)', '"{0}":1:1', '"f"("/{1}.py":1:1)', r'"a\00b.py":1:1']
)
def test_a_location_of_thousands_of_characters_is_read(counted, location):
    place = location.format("x" * 5000, "y/" * 3000)
    text = EMPTY_MAIN.replace("return", f"%0 = stablehlo.constant dense<1.0> : tensor<f32> loc({place})\n return", 1)
    assert text != EMPTY_MAIN
    assert counted(text, by=["source", "function"]).tally.total == 4


def test_attributes_that_double_endlessly_end_at_the_limit(tmp_path):
    aliases = "#a0 = [1]\n" + "".join(f"#a{n} = [#a{n - 1}, #a{n - 1}]\n" for n in range(1, 60))
    (tmp_path / "a.mlir").write_text(f"{aliases}module attributes {{x = #a59}} {{}}\n")
    with pytest.raises(LimitError, match=r"took longer than 3 s|needs more memory|did not survive"):
        count_stored(str(tmp_path / "a.mlir"), QUESTION, limit_s=3)


# what a program may be


def test_unknown_dialects_are_counted_by_name(counted):
    assert counted('"foo.bar"() : () -> ()').tally.ops == {"builtin.module": 1, "foo.bar": 1}
    assert counted('"call"() : () -> ()').tally.ops == {"builtin.module": 1, "call": 1}


def test_several_public_functions_all_run(counted):
    text = "func.func @a() {\n call @c() : () -> ()\n return\n}\nfunc.func @b() {\n call @c() : () -> ()\n return\n}\n"
    made = counted(text + "func.func private @c() {\n return\n}\n")
    assert made.tally.ops["func.return"] == 3
    assert made.expanded.ops["func.return"] == 4
    assert {function.name: function.calls for function in made.functions} == {"a": 1, "b": 1, "c": 2}


def test_a_module_without_functions_is_counted(counted):
    made = counted("module {}")
    assert made.tally.ops == made.expanded.ops == {"builtin.module": 1}


@pytest.mark.parametrize(
    "by", [[], ["source"], ["region"], ["stack"], ["scope"], ["transforms"], ["scope", "transforms"]]
)
def test_recursion_has_no_expanded_count(counted, by):
    text = 'func.func @main() {\n  call @main() : () -> () loc("transpose(jvp(f))/g"("a.py":1:1))\n  return\n}\n'
    made = counted(text, by=by)
    assert made.expanded is None
    assert "calls itself" in made.reasons["expanded"]
    assert made.tally.ops["func.call"] == 1


def nested(depth):
    opening = '"foo.region"() ({\n' * depth
    return opening + '"foo.leaf"() : () -> ()\n' + "}) : () -> ()\n" * depth


def test_regions_nested_2000_deep_are_counted(counted):
    made = counted(nested(2000))
    assert made.tally.ops == {"foo.region": 2000, "foo.leaf": 1, "builtin.module": 1}
    assert made.max_depth == 2001


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_deeper_regions_are_counted_or_end_at_a_limit(counted, depth):
    try:
        assert counted(nested(depth)).tally.ops["foo.region"] == depth
    except LimitError as error:
        assert "did not survive" in error.message or "took longer" in error.message


def test_call_sites_that_name_more_frames_than_memory_holds_end(counted):
    lines = ['#l0 = loc("a.py":1:1)', *(f"#l{n} = loc(callsite(#l{n - 1} at #l{n - 1}))" for n in range(1, 64))]
    text = "\n".join([*lines, "module {", '  "foo.bar"() : () -> () loc(#l63)', "}"])
    assert counted(text, by=["stack"]).tally.ops["foo.bar"] == 1


# the child


def test_a_child_that_dies_is_a_limit(counted, monkeypatch):
    dying = "import os, signal; os.read(0, 1); os.kill(os.getpid(), signal.SIGSEGV)"
    in_place_of_the_child(monkeypatch, dying)
    assert "did not survive" in (message := refused(counted, EMPTY_MAIN, LimitError))
    assert "SIGSEGV" in message


def test_the_time_limit_ends_the_child(counted, monkeypatch):
    in_place_of_the_child(monkeypatch, "import time; time.sleep(60)")
    start = time.monotonic()
    assert "took longer than 0.5 s" in refused(counted, EMPTY_MAIN, LimitError, limit_s=0.5)
    assert time.monotonic() - start < 5


@pytest.fixture
def children(monkeypatch):
    """The children started."""
    started, start = [], subprocess.Popen

    def remembering(*command, **how):
        started.append(start(*command, **how))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remembering)
    return started


def test_no_child_outlives_its_answer(counted, children):
    counted(EMPTY_MAIN)
    assert [child.poll() is not None for child in children] == [True]


def test_an_interrupt_ends_the_child(counted, children, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stored.Worker, "_exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        counted(EMPTY_MAIN)
    assert [child.poll() is not None for child in children] == [True]


def in_place_of_the_child(monkeypatch, program):
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: popen([sys.executable, "-c", program], **how))


def test_what_mlir_prints_reaches_neither_the_answer_nor_the_user(counted, capfd):
    refused(counted, b"ML\xefR\rStableHLO_v1.0.0\x00garbage")
    counted(EMPTY_MAIN)
    assert capfd.readouterr() == ("", "")


def test_code_in_the_current_folder_is_not_run(tmp_path, counted, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')")
    (tmp_path / "struct.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    assert counted(EMPTY_MAIN).tally.total == 3


def test_one_reader_reads_many_files_and_survives_a_bad_one(children):
    request = stored.request_of("x", QUESTION)
    with stored.Reader() as reader:
        assert stored.count_bytes(EMPTY_MAIN.encode(), request, reader).programs
        with pytest.raises(UsageError):
            stored.count_bytes(b"module {", request, reader)
        assert stored.count_bytes(EMPTY_MAIN.encode(), request, reader).programs
    assert len(children) == 1


# the text


@pytest.mark.versions
@pytest.mark.parametrize("form", ["text", "debug", "bytecode", "artifact"])
def test_text_is_printed_without_debug_information(tmp_path, form):
    path = tmp_path / "a"
    path.write_bytes(originals()[form])
    level, text = read_stored_text(str(path))
    assert level == "stablehlo"
    assert "loc(" not in text
    live = originals()["text"].decode()
    if form == "artifact":  # which leaves out attributes that have their usual values
        text, live = ([line.split()[:3] for line in one.splitlines()[1:]] for one in (text, live))
    assert text == live


def test_hlo_text_is_given_as_it_stands(tmp_path):
    path = tmp_path / "a"
    path.write_text("HloModule m\nENTRY e { ROOT c = f32[] constant(1) }")
    assert read_stored_text(str(path)) == ("hlo", path.read_text())


def test_a_record_has_no_text(tmp_path, counted):
    path = tmp_path / "a"
    path.write_text(json.dumps(to_data(counted(EMPTY_MAIN, None))))
    with pytest.raises(UsageError, match="holds no text"):
        read_stored_text(str(path))
