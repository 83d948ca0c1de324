"""Every kind of record survives JSON to the byte, and whatever is damaged ends in one clear line."""

from __future__ import annotations

import ast
import copy
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ltc_ir
from ltc_ir.errors import UsageError
from ltc_ir.records import serialization, vocabulary
from ltc_ir.records.count import Count, Executed, LevelCount, Tally, make_tally
from ltc_ir.records.diff import Change, Diff, GroupChange, LevelDiff, Pair, Side
from ltc_ir.records.environment import Environment
from ltc_ir.records.figures import FIGURES, Figure
from ltc_ir.records.op_table import Constant, ProgramTables, Row, Table, level_count, of_plain, table_of_count, to_plain
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import dumps, from_data, loads, pack, to_data, unpack
from ltc_ir.records.shape import Natural, Number, Shape
from ltc_ir.records.vocabulary import By
from ltc_ir.render.layouts.count import count_sheets
from tests.records.strategies import CLASSES, records

SLOW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def drawn(kind: Any) -> tuple[Any, ...]:
    """Random records of a kind, which the properties below share: to draw one takes longer than to look at it."""
    made: list[Any] = []

    @settings(SLOW, max_examples=12, database=None, phases=[Phase.generate])
    @given(record=records(kind))
    def keep(record: Any) -> None:
        made.append(record)

    keep()
    return tuple(made)


@pytest.fixture(params=CLASSES, ids=lambda kind: kind.kind)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_record_comes_back_from_its_json_to_the_byte(kind: Any) -> None:
    for record in drawn(kind):
        text = dumps(record)
        back = loads(text)
        assert back == record
        assert dumps(back) == text
        assert json.loads(text)["schema"] == 1
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_a_record_comes_back_from_another_process(kind: Any) -> None:
    for record in drawn(kind):
        assert unpack(json.loads(json.dumps(pack(record))), kind, "the answer") == record


# --- what is damaged


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Every table in JSON data."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from dicts(item)


def refused(text: str, kind: Any) -> str:
    """What is said of a damaged record, on one line."""
    with pytest.raises(UsageError) as caught:
        loads(text, "kept.json", kind)
    assert caught.value.message.startswith("kept.json")
    assert len(caught.value.message.splitlines()) == 1 and caught.value.message.isprintable()
    assert caught.value.hint
    return caught.value.message


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3),
    st.just([]), st.just({}), st.just([{}]), st.just({"a": 1}), st.just(10**400),
)  # fmt: skip


@settings(SLOW, max_examples=80)
@given(data=st.data())
def test_whatever_is_changed_a_record_is_read_or_refused_in_one_line(kind: Any, data: st.DataObject) -> None:
    tree = json.loads(dumps(data.draw(st.sampled_from(drawn(kind)))))
    table = data.draw(st.sampled_from(list(dicts(tree))))
    for _ in range(data.draw(st.integers(1, 3))):
        if table and data.draw(st.booleans()):
            table.pop(data.draw(st.sampled_from(sorted(table))))
        key = data.draw(st.sampled_from(sorted(table) or ["x"])) if data.draw(st.booleans()) else data.draw(st.text())
        table[key] = data.draw(JUNK)
    text = json.dumps(tree)
    try:
        record = loads(text, "kept.json", kind)
    except UsageError as error:
        assert error.message.startswith("kept.json") and len(error.message.splitlines()) == 1
    else:
        assert type(record) is kind


@settings(SLOW, max_examples=50)
@given(data=st.data())
def test_a_cut_record_is_refused(kind: Any, data: st.DataObject) -> None:
    text = dumps(data.draw(st.sampled_from(drawn(kind))))
    refused(text[: data.draw(st.integers(0, len(text) - 3))], kind)


def test_the_first_field_of_a_record_is_missed_and_an_unknown_one_named(kind: Any) -> None:
    data = json.loads(dumps(drawn(kind)[0]))
    assert refused(json.dumps({**data, "odd": 1}), kind) == 'kept.json: unknown field "odd"'
    for name in [name for name in ("target", "baseline", "checks", "written") if name in data]:
        less = {key: value for key, value in data.items() if key != name}
        assert refused(json.dumps(less), kind) == f'kept.json: missing field "{name}"'


TALLY = make_tally({"add": 2}, {"primal": {"add": 2}})
LEVEL = LevelCount("jaxpr", TALLY, {"phase": 1.0, "source": 1}, max_depth=0)
COUNT = Count("mine", Environment("0.10.2", devices=1), {"grad": {"jaxpr": LEVEL}})


def changed(change: Any) -> str:
    """A count whose jaxpr of grad is changed."""
    data = copy.deepcopy(to_data(COUNT))
    change(data["programs"]["grad"]["jaxpr"])
    return json.dumps(data)


SHARE = "expected a share from 0 to 1"
PLACE = "kept.json: programs.grad.jaxpr"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda level: level.update(odd=1), f'{PLACE}: unknown field "odd"'),
        (lambda level: level.pop("ops"), f'{PLACE}: missing field "ops"'),
        (lambda level: level.pop("attributed"), f'{PLACE}: missing field "attributed"'),
        (lambda level: level.update(max_depth="1"), f'{PLACE}.max_depth: expected an integer of at least 0, not "1"'),
        (lambda level: level.update(max_depth=-1), f"{PLACE}.max_depth: expected an integer of at least 0, not -1"),
        (lambda level: level.update(max_depth=True), f"{PLACE}.max_depth: expected an integer of at least 0, not true"),
        (lambda level: level.update(max_depth=1.0), f"{PLACE}.max_depth: expected an integer of at least 0, not 1.0"),
        (lambda level: level["ops"].update(add=-2), f"{PLACE}.ops.add: expected an integer of at least 0, not -2"),
        (lambda level: level["ops"].update(add=None), f"{PLACE}.ops.add: expected an integer of at least 0, not null"),
        (lambda level: level["ops"].update(add=""), f'{PLACE}.ops.add: expected an integer of at least 0, not ""'),
        (
            lambda level: level["phases"]["primal"].update(add=None),
            f"{PLACE}.phases.primal.add: expected an integer of at least 0, not null",
        ),
        (lambda level: level["phases"].clear(), f"{PLACE}: the phases do not add up to the operations"),
        (lambda level: level["phases"]["primal"].update(add=1), f"{PLACE}: the phases do not add up to the operations"),
        (lambda level: level["phases"].update(odd={"add": 2}), f"{PLACE}: the phases do not add up to the operations"),
        (lambda level: level["attributed"].update(phase="a"), f'{PLACE}.attributed.phase: {SHARE}, not "a"'),
        (lambda level: level.update(loops=[{}]), f'{PLACE}.loops[0]: missing field "kind"'),
        (lambda level: level.update(loops={}), f"{PLACE}.loops: expected list, not table"),
        (lambda level: level.update(by="source"), f"{PLACE}.by: expected list or null, not text"),
    ],
)  # fmt: skip
def test_the_message_names_the_field_and_where_it_is(change: Any, message: str) -> None:
    assert refused(changed(change), Count) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kept.json is not JSON: Expecting value (line 1)"),
        ("[]", "kept.json is not a record of ltc-ir"),
        ('{"schema": 1}', "kept.json is not a record of ltc-ir"),
        ('{"kind": 3}', "kept.json is not a record of ltc-ir"),
        ('{"kind": "odd", "schema": 1}', 'kept.json is a record of kind "odd", not count'),
        ('{"kind": "diff", "schema": 1}', 'kept.json is a record of kind "diff", not count'),
        ('{"kind": "count"}', "kept.json has schema null; this ltc-ir reads 1"),
        ('{"kind": "count", "schema": 99}', "kept.json has schema 99; this ltc-ir reads 1"),
        ('{"kind": "count", "schema": true}', "kept.json has schema true; this ltc-ir reads 1"),
        ('{"kind": "count", "schema": 1}', 'kept.json: missing field "target"'),
        ('{"kind": "count", "schema": 1, "schema": 1}', 'kept.json: repeated field "schema"'),
        (dumps(COUNT).replace('"total": 2', '"ops": {}'), 'kept.json: repeated field "ops"'),
        (dumps(COUNT).replace('"source": 1', '"source": NaN'), "kept.json: NaN is not a number of JSON"),
        (dumps(COUNT).replace('"source": 1', '"source": -Infinity'), "kept.json: -Infinity is not a number of JSON"),
        (dumps(COUNT).replace('"source": 1', '"source": 1e999'), "kept.json: the number 1e999 is too large"),
        (
            dumps(COUNT).replace('"source": 1', '"source": ' + "9" * 9_999),
            "kept.json: a number has more than 100 digits",
        ),
        (
            dumps(COUNT).replace('"source": 1', '"source": 0.' + "9" * 999),
            "kept.json: a number has more than 100 digits",
        ),
        (
            dumps(COUNT).replace('"source": 1', '"source": 1' + "0" * 100),
            "kept.json: a number has more than 100 digits",
        ),
        (
            dumps(COUNT).replace('"mine"', f'"{"m" * 1_000_001}"'),
            "kept.json: a text has more than 1,000,000 characters",
        ),
        (
            dumps(COUNT).replace('"jaxpr"', '""'),
            'kept.json: programs.grad..level: expected jaxpr, stablehlo or hlo, not ""',
        ),
        ('{"a":' * 200_000, "kept.json: nested too deeply"),
        ('{"kind": "count", "a": ' + "[" * 200 + "]" * 200 + "}", "kept.json: nested too deeply"),
    ],
)
def test_what_is_not_a_count_is_refused_in_words(text: str, message: str) -> None:
    assert refused(text, Count) == message


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match='unknown kind "odd"') as caught:
        loads('{"kind": "odd", "schema": 1}')
    assert "count, diff, check" in str(caught.value.hint)


def test_whole_figures_stay_whole() -> None:
    assert '"source": 1\n' in dumps(loads(dumps(COUNT)))
    assert '"phase": 1.0' in dumps(loads(dumps(COUNT)))


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_a_number_is_not_written(figure: float) -> None:
    level = replace(LEVEL, attributed={"phase": figure})
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(replace(COUNT, programs={"grad": {"jaxpr": level}}))


def test_an_infinite_difference_and_ratio_are_null() -> None:
    level = replace(LEVEL, executed=Executed(Tally(), "measured", difference=math.inf))
    data = to_data(replace(COUNT, programs={"grad": {"jaxpr": level}}))["programs"]["grad"]["jaxpr"]
    assert data["executed"]["difference"] is None
    assert to_data(Change("flops", 5e-324, 1.0))["ratio"] is None


# --- the registry, and what is imported


@dataclass(frozen=True)
class Part:
    """A part of the record below."""

    name: str
    number: Natural
    share: Number | None = None

    SHAPE: ClassVar = Shape(derived=("twice",), optional=("share",), key="name")

    @property
    def twice(self) -> int:
        """Twice the number."""
        return 2 * self.number


@dataclass(frozen=True)
class Novel:
    """A record of a kind that the tool does not have."""

    target: str
    parts: dict[str, Part]
    kind: str = "novel"


def test_a_new_record_needs_its_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(serialization.KINDS, "novel", (f"{__name__}:Novel", "novel"))
    record = Novel("mine", {"a": Part("a", 1), "b": Part("b", 2, 0.5)})
    assert json.loads(dumps(record))["parts"] == {
        "a": {"number": 1, "twice": 2},
        "b": {"number": 2, "share": 0.5, "twice": 4},
    }
    assert loads(dumps(record)) == record


DIFF = Diff(
    Side("a", Environment()), Side("b", Environment()),
    (Pair("forward", "forward", {"jaxpr": LevelDiff("jaxpr", (), (), (GroupChange(Change("m.py:3", 1, 2), ()),))}),),
)  # fmt: skip


def test_a_stored_diff_loads_the_module_of_diffs_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "diff.json").write_text(dumps(DIFF))
    probe = (
        "import sys; from ltc_ir.records.serialization import loads; loads(open('diff.json').read())\n"
        "print(sorted(name for name in sys.modules if name.startswith('ltc_ir.records.')))"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True)
    names = ("diff", "environment", "serialization", "shape", "signature")
    loaded = [name for name in ast.literal_eval(done.stdout) if ".strict" not in name]
    assert loaded == [f"ltc_ir.records.{name}" for name in names]


@pytest.mark.parametrize("argv", [["--help"], ["count", "--help"], ["--version"], ["targets"]])
def test_help_does_not_load_msgspec(argv: list[str]) -> None:
    probe = (
        "import sys; from ltc_ir_cli.app import main\n"
        f"try: main({argv!r})\nexcept SystemExit: pass\nprint('msgspec' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False"


def test_only_serialization_imports_msgspec() -> None:
    root = Path(ltc_ir.__file__).parent
    modules = [path for folder in (root, root.parent / "cli") for path in folder.rglob("*.py")]
    importing = [
        path.relative_to(root.parent).as_posix()
        for path in modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(one.name.partition(".")[0] == "msgspec" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "msgspec")
    ]
    assert set(importing) == {"ltc_ir/records/serialization.py"}


# --- plain data between processes


def test_tables_pass_between_processes_row_by_row() -> None:
    parts = (vocabulary.Part("forward", 4), vocabulary.Part("backward"))
    row = Row("dot_general", "mixed", results=("f32",), attributes=(("target", "x"),), bytes=4, parts=parts)
    constants = (Constant(8, "f32[2]", "primal"),)
    table = Table("hlo", static={row: 3}, figures={"flops": 16, "lines": None}, constants=constants)
    tables = ProgramTables("mine", "grad", 1, {"hlo": table})
    data = json.loads(json.dumps(to_plain(tables)))
    assert isinstance(data["levels"]["hlo"]["static"][0][0], list), "a row, not a table"
    assert of_plain(data) == tables


def test_a_registered_figure_is_counted_shown_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files: the registry, and the reader that measures it."""
    monkeypatch.setitem(FIGURES, "gathers", Figure("gathers", ("stablehlo",)))
    table = Table("stablehlo", static={Row("stablehlo.gather", "primal"): 2}, expanded={}, figures={"gathers": 2})
    count = Count("mine", Environment(), {"forward": {"stablehlo": level_count(table, Request())}})
    assert json.loads(dumps(count))["programs"]["forward"]["stablehlo"]["gathers"] == 2
    again = loads(dumps(count), "it", Count)
    assert again == count and table_of_count(again.programs["forward"]["stablehlo"]).figures["gathers"] == 2
    assert ("stablehlo gathers", 2) in count_sheets(count)[-1].rows


def test_a_request_passes_between_processes() -> None:
    request = Request(by=(By.SOURCE,), ops=frozenset({"scan"}))
    data = json.loads(json.dumps(pack(request)))
    assert unpack(data, Request, "the request") == request
    with pytest.raises(UsageError, match="the request: "):
        unpack({**data, "sources": "two"}, Request, "the request")


def test_a_part_of_a_record_is_read_by_its_type() -> None:
    assert from_data(to_data(TALLY), Tally, "it") == TALLY
    with pytest.raises(UsageError, match='it: missing field "phases"'):
        from_data({"ops": {}}, Tally, "it")


def test_tables_of_a_program_without_operations_come_back_from_another_process() -> None:
    tables = ProgramTables("net", "forward", 1, {"jaxpr": Table("jaxpr", static={}, expanded={})})
    back = of_plain(json.loads(json.dumps(to_plain(tables)))).levels["jaxpr"]
    assert (back.static, back.expanded, back.total) == ({}, {}, 0)
