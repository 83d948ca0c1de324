"""Events that know only when they began and how long they took become a tree, and no time is counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.records.passes import HLO, LLVM, REST, Thread
from ltc_ir.timing.profiler import Event, merge_by_path, nest_events, own_times, seconds_by_kind
from tests.timing.passes.made import event, thread


def tree(*events: Event) -> list[tuple[str, int]]:
    return [(one.name, one.depth) for one in nest_events(events)[0]]


def times(*events: Event) -> dict[tuple[str, ...], tuple[float, float, int]]:
    found = merge_by_path(thread("t", *events))
    return {one.path: (round(1e3 * one.inclusive_s, 6), round(1e3 * one.exclusive_s, 6), one.count) for one in found}


def test_what_lies_in_an_event_is_below_it_whatever_order_they_were_written_in():
    events = [event("inner", 2, 3), event("outer", 0, 10), event("after", 10, 5), event("innermost", 3, 1)]
    assert tree(*events) == [("outer", 0), ("inner", 1), ("innermost", 2), ("after", 0)]


def test_of_two_that_begin_together_the_longer_holds_the_other():
    assert tree(event("short", 0, 1), event("long", 0, 2)) == [("long", 0), ("short", 1)]


def test_of_two_alike_the_first_holds_the_second():
    assert tree(event("wrapper", 0, 2), event("wrapped", 0, 2)) == [("wrapper", 0), ("wrapped", 1)]


def test_an_event_of_no_time_is_counted_and_holds_nothing():
    found = times(event("outer", 0, 4), event("mark", 0.5, 0), event("work", 1, 2))
    assert found == {("outer",): (4, 2, 1), ("outer", "work"): (2, 2, 1), ("outer", "mark"): (0, 0, 1)}


def test_an_event_that_begins_where_another_ends_is_beside_it():
    assert tree(event("one", 0, 2), event("mark", 2, 0), event("two", 2, 2)) == [("one", 0), ("two", 0), ("mark", 1)]


def test_an_event_that_was_not_over_lasts_as_long_as_what_it_began_in():
    found = times(event("outer", 0, 10), event("open", 4, None), event("next", 10, 5))
    assert found == {("outer",): (10, 4, 1), ("outer", "open"): (6, 6, 1), ("next",): (5, 5, 1)}


def test_outermost_an_event_that_was_not_over_lasts_to_the_end_of_the_trace():
    assert times(event("open", 0, None), event("last", 3, 4)) == {("open",): (7, 3, 1), ("open", "last"): (4, 4, 1)}


def test_what_outlasts_the_event_it_began_in_is_cut_and_that_is_said():
    slices, cut = nest_events([event("outer", 0, 10), event("late", 8, 5)])
    assert cut == 1
    assert [one.duration_ns for one in slices] == [10_000_000, 2_000_000]
    assert nest_events([event("outer", 0, 10), event("inner", 8, 2)])[1] == 0


def test_events_of_one_path_are_one_row_and_the_longest_path_comes_first():
    found = times(
        event("run", 0, 10), event("short", 0, 1), event("pass", 1, 2), event("pass", 3, 3), event("run", 20, 5)
    )
    assert list(found) == [("run",), ("run", "pass"), ("run", "short")]
    assert found["run", "pass"] == (5, 5, 2)
    assert found["run",] == (15, 9, 2)


def test_a_pass_that_runs_within_itself_is_not_counted_twice():
    found = times(event("fix", 0, 10), event("fix", 2, 6), event("fix", 3, 1))
    assert found == {("fix",): (10, 4, 1), ("fix", "fix"): (6, 5, 1), ("fix", "fix", "fix"): (1, 1, 1)}


def test_an_event_is_of_its_own_kind_or_of_that_of_what_it_lies_in():
    found = seconds_by_kind(
        thread("t", event("root", 0, 10), event("hlo", 1, 4, HLO), event("pass", 2, 1), event("llvm", 6, 3, LLVM))
    )
    assert found == pytest.approx({REST: 0.003, HLO: 0.004, LLVM: 0.003})


EVENTS = st.lists(
    st.builds(
        Event,
        st.sampled_from("abc"),
        st.integers(0, 60),
        st.one_of(st.none(), st.integers(0, 40)),
        st.sampled_from([None, HLO, LLVM]),
    ),
    max_size=30,
)


@given(EVENTS)
@settings(deadline=None)
def test_own_times_add_up_to_the_outermost_events(events: list[Event]):
    slices, _ = nest_events(events)
    outermost = sum(one.duration_ns for one in slices if one.depth == 0)
    assert len(slices) == len(events)
    assert sum(own_times(slices)) == outermost
    assert all(own >= 0 for own in own_times(slices))
    found = merge_by_path(Thread("t", slices))
    assert sum(one.exclusive_s for one in found) == pytest.approx(outermost / 1e9)
    assert sum(seconds_by_kind(Thread("t", slices)).values()) == pytest.approx(outermost / 1e9)
    assert sum(one.count for one in found) == len(events)


@given(EVENTS)
@settings(deadline=None)
def test_every_event_lies_in_the_one_above_it_and_no_two_beside_each_other_overlap(events: list[Event]):
    slices, _ = nest_events(events)
    open_ = []
    for one in slices:
        closed = open_[one.depth :]
        del open_[one.depth :]
        assert len(open_) == one.depth
        assert all(earlier.end_ns <= one.start_ns for earlier in closed)
        if open_:
            assert open_[-1].start_ns <= one.start_ns and one.end_ns <= open_[-1].end_ns
        open_.append(one)


@given(EVENTS)
@settings(deadline=None)
def test_each_row_takes_what_its_own_children_leave(events: list[Event]):
    found = merge_by_path(Thread("t", nest_events(events)[0]))
    for one in found:
        children = [other for other in found if other.path[:-1] == one.path]
        assert one.inclusive_s - sum(child.inclusive_s for child in children) == pytest.approx(
            one.exclusive_s, abs=1e-12
        )
