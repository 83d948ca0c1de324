"""The published values are those of the published tables."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from ltc_ir.lab import published
from ltc_ir.lab.published import STARTS

TABLES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "published"


@pytest.mark.skipif(not TABLES.is_dir(), reason="the published tables are not here")
def test_the_published_figures_are_those_of_the_tables():
    def rows(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((TABLES / f"{name}.csv").read_text(encoding="utf-8"))))

    names = {
        "ltc": "ltc",
        "node": "node",
        "ctrnn": "ctrnn",
        "LTC": "ltc",
        "NODE": "node",
        "NeuralODE": "node",
        "CTRNN": "ctrnn",
    }
    base = {
        (model, f"{float(row['zeta']):g}", "", "mse"): float(row[f"{model}_mse"])
        for row in rows("mse_comparison") for model in published.MODELS
    }  # fmt: skip
    assert base == published.PUBLISHED["base"]
    transfer = {
        (model, f"others on {float(row['test_zeta']):g}", "", "mse"): float(row[f"{model}_mean_mse"])
        for row in rows("generalization_avg") for model in published.MODELS
    }  # fmt: skip
    assert transfer == published.PUBLISHED["transfer"]
    extrapolation = {
        (model, f"{float(row['train_zeta']):g} on 1.2", "", "mse"): float(row[f"{model}_mse"])
        for row in rows("generalization_to_1p2") for model in published.MODELS
    }  # fmt: skip
    assert extrapolation == published.PUBLISHED["extrapolation"]
    noise = {
        (model, f"{float(row['zeta']):g}", f"sigma {float(row['noise_std']):g}", "ratio"): float(row[f"{model}_ratio_mean"])
        for row in rows("noise_injection") for model in published.MODELS
    }  # fmt: skip
    assert noise == published.PUBLISHED["noise"]
    columns = ("overall_mse", "pre_mse", "post_mse", "recovery_steps")
    switch = {
        (names[row["model"]], f"{row['zeta1']} -> {row['zeta2']}", "", metric): float(row[column])
        for row in rows("regime_switch") for metric, column in zip(published.SWITCH_METRICS, columns, strict=True)
    }  # fmt: skip
    assert switch == published.PUBLISHED["switch"]
    attractor = {
        (names[row["model"]], "0.3", "", metric): float(value)
        for row in rows("attractor_hausdorff_summary")
        for metric, value in zip(published.ATTRACTOR_METRICS, list(row.values())[1:], strict=True)
    }
    assert attractor == published.PUBLISHED["attractor"]
    assert [(float(row["x0"]), float(row["v0"])) for row in rows("attractor_initial_conditions")] == [*STARTS]
    for row in rows("regime_switch_mdl"):
        case = f"{row['zeta1']} -> {row['zeta2']}"
        assert published.PUBLISHED["mdl"]["ltc", case, "static, adaptive", "improvement"] == float(row["improvement"])
        assert published.PUBLISHED["mdl"]["ltc", case, "static, adaptive", "mse after"] == float(
            row["ltc_mdl_post_mse"]
        )
