"""A check, an update and a snapshot in each format: complete, parseable, and safe whatever an operation is called."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.check import Action, Check, CheckChange, Problem, ProgramCheck, Status, Update, Written
from ltc_ir.records.serialization import dumps, loads, to_data
from ltc_ir.records.snapshot import Acceptance, HloFacts, Identity, LevelFacts, Provenance, Snapshot
from ltc_ir.render.comment import check_to_markdown, fenced
from ltc_ir.render.formats import FORMATS
from ltc_ir.render.github import check_to_github
from ltc_ir.render.junit import check_to_junit
from ltc_ir.render.words.check import message, summary, update_summary, update_words

DOTS = CheckChange(
    "dot_general", "jaxpr", 16, 55, "backward", "m.net:rhs", ("m/net.py:57", "m/net.py:60"), "no growth", "default"
)
SHRUNK = CheckChange("tanh", "jaxpr", 4, 2, "primal", "m.net:rhs", ("m/net.py:9",))
WAIVED = CheckChange("mul", "jaxpr", 1, 2, rule="no growth", where="default", waived="known")
GROWN = ProgramCheck(
    "ltc", "grad", Status.GROWN, (DOTS, WAIVED), {"jaxpr": (100, 139), "stablehlo": (None, 200)}, "snapshots/ltc/grad.toml",
    accept='ltc-ir snapshot update ltc --accept-growth "why"', notes=("not held: the fingerprint",),
)  # fmt: skip
CHECK = Check(
    (
        ProgramCheck("ltc", "forward", Status.MATCH, (), {"jaxpr": (50, 50)}, "snapshots/ltc/forward.toml"),
        GROWN,
        ProgramCheck("node", "grad", Status.SHRUNK, (SHRUNK,), {"jaxpr": (9, 7)}, "snapshots/node/grad.toml"),
        ProgramCheck("ctrnn", "grad", Status.MISSING, (), {"jaxpr": (None, 7)}, reason="none for JAX 0.12"),
        ProgramCheck("mine:f", "forward", Status.ERROR, reason="mine:f failed to trace: boom", code=4),
    ),
    (Problem("the rule 'whle = 0' matched nothing", "did you mean while?", 2),),
    {"node loss": "it has no loss"},
)
HOSTILE = "a|b`c```d<img src=x>&</details>\n::error::x,y:z%25]]>\x00\x1b[31m\ufffe@you #1 __b__ *c* [l](u)"
BAD = Check(
    (
        ProgramCheck(
            HOSTILE, HOSTILE, Status.GROWN,
            (CheckChange(HOSTILE, "jaxpr", 0, 1, HOSTILE, HOSTILE, ("m/a,b:c%.py:3",), HOSTILE, HOSTILE),),
            {HOSTILE: (1, 2)}, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,),
        ),
    ),
    (Problem(HOSTILE, HOSTILE, 1),),
    {HOSTILE: HOSTILE},
)  # fmt: skip


def many(number: int) -> Check:
    return Check(
        tuple(ProgramCheck(f"t{n}", "grad", Status.GROWN, (DOTS,), {"jaxpr": (16, 55)}) for n in range(number))
    )


def smaller(number: int) -> tuple[ProgramCheck, ...]:
    return tuple(ProgramCheck(f"s{n}", "grad", Status.SHRUNK, (SHRUNK,), {"jaxpr": (4, 2)}) for n in range(number))


def printed(rendered: Any) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=1000)
    console.print(*rendered, sep="\n")
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


# --- JSON


def test_json_has_the_documented_fields() -> None:
    found = json.loads(str(FORMATS["check"]["json"](CHECK)))
    assert (found["schema"], found["kind"], found["exit_code"], found["strict"]) == (1, "check", 4, False)
    grad = found["checks"][1]
    assert (grad["target"], grad["program"], grad["status"], grad["exit_code"]) == ("ltc", "grad", "grown", 1)
    assert grad["changes"][0] == {
        "metric": "dot_general", "level": "jaxpr", "phase": "backward", "function": "m.net:rhs",
        "sources": ["m/net.py:57", "m/net.py:60"], "baseline": 16, "current": 55, "change": 39, "rule": "no growth",
        "where": "default", "waived": None, "fails": True,
    }  # fmt: skip
    assert grad["totals"] == {
        "jaxpr": {"baseline": 100, "current": 139},
        "stablehlo": {"baseline": None, "current": 200},
    }
    assert found["unchecked"] == {"node loss": "it has no loss"}
    assert found["problems"] == [
        {"message": "the rule 'whle = 0' matched nothing", "hint": "did you mean while?", "code": 2}
    ]


@pytest.mark.parametrize("check", [CHECK, BAD, Check(()), Check(CHECK.checks, strict=True)])
def test_a_check_comes_back_from_its_json(check: Check) -> None:
    text = dumps(check)
    assert loads(text, "here", Check) == check
    assert dumps(to_data(loads(text, "here", Check))) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nope", "here is not JSON"),
        ("[]", "here is not a record of ltc-ir"),
        ('{"kind": "count", "schema": 1}', 'here is a record of kind "count", not check'),
        ('{"kind": "check", "schema": 2}', "here has schema 2; this ltc-ir reads 1"),
        ('{"kind": "check", "schema": 1}', 'here: missing field "checks"'),
        (
            '{"kind": "check", "schema": 1, "checks": [{"target": "a", "program": "b", "status": "odd"}]}',
            "here: checks[0].status: invalid enum value",
        ),
    ],
)
def test_what_is_no_check_is_refused_with_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        loads(text, "here", Check)


# --- table


def test_the_table_has_a_row_a_program_then_messages_worst_first_then_the_summary() -> None:
    text = printed(FORMATS["check"]["table"](CHECK))
    rows = [line.split() for line in text.splitlines()]
    assert ["ltc", "grad", "grown", "139", "+39", "1.39x", "200"] in rows
    assert ["ltc", "forward", "match", "50"] in rows
    assert "\n".join(message(GROWN)) in "\n".join(line.rstrip() for line in text.splitlines())
    firsts = [
        text.index(said)
        for said in ("mine:f forward failed", "ltc grad has grown", "ctrnn grad has no", "node grad has")
    ]
    assert firsts == sorted(firsts)
    assert text.rstrip().splitlines()[-1] == summary(CHECK)
    assert "ltc forward matches" not in text


def test_columns_of_change_stand_only_where_something_changed() -> None:
    text = printed(FORMATS["check"]["table"](Check((CHECK.checks[0],))))
    assert "change" not in text
    assert text.rstrip().splitlines()[-1] == "1 checked: 1 match"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert "\x1b" not in printed(FORMATS["check"]["table"](BAD))
    assert "\x00" not in printed(FORMATS["check"]["table"](BAD))


# --- CSV


def test_csv_has_a_line_a_change_and_no_program_is_missing() -> None:
    rows = list(csv.DictReader(io.StringIO(str(FORMATS["check"]["csv"](CHECK)))))
    assert [(row["target"], row["metric"], row["change"]) for row in rows] == [
        ("ltc", "", ""), ("ltc", "dot_general", "39"), ("ltc", "mul", "1"), ("node", "tanh", "-2"), ("ctrnn", "", ""),
        ("mine:f", "", ""),
    ]  # fmt: skip
    assert rows[1]["source"] == "m/net.py:57 m/net.py:60"
    assert rows[2]["waived"] == "known"
    assert rows[4]["reason"] == "none for JAX 0.12"


# --- Markdown


def outside_code(text: str) -> str:
    """Markdown without its blocks of code."""
    return re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.S | re.M)


def test_markdown_has_a_summary_a_table_and_details() -> None:
    text = check_to_markdown(CHECK)
    assert summary(CHECK) in text.replace("&#35;", "#")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(row.split("|")) for row in rows}) == 1
    assert rows[2].startswith("| ❌ | mine:f forward | error |")
    assert "| ❌ | ltc grad | grown | 100 → 139 (1.39x) | 200 |" in rows
    assert "| ⚠️ | ctrnn grad | missing |" in text
    assert "| ✅ | node grad | shrunk |" in text
    assert text.count("<details>") == text.count("</details>") == 4
    assert "\n".join(message(GROWN)) in text


def test_hostile_names_do_not_break_out_of_markdown() -> None:
    text = check_to_markdown(BAD)
    bare = outside_code(text)
    assert "dot" not in bare
    assert bare.count("<details>") == bare.count("</details>") == 1
    for live in ("<img", "`", "@you", "__b__", "*c*", "[l]", "\x00", "\x1b"):
        assert live not in bare, live
    rows = [line for line in bare.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert len({len(row.split("|")) for row in rows}) == 1


def test_a_fence_is_longer_than_any_in_it() -> None:
    assert fenced(["a", "````"]).startswith("`````text\n")
    assert fenced(["a"]) == "```text\na\n```"


def test_markdown_fits_a_comment_and_says_what_it_left_out() -> None:
    text = check_to_markdown(many(2_000))
    assert len(text) < 60_000
    left = [int(number) for number in re.findall(r"… and (\d+) more programs", text)]
    rows, blocks = text.count("| ❌ |"), text.count("<details>")
    assert left == [2_000 - rows, 2_000 - blocks]
    assert blocks > 20
    assert text.count("<details>") == text.count("</details>")


def test_hostile_names_in_numbers_still_fit() -> None:
    assert (
        len(check_to_markdown(Check(BAD.checks * 500, BAD.problems * 500, {str(n): HOSTILE for n in range(500)})))
        < 60_000
    )


# --- JUnit


def test_junit_has_a_case_a_program_and_never_passes_what_was_not_checked() -> None:
    (suite,) = ElementTree.fromstring(check_to_junit(CHECK))
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "1", "errors": "3", "skipped": "1"
    }  # fmt: skip
    cases = {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in suite}
    assert cases == {
        ("ltc", "forward"): [], ("ltc", "grad"): ["failure"], ("node", "grad"): ["system-out"],
        ("ctrnn", "grad"): ["error"], ("mine:f", "forward"): ["error"],
        ("rules", "the rule 'whle = 0' matched nothing"): ["error"], ("not checked", "node loss"): ["skipped"],
    }  # fmt: skip
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text == "\n".join(message(GROWN))
    assert failure.get("message") == message(GROWN)[0]


def test_junit_fails_what_strict_fails() -> None:
    (suite,) = ElementTree.fromstring(check_to_junit(Check((CHECK.checks[2],), strict=True)))
    assert suite.get("failures") == "1"


def test_junit_stays_xml_whatever_an_operation_is_called() -> None:
    text = check_to_junit(BAD)
    (suite,) = ElementTree.fromstring(text)
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text == "\n".join(message(BAD.checks[0]))
    assert "]]>" not in text


# --- GitHub

COMMAND = re.compile(r"::(error|notice) ([^:]*)::(.*)")


def commands(check: Check) -> list[tuple[str, dict[str, str], str]]:
    """Workflow commands as a runner reads them."""

    def unescaped(text: str) -> str:
        for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, char)
        return text

    found = []
    for line in check_to_github(check).splitlines():
        match = COMMAND.fullmatch(line)
        assert match, line
        properties = dict(pair.split("=", 1) for pair in match[2].split(","))
        found.append((match[1], {key: unescaped(value) for key, value in properties.items()}, unescaped(match[3])))
    return found


def test_annotations_stand_beside_the_line_of_the_worst_change() -> None:
    found = commands(CHECK)
    assert [kind for kind, *_ in found] == ["error"] * 4 + ["notice"] * 2
    assert ("error", {"file": "m/net.py", "line": "57", "title": "ltc grad: grown"}, "\n".join(message(GROWN))) in found
    assert found[-2][1] == {"file": "m/net.py", "line": "9", "title": "node grad: shrunk"}
    assert found[-1] == ("notice", {"title": "ltc-ir snapshot check"}, summary(CHECK))


def test_a_hostile_name_is_no_command_of_its_own() -> None:
    found = commands(BAD)
    assert [kind for kind, *_ in found] == ["error", "error", "notice"]
    (annotation,) = [one for one in found if "line" in one[1]]
    assert annotation[1].keys() == {"file", "line", "title"}
    assert annotation[1]["file"] == "m/a,b:c%.py"
    assert annotation[2] == "\n".join(message(BAD.checks[0]))


def test_ten_annotations_at_most_and_what_passes_uses_none_of_them() -> None:
    found = commands(Check((*smaller(30), *many(12).checks)))
    assert [kind for kind, *_ in found] == ["error"] * 10 + ["notice"] * 10
    assert "2 more not shown here" in found[-1][2]


def test_strict_makes_errors_of_notices() -> None:
    assert commands(Check((CHECK.checks[2],), strict=True))[0][0] == "error"


# --- update

UPDATE = Update(
    (
        Written("ltc", "forward", Action.NEW, "snapshots/ltc/forward.toml"),
        Written("ltc", "loss", Action.KEPT, "snapshots/ltc/loss.toml"),
        Written("ltc", "grad", Action.REFUSED, "snapshots/ltc/grad.toml", GROWN, code=None),
        Written(
            "node", "grad", Action.UPDATED, "snapshots/node/grad.toml", GROWN, reason="64-bit types were off, now on"
        ),
        Written("node", "loss", Action.UPDATED, "snapshots/node/loss.toml", unstable=("fingerprint", "metric|lines")),
        Written("mine:f", "forward", Action.ERROR, reason="mine:f failed to trace: boom", code=4),
    ),
    {"node train_step": "it has no optimiser"},
)


def test_an_update_says_what_was_written_accepted_refused_and_not_held() -> None:
    text = printed(FORMATS["update"]["table"](UPDATE))
    assert re.search(r"ltc forward +new +snapshots/ltc/forward.toml", text)
    for line in (
        "ltc grad is not recorded: nobody accepted its growth",
        '    accept: ltc-ir snapshot update ltc --accept-growth "why"',
        "  64-bit types were off, now on",
        "  accepted, with its reason in the file",
        "  not held, two captures disagree: metric|lines",
        "mine:f forward: mine:f failed to trace: boom",
        "left out: node train_step: it has no optimiser",
    ):
        assert line in text.splitlines(), line
    assert text.rstrip().splitlines()[-1] == update_summary(UPDATE)
    assert update_summary(UPDATE) == "6 programs: 1 new, 2 updated, 1 kept, 1 refused, 1 error; 1 could not be made"
    assert not [words for words in map(update_words, UPDATE.written[:2]) if words]


def test_an_update_in_data() -> None:
    found = json.loads(str(FORMATS["update"]["json"](UPDATE)))
    assert found == json.loads(json.dumps(to_data(UPDATE)))
    assert (found["kind"], found["exit_code"], len(found["written"])) == ("update", 4, 6)
    assert found["written"][2]["check"]["changes"][0]["metric"] == "dot_general"
    rows = list(csv.DictReader(io.StringIO(str(FORMATS["update"]["csv"](UPDATE)))))
    assert [row["action"] for row in rows] == ["new", "kept", "refused", "updated", "updated", "error"]
    assert rows[2]["grown"] == "jaxpr:dot_general"
    assert rows[4]["unstable"] == "fingerprint metric|lines"
    markdown = str(FORMATS["update"]["markdown"](UPDATE))
    assert "| ltc grad | refused | snapshots/ltc/grad.toml |" in markdown
    assert "  accepted, with its reason in the file" in markdown


def test_what_was_recorded_is_told_without_advice() -> None:
    grown = update_words(Written("ltc", "grad", Action.UPDATED, "a.toml", GROWN))
    assert grown[0] == message(GROWN)[0]
    assert grown[-1] == "  accepted, with its reason in the file"
    assert not [line for line in grown if "--accept-growth" in line or "rule:" in line]
    shrunk = update_words(Written("node", "grad", Action.UPDATED, "a.toml", CHECK.checks[2]))
    assert shrunk[0].startswith("node grad has shrunk")
    assert "accepted" not in "".join(shrunk)


def test_a_first_snapshot_of_a_jax_shows_what_differs_from_the_nearest() -> None:
    started = update_words(Written("ltc", "grad", Action.STARTED, "a.toml", GROWN, reason="beside JAX 0.6"))
    assert started[0] == "ltc grad is started beside JAX 0.6"
    assert "    +39 dot_general, 16 -> 55 (3.44x), backward, in m.net:rhs" in started
    alike = Written("ltc", "grad", Action.STARTED, "a.toml", replace(GROWN, changes=()), reason="beside JAX 0.6")
    assert update_words(alike) == ["ltc grad: beside JAX 0.6"]


# --- snapshots

FACTS = LevelFacts(
    {("backward", "m:f"): {"mul": 3, "add": 1}, ("primal", "m:f"): {"mul": 2}, ("primal", "m:g"): {"mul": 1}},
    {"primal": {"f32": 3}},
    {"lines": 1200},
    "abc",
    ("metric|bytes",),
)
SNAPSHOT = Snapshot(
    "m:f", "grad", Identity("0.10", arguments="f32[3]"), Provenance("0.10.2", "0.10.2"), {"jaxpr": FACTS},
    HloFacts("0.10.2", "cpu", FACTS), (Acceptance("a second head", ("jaxpr total 4 -> 7",)),),
)  # fmt: skip


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_snapshot_is_readable(form: str) -> None:
    rendered = FORMATS["snapshots"][form]([SNAPSHOT])
    text = rendered if isinstance(rendered, str) else printed(rendered)
    for words in ("f32[3]", "0.10 (recorded with jax 0.10.2, jaxlib 0.10.2)", "a second head", "jaxpr total 4 -> 7",
                  "lines: 1,200", "optimised HLO", "twice"):  # fmt: skip
        assert words in text, words
    rows = [re.split(r"[ |]+", line.strip(" |")) for line in text.splitlines()]
    assert ["total", "7", "3", "4"] in rows
    assert ["mul", "6", "3", "3"] in rows


def test_a_snapshot_in_data() -> None:
    (found,) = json.loads(str(FORMATS["snapshots"]["json"]([SNAPSHOT])))["snapshots"]
    assert found["levels"]["jaxpr"]["ops"]["primal"] == {"m:f": {"mul": 2}, "m:g": {"mul": 1}}
    assert found["levels"]["jaxpr"]["total"] == 7
    assert found["hlo"]["device"] == "cpu"
    rows = list(csv.DictReader(io.StringIO(str(FORMATS["snapshots"]["csv"]([SNAPSHOT])))))
    assert sum(int(row["count"]) for row in rows if (row["level"], row["view"]) == ("jaxpr", "op")) == 7
    assert {row["view"] for row in rows} == {"op", "type", "metric"}


def test_the_formats_import_no_terminal_library_before_one_is_asked_for() -> None:
    import subprocess
    import sys

    probe = "import sys, ltc_ir.render.formats, ltc_ir.render.layouts.check; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=Path.cwd(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_annotations_of_a_project_below_the_repository_begin_at_the_repository() -> None:
    change = CheckChange("sin", "jaxpr", 0, 1, "primal", "m.net:loss", ("m/net.py:9",), "no growth", "default")
    made = Check((ProgramCheck("net", "forward", Status.GROWN, (change,)),))
    assert "file=m/net.py,line=9" in check_to_github(made)
    assert "file=packages/one/m/net.py,line=9" in check_to_github(made, "packages/one/")


def test_github_has_a_notice_of_what_a_match_does_not_compare() -> None:
    """A snapshot that does not record what is compared today must not pass in silence."""
    silent = ProgramCheck("t", "forward", Status.MATCH, (), {"jaxpr": (5, 5)}, "snapshots/t/forward.toml")
    noted = replace(silent, notes=("arguments, results and types are not recorded: update the snapshot",))
    assert "not recorded" not in check_to_github(Check(checks=(silent,)))
    (line, _) = check_to_github(Check(checks=(noted,))).splitlines()
    assert line.startswith("::notice title=t forward%3A match::") and "not recorded: update the snapshot" in line
