"""The threads of a trace: the compiling one is found by its root, whatever it is called, and a wait is filled."""

from __future__ import annotations

import pytest

from ltc_ir.records.passes import HLO, KERNELS, LLVM
from ltc_ir.timing.profiler import (
    ANNOTATION,
    Line,
    PassesUnknownError,
    arrange_threads,
    event_kernel,
    event_kind,
    event_name,
)
from tests.timing.passes.made import event


def line(name: str, *events) -> Line:
    return Line(name, events)


def test_the_compiling_thread_is_the_one_with_the_compile_though_another_works_longer():
    lines = [
        line("tf_pool/77", event("work", 1, 90), event("part", 2, 3)),
        line("anything", event(ANNOTATION, 0, 50), event("call", 1, 48), event("pass", 2, 5), event("pass", 9, 1)),
    ]
    (first, pool), _ = arrange_threads(lines)
    assert [(one.name, one.depth) for one in first.slices] == [("compile", 0), ("call", 1), ("pass", 2), ("pass", 2)]
    assert pool.name == "pool 1"


def test_the_thread_that_alone_works_while_the_compiling_one_waits_is_hung_in_there():
    lines = [
        line("python", event(ANNOTATION, 10, 50), event("call", 11, 48)),
        line("tf_compiler/5", event("PjRt", 20, 38), event("pass", 21, 5)),
        line("tf_pool/6", event("dispatch", 30, 9)),
        line("tf_pool/7", event("dispatch", 29, 9)),
    ]
    threads, _ = arrange_threads(lines)
    assert [one.name for one in threads] == ["python and compiler", "pool 1", "pool 2"]
    assert [(one.name, one.depth) for one in threads[0].slices] == [
        ("compile", 0), ("call", 1), ("PjRt", 2), ("pass", 3),
    ]  # fmt: skip
    assert threads[0].slices[0].start_ns == 0
    assert [one.slices[0].start_ns for one in threads[1:]] == [19_000_000, 20_000_000]


def test_what_other_threads_did_before_and_after_the_compile_is_none_of_its():
    lines = [
        line("python", event(ANNOTATION, 10, 50), event("call", 11, 48), event("pass", 12, 5), event("pass", 30, 5)),
        line("other", event("before", 0, 9), event("after", 61, 9), event("across", 50, 30)),
    ]
    threads, _ = arrange_threads(lines)
    assert [one.name for one in threads] == ["python"]


def test_a_trace_without_the_compile_or_with_nothing_in_it_is_no_profile():
    with pytest.raises(PassesUnknownError, match="did not see the compile"):
        arrange_threads([line("python", event("something", 0, 5))])
    with pytest.raises(PassesUnknownError, match="came out of a cache"):
        arrange_threads([line("python", event(ANNOTATION, 0, 5)), line("tf_pool/1")])


def test_events_that_outlast_what_they_began_in_are_said():
    lines = [line("python", event(ANNOTATION, 0, 9), event("call", 1, 8), event("pass", 2, 3), event("late", 6, 30))]
    (first,), notes = arrange_threads(lines)
    assert notes == ("1 events outlast what they began in, and are cut at its end",)
    assert first.slices[-1].end_ns == 9_000_000


@pytest.mark.parametrize(
    ("module", "kernel"),
    [
        ("add_fusion.3_kernel_module", "add_fusion.3"),
        ("__compute_module_wrapped_compare.4", "wrapped_compare.4"),
        ("jit_f", None),
    ],
)
def test_a_kernel_is_known_by_the_module_its_code_is_made_in(module: str, kernel: str | None):
    assert event_kernel("FusionCompiler::Compile", {"module": module}) == kernel


def test_a_pipeline_is_called_alike_in_every_program():
    stats = {"module": "jit_f", "_src": "external/xla/xla/hlo/pass/hlo_pass_pipeline.cc"}
    assert event_name("simplification (jit_f)", stats) == "simplification"
    assert event_name("simplification (jit_f)", {}) == "simplification (jit_f)"
    assert event_kind("simplification", stats) == HLO


def test_kinds_are_told_by_the_names_xla_gives():
    assert event_kind("ThunkEmitter::ConsumeKernels", {}) == KERNELS
    assert event_kind("JitCompiler::Compile", {}) == LLVM
    assert event_kind("CpuCompiler::RunBackend", {}) is None
