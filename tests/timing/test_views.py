"""What a notebook sees of a timing: a frame of its stages, a page of its tables, and a short line of text."""

from __future__ import annotations

import ltc_ir
from ltc_ir.integrations.notebook import ShownTiming, show
from ltc_ir.records.timing import STAGES
from tests.timing.test_record import TIMING, with_stages


def test_a_frame_has_a_row_for_each_stage():
    frame = show(TIMING, ShownTiming).to_pandas()
    assert frame["stage"].tolist() == list(STAGES)
    assert frame.set_index("stage")["median_s"].to_dict() == {
        stage: TIMING.programs["forward"].seconds(stage) for stage in STAGES
    }
    assert set(frame["runs"]) == {7}


def test_a_stage_that_was_not_measured_has_its_reason():
    from dataclasses import replace

    made = replace(with_stages(eager=None), reasons={"eager": "not asked for"})
    row = show(replace(TIMING, programs={"forward": made}), ShownTiming).to_pandas().set_index("stage").loc["eager"]
    assert row["reason"] == "not asked for"
    assert row.isna()["median_s"]


def test_its_page_and_its_line():
    made = show(TIMING, ShownTiming)
    assert "<table" in made._repr_html_()
    assert repr(made) == "<timing of ltc: forward>"
    assert made.to_dict()["kind"] == "time"


def test_the_verb_gives_these_views():
    made = ltc_ir.time(lambda x: x + 1, args=(1.0,), programs="forward", repeat=1, limit_s=1.0, eager=False)
    assert len(made.to_pandas()) == len(STAGES)
