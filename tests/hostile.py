"""Names that attack what reads them, records full of them, and an independent judge of what a format made of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from ltc_ir.records.check import Action, Check, CheckChange, Problem, ProgramCheck, Status, Update, Written
from ltc_ir.records.count import Count, Executed, Function, Group, LevelCount, Loop, RanRegion, Tally, Uncounted
from ltc_ir.records.diff import Change, Diff, GroupChange, LevelDiff, Pair, Side
from ltc_ir.records.environment import Environment
from ltc_ir.records.follow import Coverage, Fate, Follow, FollowedEquation, FollowedKernel, FollowedProgram, Selection
from ltc_ir.records.passes import Kernel, Passes, PassTime, Slice, Thread
from ltc_ir.records.signature import SignatureChange
from ltc_ir.records.snapshot import Acceptance, HloFacts, Identity, LevelFacts, Provenance, Snapshot
from ltc_ir.records.sweep import Growth, ProgramSweep, Sweep, SweepPoint
from ltc_ir.records.timing import Ended, Machine, ProgramTiming, Settings, Stage, Timing
from ltc_ir.render.layouts.listing import Listing

NAMES: Mapping[str, str] = {
    "colour": "a\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;bHM=\x07x",
    "link": "\x1b]8;;https://e.org\x1b\\x\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[1;1H",
    "8-bit control": "a\x9b31m\x9d0;x\x9c",
    "nul": "a\x00b",
    "delete": "a\x7fb\x08\x08",
    "command": "::error::x",
    "command behind spaces": " \u00a0::warning file=a.py,line=1::x",
    "command on a line": "a\n::error::x",
    "command on a line by return": "a\r::error::x",
    "command on a line by others": "a\x0b::error::x\x0c::error::y\x85::error::z\u2028::error::w",
    "set-env": "a\r\n::set-env name=PATH::/x",
    "old command": "x ##[error]y",
    "azure": "##vso[task.setvariable variable=a]b",
    "teamcity": "a\n##teamcity[buildStatus text='x']",
    "bidirectional": "\u202etxt.exe\u202c \u2066a\u2069 \u200e\u200f\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg",
    "separators": "a\u2028b\u2029c\x1cd\x1ee",
    "tags": "a\U000e0041\U000e007f",
    "surrogate": "a\ud800b\udc80",
    "noncharacter": "a\ufffe\uffffb",
    "markup": "[red]a[/red] [/] [link=x]y[/link] :smile: [bold",
    "formula": "=cmd|' /C calc'!A0",
    "formula of other signs": "@SUM(1)+1",
    "formula behind a tab": "\t=1+1",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "plus": "+1 2",
    "cdata": "a]]>b<![CDATA[c--></script><script>alert(1)</script>&amp;&#0;",
    "long": "n" * 5_000 + "e",
    "quotes": "a\"b'c`d\\e\\n",
    "percent": "a%0A::error::b%25%1B",
    "shell": "$(touch x) `touch y`; touch z & | > w",
    "markdown": "|a|b| [x](http://e.org) ![i](x) *b* _c_ ~~d~~ <br> ```",
    "mathtext": r"$\frac{a}{b}$ ^_{",
    "ordinary": "é 中文 😀 e\u0301",
    "format": "{0} {task.description} %s %(x)s",
    "dashes": "--- a\n+++ b",
    "spaces": "  a  ",
}
"""Each kind of attack by name."""

_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\ufffe\uffff\U000e0041")
_BIDIRECTIONAL = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def raw_characters(text: str) -> set[str]:
    """What a terminal obeys or does not show, newlines excepted."""
    return {
        char
        for char in set(text)
        if char != "\n"
        and (
            unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
            or unicodedata.bidirectional(char) in _BIDIRECTIONAL
            or char in _ZERO_WIDTH
            or char in "\u200e\u200f\u061c"
        )
    }


def obeyed_lines(text: str) -> list[str]:
    """The lines that a CI takes for commands: GitHub after white space, its old ones, Azure's and TeamCity's anywhere."""
    return [
        line
        for line in re.split(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)
        if line.strip().startswith("::") or re.search(r"##(\[|vso\[|teamcity\[)", line)
    ]


def cells_of(row: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    assert row.startswith("|") and row.rstrip().endswith("|")
    return re.split(r"(?<!\\)\|", row.strip()[1:-1])


ENVIRONMENT = Environment("0.10.2", "0.10.2", "3.11.7", "cpu", False, 1)
_TALLY = Tally({"N0": 2, "N1": 1}, {"primal": {"N0": 2}, "backward": {"N1": 1}})
_LEVEL = LevelCount(
    "jaxpr", _TALLY, {"phase": 1.0, "source": 1.0}, 1, _TALLY,
    loops=(Loop("while", 3, "primal", "N2", 1),), functions=(Function("N3", 1, 2, 3),),
    executed=Executed(
        _TALLY, "measured", regions=(RanRegion("while", "N4", "primal", "N5", 1, 2),),
        uncounted=(Uncounted("N6", "N7", "primal", "N8", {"N9": 1}),), notes=("N10",),
    ),
    reasons={"N11": "N12"},
)  # fmt: skip
_GROUPED = replace(_LEVEL, by=(Group("N13;N14", _TALLY), Group("N15", _TALLY)), functions=(), loops=(), executed=None)
COUNT = Count("T", ENVIRONMENT, {"P": {"jaxpr": _LEVEL}}, {"N16": "N17"}, notes=("N18",))
GRADIENT = Count("T", ENVIRONMENT, {"forward": {"jaxpr": _LEVEL}, "grad": {"jaxpr": _LEVEL}}, headline=("N0",))
STACKS = Count("T", ENVIRONMENT, {"P": {"jaxpr": _GROUPED}}, grouped=("stack",))
_CHANGES = (Change("N0", 1, 2, {"backward": 1}), Change("N1", 0, 2, {"primal": 2}), Change("N2", 5, None, reason="N3"))
_GROUPS = (GroupChange(Change("N4", 1, 2), _CHANGES),)
DIFF = Diff(
    Side("T", ENVIRONMENT), Side("T2", ENVIRONMENT),
    (
        Pair(
            "P", "P2",
            {"jaxpr": LevelDiff("jaxpr", _CHANGES, (Change("total", 3, 4), *_CHANGES), _GROUPS)},
            (SignatureChange("N5", "jaxpr", "N6", function="N7", sources=("N8",)),),
        ),
    ),
    ("source",), ("N9",),
)  # fmt: skip
_CHANGE = CheckChange("N0", "jaxpr", 0, 1, "backward", "N1", ("N2/N3:3",), "N4", "N5")
_WORDS = CheckChange("N6", "jaxpr", 0, 1, sources=("N7",), waived="N8", words="N9")
_GROWN = ProgramCheck("T", "P", Status.GROWN, (_CHANGE, _WORDS), {"jaxpr": (1, 2)}, "N10", "N11", "N12", ("N13",))
_FAILED = ProgramCheck("T2", "P", Status.ERROR, reason="N14", code=4)
CHECK = Check((_GROWN, _FAILED), (Problem("N15", "N16", 1),), {"N17": "N18"}, notes=(Problem("N19", "N20", 0),))
UPDATE = Update(
    (Written("T", "P", Action.REFUSED, "N0", _GROWN, ("N1",), "N2"), Written("T2", "P", Action.ERROR, None, reason="N3")),
    {"N4": "N5"},
)  # fmt: skip
_FACTS = LevelFacts({("backward", "N0"): {"N1": 3}}, {"backward": {"N2": 1}}, {"N3": 4}, "N4", ("N5",))
SNAPSHOT = Snapshot(
    "T", "P", Identity("0.10", config={"N6": "N7"}, declaration="N8", arguments="N9"), Provenance("0.10.2", "0.10.2"),
    {"jaxpr": _FACTS}, HloFacts("0.10.2", "N10", _FACTS), (Acceptance("N11", ("N12",)),),
)  # fmt: skip
_EQUATION = FollowedEquation(
    1, "N0", ("N1",), "backward", "N2", "N3", "N4", 1, 1, 8, 9, 0, {"N5": 1}, {"N6": 2}, ("N7",), ("N8",), ("N9",),
    Fate.KEPT, reasons={"N10": "N11"},
)  # fmt: skip
_KERNEL = FollowedKernel("N12", "N13", 3, 2, {"N14": 1})
_FOLLOWED = FollowedProgram(1, {"kept": {"backward": 1}}, {"hlo": Coverage(3, 2)}, (_EQUATION,), reasons={"N15": "N16"})
FOLLOW = Follow("T", ENVIRONMENT, Selection(), {"P": _FOLLOWED}, ("N17",))
SELECTED = replace(FOLLOW, selection=Selection(source="N18", op="N19"))
OF_KERNEL = replace(FOLLOW, programs={"P": replace(_FOLLOWED, kernel=_KERNEL)}, selection=Selection(kernel="N12"))
PASSES = Passes(
    "P", 1.0, "N0", (PassTime("N0", ("N1",), 1.0, 0.5, 1), PassTime("N0", ("N1", "N2"), 0.5, 0.5, 1)),
    (Kernel("N3", "N0", 0.1, 1, "N4"),), {}, (Thread("N0", (Slice("N1", 0, 100), Slice("N2", 0, 50, 1, None, "N3"))),),
    ("N5",),
)  # fmt: skip
_STAGE = Stage(0.1, 0.1, 0.1, 3)
_MACHINE = Machine(cpu="N0", cores=2, device="N1", flags="N2")
TIMING = Timing(
    "T", ENVIRONMENT, _MACHINE, Settings(),
    {"P": ProgramTiming({"trace": _STAGE, "compile": None}, reasons={"compile": "N3"}, passes=PASSES)}, {"N4": "N5"},
    Ended(5, "N6", "N7", "N8", "N9"), ("N10",),
)  # fmt: skip
_POINTS = tuple(SweepPoint(size, {"jaxpr": size}, reasons={"hlo": "N0"}) for size in (8, 16))
SWEEP = Sweep(
    "T", "N1", (8, 16), ENVIRONMENT, {"P": ProgramSweep(_POINTS, {"jaxpr": Growth(reason="N2")})}, _MACHINE,
    unavailable={"N3": "N4"}, ended=Ended(5, "N5"), notes=("N6",),
)  # fmt: skip
LISTING = Listing("targets", ({"name": "T", "where": "N0", "about": "N1"}, {"name": "T2", "where": "N2", "about": ""}))

RECORDS: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
    ("count", "count", COUNT, {}),
    ("gradient", "count", GRADIENT, {"grad": True}),
    ("stacks", "count", STACKS, {}),
    ("diff", "diff", DIFF, {}),
    ("check", "check", CHECK, {}),
    ("update", "update", UPDATE, {}),
    ("snapshots", "snapshots", [SNAPSHOT], {}),
    ("follow", "follow", FOLLOW, {}),
    ("selected", "follow", SELECTED, {}),
    ("kernel", "follow", OF_KERNEL, {}),
    ("time", "time", [TIMING], {}),
    ("passes", "passes", PASSES, {}),
    ("sweep", "sweep", SWEEP, {}),
    ("listing", "listing", LISTING, {}),
)
"""What it is called, the kind in the registry of formats, a record in which `N7`, `T` and `P` are names, and options."""
_NAME = re.compile(r"\b(N\d+|T2?|P2?)\b")


def renamed(value: Any, name: str) -> Any:
    """A record with hostile names: each placeholder becomes ``name``, but for the first with its own ending."""
    return _mapped(value, lambda text: _NAME.sub(lambda found: _ended(name, found[0]), text))


def _ended(name: str, placeholder: str) -> str:
    return name if placeholder in {"T", "N0"} else f"{name}{placeholder}"


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Enum | bool | int | float) or value is None:
        return value
    if isinstance(value, str):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        init = (field.name for field in fields(value) if field.init and field.name != "kind")
        return replace(value, **{name: _mapped(getattr(value, name), change) for name in init})
    if isinstance(value, Mapping):
        return {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(item, change) for item in value))
    return type(value)(_mapped(item, change) for item in value)


def strings(value: Any) -> Iterator[str]:
    """Every string in JSON data, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
