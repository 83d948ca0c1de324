"""What a check says, in the words that every format shows."""

from __future__ import annotations

import pytest

from ltc_ir.records.check import Check, CheckChange, Problem, ProgramCheck, Status
from ltc_ir.records.figures import size
from ltc_ir.render.words.check import MOST, change_in_words, message, ranked, summary
from ltc_ir.render.words.text import cut

RHS = "ltc_ir.lab.models.ltc:rhs"
FILE = "ltc_ir/lab/models/ltc.py"
ACCEPT = 'ltc-ir snapshot update ltc --program grad --accept-growth "why"'
GROWTH = {"rule": "no growth", "where": "default"}
TOTALS = {"jaxpr": (1594, 2310), "stablehlo": (2020, 2833)}


def grown(*changes: CheckChange, **more: object) -> ProgramCheck:
    fields: dict[str, object] = {"totals": TOTALS, "file": "snapshots/ltc/grad@0.10.toml", "accept": ACCEPT, **more}
    return ProgramCheck("ltc", "grad", Status.GROWN, changes, **fields)  # type: ignore[arg-type]


DOTS = CheckChange("dot_general", "jaxpr", 16, 55, "backward", RHS, (f"{FILE}:57", f"{FILE}:60"), **GROWTH)
PRINT = CheckChange("debug_callback", "jaxpr", 0, 1, "primal", RHS, (f"{FILE}:44",), **GROWTH)
TOTAL = CheckChange("total", "jaxpr", 1594, 2310, **GROWTH)
LINES = CheckChange("lines", "stablehlo", 1869, 2640, **GROWTH)


def test_growth_says_how_much_where_by_which_rule_and_what_to_do() -> None:
    assert message(grown(DOTS, PRINT, TOTAL, LINES)) == [
        "ltc grad has grown: jaxpr 1,594 -> 2,310 operations (1.45x), StableHLO lines 1,869 -> 2,640 (1.41x)",
        "  +39 dot_general, 16 -> 55 (3.44x), backward, in ltc_ir.lab.models.ltc:rhs",
        "      ltc_ir/lab/models/ltc.py:57, ltc.py:60",
        "  new debug_callback: 1, primal, in ltc_ir.lab.models.ltc:rhs",
        "      ltc_ir/lab/models/ltc.py:44",
        "  rule: no growth (default)",
        "  snapshot: snapshots/ltc/grad@0.10.toml",
        f"  accept: {ACCEPT}",
    ]


def test_a_change_whose_figures_are_in_the_headline_is_told_again_only_where_there_is_no_other() -> None:
    assert "  +716 jaxpr total, 1,594 -> 2,310 (1.45x)" in message(grown(TOTAL))
    assert not [line for line in message(grown(DOTS, TOTAL)) if "jaxpr total" in line]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("f", "f grad has grown: jaxpr 94 -> 139 operations (1.48x), StableHLO 7, StableHLO lines 3 -> 4 (1.33x)"),
        ("a_longer_name", "a_longer_name grad has grown: jaxpr 94 -> 139 operations (1.48x), StableHLO lines 3 -> 4 (1.33x)"),
    ],
)  # fmt: skip
def test_lines_stand_for_a_total_where_there_is_no_room_for_both(name: str, first: str) -> None:
    totals = {"jaxpr": (94, 139), "stablehlo": (7, 7), "stablehlo lines": (3, 4)}
    rows = [CheckChange(metric, "stablehlo", 3, 4, **GROWTH) for metric in ("lines", "total")]
    lines = message(ProgramCheck(name, "grad", Status.GROWN, (DOTS, *rows), totals))
    assert lines[0] == first
    assert (" StableHLO total, 3 -> 4" in "".join(lines)) == (name != "f")


def test_one_figure_that_breaks_two_rules_is_told_once() -> None:
    bound = CheckChange("dot_general", "jaxpr", 16, 55, "backward", RHS, (f"{FILE}:57",), "dot_general <= 20", "--rule")
    lines = message(grown(bound, DOTS))
    assert [line for line in lines if "dot_general," in line] == [
        f"  +39 dot_general, 16 -> 55 (3.44x), backward, in {RHS}"
    ]
    assert [line for line in lines if "rule:" in line] == [
        "  rule: dot_general <= 20 (--rule)",
        "  rule: no growth (default)",
    ]


def test_constants_that_are_all_in_the_text_are_told_once() -> None:
    def row(metric: str, after: int) -> CheckChange:
        return CheckChange(metric, "stablehlo", 0, after, **GROWTH)

    both = message(grown(row("constants.bytes", 8), row("constants.embedded.bytes", 8)))
    assert [line for line in both if "constants" in line] == ["  new StableHLO constants.bytes: 8 bytes"]
    apart = message(grown(row("constants.bytes", 8), row("constants.embedded.bytes", 4)))
    assert len([line for line in apart if "constants" in line]) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([CheckChange("fingerprint", "jaxpr", None, None)], "the same counts, of another structure or other types"),
        ([CheckChange("types.f64", "jaxpr", 0, 3)], "the same counts, of another structure or other types"),
        ([CheckChange("mul", "jaxpr", 1, 2)], "what grew is permitted by a rule"),
        ([CheckChange("mul", "jaxpr", 1, 2, rule="no growth", where="default", waived="known")], "what grew is waived"),
    ],
)
def test_changed_says_what_that_means(changes: list[CheckChange], why: str) -> None:
    assert message(ProgramCheck("ltc", "grad", Status.CHANGED, tuple(changes), TOTALS))[1] == f"  {why}"


def test_a_missing_snapshot_is_said_once() -> None:
    why = "no snapshot for JAX 0.12"
    assert message(ProgramCheck("ltc", "grad", Status.MISSING, reason=why)) == [f"ltc grad: {why}"]
    broken = ProgramCheck("ltc", "grad", Status.MISSING, (DOTS,), reason=why)
    assert message(broken)[0] == f"ltc grad has no snapshot and breaks a rule: {why}"


@pytest.mark.parametrize("number", [1, 3, 4, 5, 40])
@pytest.mark.parametrize("rules", [1, 2, 9])
@pytest.mark.parametrize("notes", [0, 1, 2, 9])
@pytest.mark.parametrize("reason", [None, "why " * 200])
def test_a_message_has_twelve_lines_at_most_and_says_what_it_left_out(
    number: int, rules: int, notes: int, reason: str | None
) -> None:
    changes = [
        CheckChange(f"op{n}", "jaxpr", 1, 2, "primal", RHS, (f"{FILE}:{n}",), f"op{n % rules} <= 1", "--rule")
        for n in range(number)
    ]
    lines = message(grown(*changes, notes=tuple(f"note {n}" for n in range(notes)), reason=reason))
    assert len(lines) <= MOST
    told = [line for line in lines if line.startswith("  +1 op")]
    assert told, "at least the worst change is told"
    assert told[0].startswith("  +1 op0,")
    left = number - len(told)
    more = f"  … and {left} more change{'s' if left > 1 else ''}"
    assert (more in lines) == (left > 0)
    assert lines[-1] == f"  accept: {ACCEPT}"


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_first_line_of_its_own_and_the_command_that_records_it(status: Status) -> None:
    command = "ltc-ir snapshot update ltc --program grad"
    lines = message(ProgramCheck("ltc", "grad", status, totals={"jaxpr": (3, 3)}, accept=command))
    verb = "accept" if status in {Status.GROWN, Status.DRIFT} else "record"
    assert lines[-1] == f"  {verb}: {command}"
    others = {message(ProgramCheck("ltc", "grad", other))[0] for other in Status if other is not status}
    assert lines[0].startswith("ltc grad ")
    assert lines[0] not in others


def test_drift_names_the_jax_it_was_recorded_with() -> None:
    why = "recorded with JAX 0.10.1, checked with 0.10.2"
    lines = message(ProgramCheck("ltc", "grad", Status.DRIFT, (DOTS,), TOTALS, reason=why))
    assert lines[:2] == [
        "ltc grad has drifted: jaxpr 1,594 -> 2,310 operations (1.45x), StableHLO 2,020 -> 2,833 (1.40x)",
        f"  {why}",
    ]


@pytest.mark.parametrize(
    ("status", "reason", "first"),
    [
        (Status.MISSING, "none for JAX 0.12", "ltc grad has no snapshot: none for JAX 0.12"),
        (Status.NOT_COMPARABLE, "recorded on tpu", "ltc grad cannot be compared: recorded on tpu"),
        (Status.ERROR, "out of memory", "ltc grad failed: out of memory"),
        (Status.ERROR, "ltc failed to trace: boom", "ltc grad failed to trace: boom"),
        (Status.ERROR, "ltc grad failed to trace: boom", "ltc grad failed to trace: boom"),
        (Status.ERROR, "ltc has no program 'grad'", "ltc grad: ltc has no program 'grad'"),
        (Status.UNSTABLE, None, "ltc grad is unstable: two captures of the same program disagree"),
    ],
)
def test_where_there_is_nothing_to_compare_the_reason_is_the_news(status: Status, reason: str, first: str) -> None:
    assert message(ProgramCheck("ltc", "grad", status, totals=TOTALS, reason=reason))[0] == first


def test_a_broken_rule_is_said_though_the_snapshot_matches() -> None:
    change = CheckChange(
        "dot_general", "jaxpr", 9, 9, "backward", RHS, (), "backward.dot_general <= 6", "pyproject.toml"
    )
    stored = ProgramCheck("ltc", "grad", Status.MATCH, (change,), {"jaxpr": (9, 9)}, "snapshots/ltc/grad@0.10.toml")
    assert message(stored)[:3] == [
        "ltc grad breaks a rule, though it matches its snapshot: jaxpr 9 operations",
        f"  dot_general: 9, as before, backward, in {RHS}",
        "  rule: backward.dot_general <= 6 (pyproject.toml)",
    ]
    alone = ProgramCheck("f", "forward", Status.MATCH, (change, DOTS), {"jaxpr": (None, 9)})
    assert message(alone)[0] == "f forward breaks 2 rules: jaxpr 9 operations"
    assert summary(Check((stored,))) == "1 checked: 1 with a broken rule"


def change(metric: str, level: str, before: float | None, after: float | None, **more: str) -> str:
    return change_in_words(CheckChange(metric, level, before, after, **more)).strip()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (change("constants.bytes", "stablehlo", 0, 4194304), "new StableHLO constants.bytes: 4 MiB (4,194,304 bytes)"),
        (
            change("constants.bytes", "stablehlo", 1048576, 5242880),
            "+4 MiB StableHLO constants.bytes, 1 MiB -> 5 MiB (5.00x, 1,048,576 -> 5,242,880 bytes)",
        ),
        (change("constants.bytes", "jaxpr", 100, 12), "-88 bytes jaxpr constants.bytes, 100 bytes -> 12 bytes (0.12x)"),
        (change("all_gather.bytes", "hlo", None, 4096), "HLO all_gather.bytes: 4 KiB (4,096 bytes)"),
        (change("tanh", "jaxpr", 4, 0, phase="primal"), "tanh is gone: was 4, primal"),
        (change("tanh", "jaxpr", 1000, 1001), "+1 tanh, 1,000 -> 1,001"),
        (change("stablehlo.while", "stablehlo", 0, 1, function="(no source)"), "new stablehlo.while: 1"),
        (change("while", "stablehlo", None, 1), "StableHLO while: 1"),
        (change("types.f64", "jaxpr", 0, 3), "new jaxpr types.f64: 3"),
        (change("fingerprint", "jaxpr", None, None), "another jaxpr fingerprint"),
        (change("flops", "hlo", 10.5, 20.25), "+9.8 HLO flops, 10.5 -> 20.2 (1.93x)"),
        (change("flops", "hlo", 10, None), "HLO flops is not known: was 10"),
        (change("mul", "jaxpr", 20, 20, phase="backward"), "mul: 20, as before, backward"),
    ],
)
def test_a_change_is_said_in_words(said: str, words: str) -> None:
    assert said == words


def test_a_waived_growth_is_told_with_its_reason_and_is_no_broken_rule() -> None:
    waived = CheckChange("mul", "jaxpr", 1, 2, rule="no growth", where="default", waived="until the new mesh lands")
    lines = message(ProgramCheck("ltc", "grad", Status.MATCH, (waived,), {"jaxpr": (1, 2)}, "snapshots/a.toml"))
    assert lines[0].startswith("ltc grad matches its snapshot")
    assert "      waived: until the new mesh lands" in lines
    assert not [line for line in lines if line.startswith("  rule:")]


def test_long_and_hostile_names_stay_on_their_line() -> None:
    bad = "evil\n::error::x\x1b[31m\u202e" + "a" * 300
    worst = CheckChange(bad, "jaxpr", 0, 1, "primal", bad, (f"{bad}:1",), bad, bad)
    lines = message(ProgramCheck(bad, bad, Status.GROWN, (worst,), TOTALS, None, bad, None, (bad,)))
    assert all(line.isprintable() and len(line) <= 110 for line in lines)
    assert len(lines) <= MOST


def test_what_is_to_be_copied_is_never_cut() -> None:
    command = f"ltc-ir snapshot update {'deep.' * 40}module:name"
    assert message(grown(DOTS, accept=command))[-1] == f"  accept: {command}"


def test_a_long_function_keeps_its_end() -> None:
    told = change("mul", "jaxpr", 1, 2, function="package." * 30 + "module:the_function")
    assert told.endswith("module:the_function")
    assert "…" in told


def test_all_of_a_check_in_one_line() -> None:
    def one(status: Status, **more: object) -> ProgramCheck:
        return ProgramCheck("ltc", status.value, status, **more)  # type: ignore[arg-type]

    checks = (*[one(Status.MATCH, file="f.toml")] * 10, one(Status.MISSING), one(Status.GROWN))
    assert summary(Check(checks, unchecked={"a": "no loss", "b": "no loss"})) == (
        "12 checked: 10 match, 1 grown, 1 missing; 2 not checked (no loss)"
    )
    assert summary(Check((), (Problem("m", "h", 2),), {"a": "x", "b": "y"})) == (
        "nothing was checked; 1 problem with the rules; 2 not checked (x, and 1 other reason)"
    )
    assert summary(Check((one(Status.ERROR, code=4), one(Status.NOT_COMPARABLE)))) == (
        "2 checked: 1 not comparable, 1 failed"
    )
    assert summary(Check((one(Status.MATCH), one(Status.MATCH)))) == "2 checked: 2 hold"
    assert summary(Check((one(Status.MATCH),))) == "1 checked: 1 holds"


def test_programs_are_told_worst_first() -> None:
    checks = [ProgramCheck("t", status.value, status, code=4 if status is Status.ERROR else None) for status in Status]
    assert [one.program for one in ranked(checks)] == [
        "error", "damaged", "unstable", "drift", "grown", "not-comparable", "missing", "changed", "moved", "shrunk", "match",
    ]  # fmt: skip
    strict = [one.program for one in ranked(checks, strict=True)]
    assert strict.index("shrunk") < strict.index("missing")


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"), (-(2**20), "-1 MiB"),
     (2**42, "4 TiB"), (2**52, "4096 TiB")],
)  # fmt: skip
def test_sizes(number: int, words: str) -> None:
    assert size(number) == words


def test_cutting_keeps_both_ends_within_the_width() -> None:
    assert cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghijk", 10) == "abc…fghijk"
