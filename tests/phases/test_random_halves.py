"""Random gradients have the phases of their halves, and what is around them is primal."""

from __future__ import annotations

import pytest

from tests.phases.counting import phases_of_gradient
from tests.phases.halves import backward_half, equations, forward_half
from tests.phases.random_programs import random_specimen

pytestmark = pytest.mark.versions


@pytest.mark.parametrize("seed", range(12))
def test_a_random_gradient_has_the_phases_of_its_halves(seed: int) -> None:
    specimen = random_specimen(seed)
    phases = phases_of_gradient(specimen)
    assert phases["forward"] == equations(forward_half(specimen))
    assert phases["backward"] + phases["recompute"] == equations(backward_half(specimen))
    assert set(phases) <= {"forward", "backward", "recompute"}
