"""The table of forms: how people hold a program, each through six verbs, compared with a trace made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import ltc_ir
from ltc_ir import LtcIrError, Target
from ltc_ir.records.request import Request
from ltc_ir.records.snapshot_toml import loads
from ltc_ir.snapshots.in_process import Update, check_in_test
from ltc_ir.snapshots.store import Store
from tests.oracles import jaxpr_recursion, operations_in


@dataclass(frozen=True)
class Form:
    """A function with its arguments, and the ``Traced`` of the program that runs where the user calls it.

    ``by_hand`` makes that without the tool. A form that cannot be taken has ``refused``: the words of the error, and
    those of its hint.
    """

    fn: Any
    args: tuple[Any, ...] = ()
    by_hand: Callable[[], Any] = lambda: None
    kwargs: dict[str, Any] = field(default_factory=dict)
    refused: tuple[str, str] | None = None

    def target(self, name: str = "form") -> Target:
        """The form as a target."""
        return Target(self.fn, self.args, self.kwargs, name=name)


@dataclass(frozen=True)
class Totals:
    """What a program has, by hand or by the tool: equations, operations of StableHLO, donated arguments."""

    equations: int | None
    operations: int
    donated: int
    shardings: int


def totals_by_hand(form: Form) -> Totals:
    """What the program that runs has; its equations are ``None`` where the library only lowers."""
    made = form.by_hand()
    traced = getattr(made, "traced", made)
    lowered = traced.lower() if hasattr(traced, "jaxpr") else getattr(made, "lowered", made)
    equations = sum(jaxpr_recursion(traced.jaxpr).values()) if hasattr(traced, "jaxpr") else None
    module = lowered.compiler_ir("stablehlo")
    main = next(str(line) for line in lowered.as_text().splitlines() if "func.func public @main" in line)
    donated = main.count("jax.buffer_donor") + main.count("tf.aliasing_output")
    return Totals(equations, operations_in(module), donated, main.partition("->")[0].count("sharding = "))


def counted(form: Form) -> Totals:
    """What ``count`` says of it."""
    made = ltc_ir.count(form.target(), programs=["forward"])
    levels, signature = made.programs["forward"], made.signatures["forward"]
    donated = sum(value.donated for value in signature.arguments)
    sharded = sum(bool(value.sharding) for value in signature.arguments)
    return Totals(levels["jaxpr"].tally.total, levels["stablehlo"].tally.total, donated, sharded)


def check_works(form: Form, folder: Path) -> None:
    """Every verb takes the form, with the counts of the program that runs."""
    made = counted(form)
    expected = totals_by_hand(form)
    assert made == (replace(expected, equations=made.equations) if expected.equations is None else expected)
    equations, target = made.equations, form.target()
    assert ltc_ir.inspect(target).count("total", level="jaxpr") == equations
    ltc_ir.assert_ir(target, None, f"total = {equations}", level="jaxpr")
    with pytest.raises(AssertionError):
        ltc_ir.assert_ir(target, None, f"total <= {(equations or 0) - 1}", level="jaxpr")
    again = ltc_ir.count(target, programs=["forward"], types=True, hashes=True)
    assert ltc_ir.diff(again, target, programs=["forward"]).empty
    assert _statuses(target, folder, Update()) == ["new"]
    assert _statuses(target, folder, None) == ["match"]
    timing = ltc_ir.time(target, programs=["forward"], repeat=1, limit_s=0.01, eager=False)
    assert timing.programs["forward"].stages["steady"] is not None


def _statuses(target: Target, folder: Path, update: Update | None) -> list[str]:
    outcomes = check_in_test(
        target, None, [], test="test_form", nodeid="t.py::test_form", request=Request(programs=("forward",)),
        directory=str(folder), update=update,
    )  # fmt: skip
    for outcome in outcomes:
        assert not outcome.failure, outcome.failure
        if outcome.text is not None:
            Store(folder).write(loads(outcome.text, outcome.file))
    return [outcome.status for outcome in outcomes]


def check_refused(form: Form, folder: Path) -> None:
    """Every verb refuses the form with the reason and the way."""
    assert form.refused is not None
    message, hint = form.refused
    target = form.target()
    verbs: dict[str, Callable[[], Any]] = {
        "count": lambda: ltc_ir.count(target, programs=["forward"]),
        "inspect": lambda: ltc_ir.inspect(target),
        "assert_ir": lambda: ltc_ir.assert_ir(target, None, "total = 1"),
        "diff": lambda: ltc_ir.diff(target, target, programs=["forward"]),
        "snapshot": lambda: _statuses(target, folder, None),
        "time": lambda: ltc_ir.time(target, programs=["forward"], repeat=1),
    }
    for verb, call in verbs.items():
        with pytest.raises(LtcIrError, match=message) as caught:
            call()
        assert hint in str(caught.value.hint), (verb, caught.value.hint)
