"""The kinds of what is read from outside: samples of each, how one is read, and what an independent reader finds in it."""

from __future__ import annotations

import json
import os
import random
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.mutants import ir_kinds
from tests.mutants.mutation import mutated
from tests.mutants.running import Ran, run

MANY = "def many(*xs):\n    return 1.0\n"
FIGURES = ("total", "ops", "phases")


def _totals(levels: Mapping[str, Any]) -> dict[str, int]:
    """The sum of the operations of each level, as a record says."""
    return {name: sum(level["ops"].values()) for name, level in levels.items()}


@cache
def record() -> dict[str, Any]:
    """A count of a small program at both levels."""
    import jax
    import jax.numpy as jnp

    import ltc_ir

    def step(x: Any) -> Any:
        return jnp.tanh(x @ x).sum() + jax.lax.fori_loop(0, 3, lambda _, y: y * 2, 1.0)

    target = ltc_ir.Target(step, (jax.ShapeDtypeStruct((3, 3), "float32"),), name="step")
    return dict(ltc_ir.count(target, by=["function"]).to_dict())


def _record_samples() -> list[bytes]:
    forward = {**record(), "programs": {"forward": record()["programs"]["forward"]}}
    return [json.dumps(data, indent=2, sort_keys=True).encode() for data in (record(), forward)]


def _snapshot_samples() -> list[bytes]:
    from ltc_ir.records.snapshot_toml import dumps
    from tests.snapshots.made import usual

    folder = Path(__file__).parents[2] / "snapshots"
    return [dumps(usual()).encode(), *(path.read_bytes() for path in sorted(folder.rglob("forward@*.toml"))[:2])]


def _judge_count(data: bytes, independent: Callable[[bytes], dict[str, dict[str, int]]]) -> tuple[Ran, str | None]:
    """Count a file; what is accepted has the totals that an independent reader finds."""
    Path("mutant").write_bytes(data)
    ran = run("count", "./mutant", "--format", "json")
    if ran.code:
        return ran, None
    programs = json.loads(ran.out)["programs"]
    counted = {name: {level: item["total"] for level, item in levels.items()} for name, levels in programs.items()}
    if {name: _totals(levels) for name, levels in programs.items()} != counted:
        return ran, "accepted, and its totals are not the sums of its operations"
    found = independent(data)
    return ran, None if found == counted else f"accepted with {counted}, and another reader finds {found}"


def _record_totals(data: bytes) -> dict[str, dict[str, int]]:
    programs = json.loads(data.removeprefix(b"\xef\xbb\xbf"))["programs"]
    return {name: _totals(levels) for name, levels in programs.items()}


def _snapshot_totals(data: bytes) -> dict[str, dict[str, int]]:
    text = tomllib.loads(data.removeprefix(b"\xef\xbb\xbf").decode())
    found = {}
    for level in ("jaxpr", "stablehlo", "hlo"):
        if level in text:
            functions = [counts for inner in text[level].get("ops", {}).values() for counts in inner.values()]
            found[level] = sum(sum(counts.values()) for counts in functions)
    return {text["program"]: found}


def _judge_project(data: bytes) -> tuple[Ran, str | None]:
    """List a project's targets, and judge its snapshots' settings; what is listed is what another reader finds."""
    Path("pyproject.toml").write_bytes(data)
    try:
        guard = run("snapshot", "list")
        ran = run("targets", "--format", "json")
    finally:
        Path("pyproject.toml").write_bytes(b"")
    if guard.wrong() or ran.code:
        return (guard if guard.wrong() else ran), None
    listed = {
        row["name"]: row["where"] for row in json.loads(ran.out)["targets"] if row["about"] == "from pyproject.toml"
    }
    entries = (
        tomllib.loads(data.removeprefix(b"\xef\xbb\xbf").decode()).get("tool", {}).get("ltc-ir", {}).get("targets", {})
    )
    found = {name: entry if isinstance(entry, str) else entry["target"] for name, entry in entries.items()}
    return ran, None if set(found) == set(listed) else f"lists {listed}, and another reader finds {found}"


PROJECTS = (
    b"""[project]
name = "mine"
version = "1.0"

[tool.other]
matrix = [[1, 2], [3]]

[tool.ltc-ir.targets]
step = "mine:step"
wide = {target = "many.py:many", args = "f32[8] i32[]", loss = "sum", argnums = [0], rules = ["total <= 20"]}

[tool.ltc-ir.snapshots]
dir = "kept"
targets = ["step"]
rules = ["total +20", {rule = "while = 0", targets = ["step"]}]
waivers = [{op = "dot_general", reason = "why", until = 2027-01-31}]
""",
    b"""[tool.ltc-ir.targets.step]
target = "mine:step"
static_argnums = [1]
static_argnames = ["mode"]
has_aux = true
platform = "cpu"

[[tool.ltc-ir.snapshots.waivers]]
op = "add"
reason = "heads"
until = 2027-01-31
""",
)

ARGS = (b"f32[8,128] i32[] bf16[4]", b"f32[3]", b"pred[2]; u8[1,1,1]", b"key<fry>[] f32[0]", b"f8_e4m3fn[4] c64[2]")
_ARGS = re.compile(r"(?:([a-z][a-z0-9_]*(?:<[a-z0-9_]*>)?)\[ *((?:\d+(?: *, *\d+)*)?) *\][\s,;]*)", re.ASCII)


def _judge_args(data: bytes) -> tuple[Ran, str | None]:
    """Count a function of any arguments; what is accepted has the sizes that another reader finds."""
    text = data.decode(errors="surrogateescape")
    if text.startswith("-"):
        text = f" {text}"
    line = ("--level", "jaxpr", "--program", "forward", "--format", "json")
    ran = run("count", "many.py:many", f"--args={text}", *line)
    if ran.code:
        return ran, None
    values = json.loads(ran.out)["signatures"]["forward"]["arguments"]
    counted = [re.findall(r"\d+", value["type"].partition("[")[2]) for value in values]
    found, place = [], len(text) - len(text.lstrip())
    while place < len(text.rstrip()):
        match = _ARGS.match(text, place)
        if match is None:
            return ran, "accepted, and another reader cannot read it"
        found.append([str(int(size)) for size in re.findall(r"\d+", match[2])])
        place = match.end()
    return ran, None if found == counted else f"accepted as {counted}, and another reader finds {found}"


RULES = (
    b"total <= 40", b"jaxpr:tanh = 1", b"forward/stablehlo:add >= 1", b"primal.dot_general <= 6", b"while = 0",
    b"dot_general[f32,f32->f32] = 1", b"lines <= 200", b"constants.embedded.bytes <= 1MiB", b"max_depth < 3", b"scan = 0",
    b"add != 2", b"total +5%", b"stablehlo:total > 3", b"custom_call[tpu_custom_call] = 0", b"hlo:collectives = 0",
)  # fmt: skip
_SIMPLE = re.compile(r"(?:(jaxpr|stablehlo):)?(total|[a-z_]+) *(=|!=|<=|>=|<|>) *(\d{1,15})", re.ASCII)


def _judge_rule(data: bytes) -> tuple[Ran, str | None]:
    """Judge a rule on a stored count; a plain one holds where an independent calculation says so."""
    text = data.decode(errors="surrogateescape")
    if not text or text.startswith("-"):
        text = f" {text}"
    ran = run("count", "./one.json", f"--rule={text}")
    plain = _SIMPLE.fullmatch(" ".join(text.split()))
    if ran.code not in {0, 1} or plain is None or plain[1] is None:
        return ran, None
    level = record()["programs"]["forward"][plain[1]]
    ops = {name.rpartition(".")[2]: number for name, number in level["ops"].items()}
    if plain[2] != "total" and plain[2] not in ops:
        return ran, None
    value, bound = (level["total"] if plain[2] == "total" else ops[plain[2]]), int(plain[4])
    holds = {"=": value == bound, "!=": value != bound, "<=": value <= bound, ">=": value >= bound, "<": value < bound}
    expected = 0 if holds.get(plain[3], value > bound) else 1
    return ran, None if ran.code == expected else f"exit {ran.code}, and the value is {value}"


LINES = (
    b"count\n./one.json\n--top\n5\n--op\nadd\n--phase\nprimal\n--level\njaxpr\n--format\njson",
    b"count\n./one.json\n--by\nfunction\n--no-text\n--format=csv\n-q",
    b"diff\n./one.json\n./one.json\n--level\njaxpr\n--exit-code\n--format\nmarkdown\n--top\n3",
    b"snapshot\nshow\n--dir\nkept\n--format\njson\n--no-color",
    b"count\nmany.py:many\n--args\nf32[3]\n--argnums\n0\n--static-argnames\nmode\n--level\njaxpr\n-p\nforward",
    b"targets\n--format\njson\n-v",
    b"lower\nmany.py:many\n--args\nf32[3]\n--jaxpr\n-o\nout\n--platform\ncpu\n--no-x64",
)  # fmt: skip


def _judge_line(data: bytes) -> tuple[Ran, str | None]:
    """Run a command line, a word a line."""
    argv = data.decode(errors="surrogateescape").split("\n")
    if any(word in {"update", "prune", "time", "experiment", "doctor", "follow"} for word in argv):
        return Ran(2, "", "error: left out\n", "not run"), None
    ran = run(*argv)
    if ran.code == 2 and "Commands:" in ran.err:
        ran = Ran(2, "", "error: the help\n")
    return ran, None


@dataclass(frozen=True)
class Kind:
    """A kind of input: what messages and the page call it, samples of it, and how one is read and judged."""

    name: str
    samples: Callable[[], Sequence[bytes]]
    judge: Callable[[bytes], tuple[Ran, str | None]]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("record", _record_samples, lambda data: _judge_count(data, _record_totals)),
        Kind("snapshot", _snapshot_samples, lambda data: _judge_count(data, _snapshot_totals)),
        Kind("pyproject", lambda: PROJECTS, _judge_project),
        Kind("args", lambda: ARGS, _judge_args),
        Kind("rule", lambda: RULES, _judge_rule),
        Kind("command line", lambda: LINES, _judge_line),
        Kind("StableHLO text", lambda: ir_kinds.samples("text"), ir_kinds.judge("stablehlo")),
        Kind("MLIR bytecode", lambda: ir_kinds.samples("bytecode"), ir_kinds.judge("stablehlo")),
        Kind("HLO text", lambda: ir_kinds.samples("hlo"), ir_kinds.judge("hlo")),
    )
}


def prepare(folder: Path) -> None:
    """Make a folder the current one, with all that the commands name."""
    os.chdir(folder)
    Path("pyproject.toml").write_bytes(b"")
    Path("many.py").write_text(MANY, encoding="utf-8")
    Path("one.json").write_bytes(_record_samples()[1])


def attack(name: str, numbers: range) -> tuple[Counter[str], list[str]]:
    """How so many mutants of a kind end, by exit code; and what is wrong, each with the number that makes it again."""
    kind = KINDS[name]
    samples = list(kind.samples())
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    for number in numbers:
        chance = random.Random(f"{name} {number}")
        data = mutated(chance.choice(samples), samples, chance)
        ran, found = kind.judge(data)
        ends[ran.end] += 1
        problem = ran.wrong() or found
        if problem:
            wrong.append(f"{name} {number}: {problem}")
    return ends, wrong
