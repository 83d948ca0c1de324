"""The one sentence of a compile says what its figures say, whatever they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ltc_ir.records.passes import HLO, KERNELS, LLVM, REST, Kernel, percent
from tests.timing.passes.made import made


def test_code_generation_names_its_kernels_and_the_line_of_the_largest():
    assert made().sentence == "80 % code generation, 2 kernels, the largest from net.py:7 (backward)"


@pytest.mark.parametrize(
    ("kernels", "said"),
    [
        ((), "80 % code generation, of no kernel that XLA names"),
        ((Kernel("k", "t", 1, 1, "net.py:7"),), "80 % code generation, 1 kernel, from net.py:7"),
        ((Kernel("k", "t", 1, 1, reason="none"),), "80 % code generation, 1 kernel, k"),
        (
            (Kernel("j", "t", 1, 1, "net.py:7"), Kernel("k", "t", 2, 1, phase="forward"), Kernel(None, "t", 9, 1)),
            "80 % code generation, 2 kernels, the largest k (forward)",
        ),
    ],
)
def test_what_is_not_known_of_a_kernel_is_not_said(kernels, said):
    assert replace(made(), kernels=kernels).sentence == said


def test_a_compile_of_passes_names_the_one_that_took_longest_by_itself():
    seen = replace(made(hlo_ms=10), kinds={HLO: 0.7, KERNELS: 0.1, LLVM: 0.1, REST: 0.1})
    assert seen.sentence == "70 % HLO passes, the most in algsimp"


def test_a_compile_of_neither_says_so():
    assert replace(made(), kinds={HLO: 0.1, REST: 0.9}).sentence == (
        "90 % neither HLO passes nor code generation, the most in backend_compile"
    )


def test_a_share_is_never_rounded_to_all_or_nothing():
    assert [percent(part, 1000) for part in (0, 1, 4, 5, 500, 999, 1000)] == [
        "0 %", "under 1 %", "under 1 %", "under 1 %", "50 %", "99 %", "100 %",
    ]  # fmt: skip
    assert percent(0, 0) == "0 %"
