"""What the page of experiments says in words follows from its data: each figure of a sentence is reckoned again."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.experiments import PAGE, stored
from ltc_ir.lab import published
from ltc_ir.lab.claims import SWITCH_NAMES
from ltc_ir.lab.records import Row

TEXT = " ".join(PAGE.read_text(encoding="utf-8").split())
MADE = {one.name: one for one in stored()}
ROWS = {
    (name, row.model, row.case, row.variant, row.metric, row.rollout): row
    for name, one in MADE.items()
    for row in one.rows
    if row.selection == "test"
}
MODELS = published.MODELS
RATIOS = ("0.1", "0.3", "0.5", "0.8", "1.2")


def row(name: str, model: str, case: str, metric: str = "mse", rollout: str = "two-pass", variant: str = "") -> Row:
    """A row as selected on the test split."""
    return ROWS[name, model, case, variant, metric, rollout]


def says(words: str) -> None:
    """Assert that the page has these words."""
    assert words in TEXT


def test_how_many_lie_inside_and_how_sets_lie_together():
    held = [one for made in MADE.values() for one in made.rows if one.published is not None]
    inside = f"{sum(bool(one.inside) for one in held)} of {len(held)} lie"
    says(f"{inside} in our intervals")
    assert f"{inside} inside 90 % of them" in (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    together = {(name, one.model): one.farther for name, made in MADE.items() for one in made.together}
    far = {name for (name, _), farther in together.items() if farther == 0}
    assert far == {"tau", "mdl"}
    near = [farther for (name, _), farther in together.items() if name not in far]
    says(f"no farther from the rest than {min(near)} to {max(near)} of the 20 seeds are")
    assert (together["base", "ltc"], together["base", "ctrnn"]) == (7, 5)
    says("Seven and five of twenty seeds lie as far from the rest")


def test_which_claims_do_not_hold_in_the_published_tables():
    no = {claim.name for made in MADE.values() for claim in made.claims if claim.published is False}
    assert no == {"the only one", "second-best", "harder back", "range", "more from higher", "paired 0.3 -> 0.8"}
    after = {
        (model, name): published.PUBLISHED["switch"][model, name, "", "mse after"]
        for model in MODELS
        for name in SWITCH_NAMES
    }
    largest = {model: max(after[model, name] for name in SWITCH_NAMES) for model in MODELS}
    assert largest["ctrnn"] < largest["ltc"]
    assert max(MODELS, key=lambda model: after[model, "1.2 -> 0.1"]) == "ltc"
    assert all(after[model, "1.2 -> 0.1"] < after[model, "0.1 -> 1.2"] for model in MODELS)
    tau = published.PUBLISHED["tau"]
    moves = [
        tau["ltc", case, "", "tau at the end"] - tau["ltc", case, "", "tau at the switch"]
        for case in ("0.1", "0.5", "1.2")
    ]
    says(f"it moves by {max(moves):.1g} at most")


def test_what_saying_0_costs():
    times = [
        published.PUBLISHED["switch"][model, name, "", "mse after"] / row("switch", "zero", name, "mse after").median
        for model, name in product(MODELS, SWITCH_NAMES)
    ]
    says(f"the published models err by {min(times):.1g} to {max(times) / 1e6:.0f},000,000 times as much as saying 0")
    for ratio, model in product(RATIOS, MODELS):
        case = f"others on {ratio}"
        assert row("transfer", "zero", case).median < published.PUBLISHED["transfer"][model, case, "", "mse"]
    far = row("attractor", "zero", "0.3", "hausdorff mean", "teacher-forced")
    near = row("attractor", "ltc", "0.3", "hausdorff mean", "teacher-forced")
    assert near.published is not None
    says(
        f"orbits that never leave the origin are {far.median / near.published - 1:.0%}".replace("%", " %") + " farther"
    )


def test_what_no_rollout_and_no_selection_changes():
    largest = max(
        max(row("switch", model, name, "mse after", "teacher-forced").values)
        for model, name in product(MODELS, SWITCH_NAMES)
    )
    says(f"the largest error after a switch, of any seed, is {largest:.2g}")
    for made in MADE.values():
        by_selection: dict[str, dict[object, tuple[float, ...]]] = {"test": {}, "validation": {}}
        for one in made.rows:
            by_selection[one.selection][one.model, one.case, one.variant, one.metric, one.rollout] = one.values
        assert by_selection["validation"].items() <= by_selection["test"].items()


def test_the_closed_loop():
    ratio = {
        model: [
            row("base", model, one).median / row("base", model, one, rollout="closed loop").median for one in RATIOS
        ]
        for model in MODELS
    }
    both = [*ratio["ltc"], *ratio["ctrnn"]]
    says(
        f"the median errors of LTC and CTRNN are {min(both):.0f} to {max(both):.0f} times smaller on every ratio of their own"
    )
    assert [one > 1 for one in ratio["node"]] == [True, False, False, False, False]
    for one in RATIOS:
        at = {model: row("base", model, one, rollout="closed loop").median for model in (*MODELS, "zero")}
        assert at["ctrnn"] < at["ltc"] < at["zero"]
        assert at["ctrnn"] < at["node"]


@pytest.mark.parametrize(
    ("model", "better", "worse"), [("ltc", ["0.5"], ["0.8", "1.2"]), ("ctrnn", ["0.3"], ["0.5", "0.8"])]
)
def test_where_published_base_errors_lie_outside(model: str, better: list[str], worse: list[str]):
    found = {one: row("base", model, one) for one in RATIOS}
    assert [one for one, held in found.items() if (held.published or 0) < held.low] == better
    assert [one for one, held in found.items() if (held.published or 0) > held.high] == worse
    assert all(row("base", "node", one).inside for one in RATIOS)


def test_noise():
    rows = MADE["noise"].rows
    out = [one for one in rows if one.published is not None and not one.inside]
    assert (len(out), len(rows)) == (16, 60)
    assert all(0.97 * one.low <= one.published <= 1.03 * one.high for one in out if one.published is not None)
    says(f"as narrow as {min(one.high - one.low for one in rows):.1g}")


def test_tau():
    cases = ("0.1", "0.5", "1.2")
    places = ("at the switch", "at the end")
    least = min(min(row("tau", "ltc", case, f"tau {at}").values) for case, at in product(cases, places))
    says(f"the least of any is {least:.2g}")
    above = {
        case: max(
            published.PUBLISHED["tau"]["ltc", case, "", f"tau {at}"] - row("tau", "ltc", case, f"softplus {at}").high
            for at in places
        )
        for case in cases
    }
    assert above["0.1"] < 0
    says(f"at 0.5 and 1.2 they are {above['0.5']:.1g} and {above['1.2']:.1g} above it")
    up = {case: sum(value > 0 for value in row("tau", "ltc", case, "rise").values) for case in cases}
    says(
        f"tau rises in {up['0.1']} (0.1) and {up['1.2']} (1.2) of 20 seeds; at 0.5, where there is no switch, in {up['0.5']}"
    )
    always = [sum(value == 1 for value in row("tau", "ltc", case, "share of steps up").values) for case in cases]
    assert always[1:] == [0, 0]
    says(f"It rises in every step in {always[0]} seeds at 0.1, and in none elsewhere")


def test_omega():
    def gain(name: str, variant: str) -> Row:
        return row("mdl", "ltc", name, "improvement", variant=variant)

    gains = [gain(name, "static, adaptive") for name in SWITCH_NAMES]
    positive = [one for one in gains if (one.published or 0) > 0]
    assert all(one.published is not None and one.published > one.high for one in positive)
    highs = [one.high for one in positive]
    said = [one.published for one in positive if one.published is not None]
    says(
        f"its gains end at {min(highs):.0f} to {max(highs):.0f} % "
        f"where the published ones are {min(said):.0f} to {max(said):.0f} %"
    )
    another = [gain(name, "no Omega, another seed") for name in SWITCH_NAMES]
    says(f"reaches from {min(one.low for one in another):,.0f} % to {max(one.high for one in another):.0f} %")
    (by_half,) = (claim for claim in MADE["mdl"].claims if (claim.name, claim.rollout) == ("by half", "two-pass"))
    assert "in 61 of 380 pairs" in by_half.why
    says("in 61 of 380 pairs of seeds it halves the error on three of four switches")
    paired = [claim for claim in MADE["mdl"].claims if claim.name.startswith("paired") and claim.rollout == "two-pass"]
    significant = [claim for claim in paired if float(claim.why.split("p = ")[1].split(",")[0]) < 0.05]
    assert [(claim.name, "effect -" in claim.why) for claim in significant] == [("paired 0.3 -> 0.8", True)]


def test_the_draw_of_the_attractor_s_starts():
    held = [one for one in MADE["attractor"].rows if one.published is not None]
    drawn = [row("attractor", one.model, one.case, one.metric, one.rollout, "drawn starts") for one in held]
    inside = sum(one.low <= (other.published or np.inf) <= one.high for one, other in zip(drawn, held, strict=True))
    says(f"with others from the same square {inside} of {len(held)} would")
    assert (sum(bool(one.inside) for one in held), len(held)) == (20, 21)
    alone, fed = (
        row("attractor", "ltc", "0.3", "hausdorff mean", way).median for way in ("closed loop", "teacher-forced")
    )
    assert fed / alone == pytest.approx(2, abs=0.2)
