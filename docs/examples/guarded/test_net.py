"""What a project's own tests say of its IR."""

import jax
from net import cell, energy, energy_args

from ltc_ir import assert_ir, assert_ir_flat


def test_energy_is_one_loop():
    """The rollout stays a loop, and its gradient two."""
    assert_ir(energy, energy_args, "while = 1", "grad/while = 2", "custom_call = 0")


def test_the_cell_is_what_was_reviewed(check_ir):
    """Its IR is that of its snapshot, and has one product."""
    check_ir(cell, energy_args, "dot_general = 1")


def test_the_program_does_not_grow_with_the_number_of_steps():
    """However many steps are taken."""

    def rollout(n):
        return lambda w, x: jax.lax.fori_loop(0, n, lambda _, x: cell(w, x), x)

    assert_ir_flat(lambda n: (rollout(n), energy_args), over=(5, 50, 500))
