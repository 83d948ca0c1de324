"""A snapshot edited by hand: none of the edits passes for a match, but for those that change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltc_ir.errors import DamagedError, LtcIrError
from ltc_ir.records.snapshot_toml import dumps
from ltc_ir.rules.check import Case, check_program
from ltc_ir.snapshots.capture import capture, capture_request
from ltc_ir.snapshots.store import Store
from ltc_ir.snapshots.update import agreed, record
from ltc_ir.targets.target import Target

WEIGHTS = np.arange(64, dtype="float32").reshape(8, 8)


def layer(w, x):
    return jnp.tanh(x @ w + WEIGHTS)


def step(w, x):
    def body(carry, _):
        return layer(carry, w), None

    last, _ = jax.lax.scan(body, x, None, length=5)
    return w - 0.1 * last, jnp.sum(jnp.sin(last))


SHAPES = jax.ShapeDtypeStruct((8, 8), "float32"), jax.ShapeDtypeStruct((8, 8), "float32")
FORWARD = Target(jax.jit(step, donate_argnums=0), SHAPES, name="step")


def loss(w, x):
    return jnp.sum(step(w, x)[0] ** 2)


GRAD = Target(loss, SHAPES, name="step")


class Recorded:
    """A program with its snapshot as a file holds it."""

    def __init__(self, target: Target, program: str) -> None:
        self.live = capture(target, program, capture_request())
        self.snapshot = agreed(self.live.snapshot, capture(target, program, capture_request()).snapshot)
        self.text = dumps(self.snapshot)

    def place(self, store: Store) -> Path:
        return store.path_of(self.snapshot.target, self.snapshot.program, self.snapshot.identity)

    def verdict(self, text: str, folder: Path) -> tuple[str, str]:
        """The status of the program against a file of that text, and all that is said of it."""
        store = Store(folder)
        path = self.place(store)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        try:
            baseline = store.read("step", self.snapshot.program, self.snapshot.identity)
        except LtcIrError as error:
            return ("damaged" if isinstance(error, DamagedError) else "error"), error.message
        made = check_program(Case(self.live.tables, self.live.snapshot, baseline))
        return made.status.value, "; ".join([made.reason or "", *made.notes])


@pytest.fixture(scope="module")
def forward() -> Recorded:
    return Recorded(FORWARD, "forward")


@pytest.fixture(scope="module")
def grad() -> Recorded:
    return Recorded(GRAD, "grad")


Edit = Callable[[str], str]


def put(old: str, new: str) -> Edit:
    """The first place that a pattern matches, with another text in it."""

    def edit(text: str) -> str:
        changed, number = re.subn(old, new, text, count=1, flags=re.MULTILINE)
        assert number, old
        return changed

    return edit


def drop(pattern: str) -> Edit:
    return put(rf"^{pattern}\n", "")


def table(head: str) -> Edit:
    """Without a table of that name."""
    return put(rf"^\[{re.escape(head)}\]\n(?:[^\[\n].*\n)*", "")


def after(head: str, line: str) -> Edit:
    return put(rf"^\[{re.escape(head)}\]\n", f"[{head}]\n{line}\n")


NEWER = "a newer ltc-ir recorded the phases"
FORWARD_EDITS: dict[str, tuple[Edit, str, str]] = {
    # what changes nothing
    "as it was": (lambda text: text, "match", ""),
    "a comment": (lambda text: f"{text}# looked at\n", "match", ""),
    "blank lines": (lambda text: text.replace("\n[", "\n\n\n["), "match", ""),
    "spaces": (put(r"^dot_general = ", "dot_general    =    "), "match", ""),
    "a reason": (put(r"^\[signature.arg", '[[accepted]]\nreason = "why"\ngrowth = []\n\n[signature.arg'), "match", ""),
    "how it was captured": (put('captured = "twice"|captured = "in-process"', 'captured = "twice"'), "match", ""),
    "a tanh written elsewhere in its table": (
        put(r'(tests.snapshots.test_hand_edits:layer"\])\n(add = 1\n)(dot_general = 1\n)', r"\1\n\3\2"), "match", "",
    ),
    # counts
    "more of an operation": (put("^tanh = 1", "tanh = 3"), "damaged", "its jaxpr has 3 tanh"),
    "less of an operation": (put("^sin = 1\n", ""), "damaged", "its jaxpr has 0 sin"),
    "another operation": (put("^sin = 1\n", "cos = 1\n"), "damaged", "cos"),
    "more of an operation of StableHLO": (put('^"stablehlo.tanh" = 1', '"stablehlo.tanh" = 2'), "damaged", "2 stablehlo.tanh"),
    "no operations of StableHLO": (lambda text: re.sub(r"(?m)^\[stablehlo\.ops.*\n(?:[^\[\n].*\n)*", "", text), "damaged", ""),
    "a table of operations lost": (table('jaxpr.ops.primal."tests.snapshots.test_hand_edits:layer"'), "damaged", ""),
    "another phase": (lambda text: text.replace("[jaxpr.ops.primal.", "[jaxpr.ops.backward."), "damaged", "backward add"),
    "another function": (lambda text: text.replace("test_hand_edits:layer", "test_hand_edits:dense"), "moved", ""),
    "a product fewer": (put("^dot_general = 1\n", ""), "damaged", ""),
    "a product more, typed too": (
        lambda text: put('"dot_general f32,f32->f32" = 1', '"dot_general f32,f32->f32" = 2')(
            put("^dot_general = 1", "dot_general = 2")(text)), "damaged", "dot_general",
    ),
    "a negative count": (put("^sin = 1", "sin = -1"), "damaged", ":"),
    "a count of 0": (put("^sin = 1", "sin = 0"), "damaged", ":"),
    "a fraction": (put("^sin = 1", "sin = 1.9"), "damaged", ":"),
    "a whole float": (put("^sin = 1", "sin = 1.0"), "damaged", ":"),
    "infinity": (put("^sin = 1", "sin = inf"), "damaged", ":"),
    "no number": (put("^sin = 1", "sin = nan"), "damaged", ":"),
    "truth": (put("^sin = 1", "sin = true"), "damaged", ":"),
    "text": (put("^sin = 1", 'sin = "1"'), "damaged", ":"),
    "a number of 200 digits": (put("^sin = 1", f"sin = {'9' * 200}"), "damaged", ":"),
    # types and figures
    "more results of a type": (put("^f32 = ", "f32 = 1"), "damaged", "results of type f32"),
    "results of another type": (put("^f32 = ", "f64 = "), "damaged", "results of type"),
    "a type that is none": (put("^f32 = ", "banana = "), "damaged", "banana"),
    "no types": (table("jaxpr.types.primal"), "damaged", ""),
    "more lines": (put("^lines = ", "lines = 9"), "shrunk", ""),
    "fewer lines": (put(r"^lines = \d+", "lines = 1"), "grown", ""),
    "no lines": (drop(r"lines = \d+"), "damaged", "lines is missing"),
    "more bytes of constants": (put('^"constants.bytes" = ', '"constants.bytes" = 9'), "shrunk", ""),
    "fewer bytes of constants": (put(r'^"constants.bytes" = \d+', '"constants.bytes" = 0'), "damaged", "are more than"),
    "no bytes of constants": (drop(r'"constants.bytes" = \d+'), "match", "constants.bytes is on one side only"),
    "no embedded bytes": (drop(r'"constants.embedded.bytes" = \d+'), "damaged", "is missing"),
    "other donated bytes": (put(r'^"donated.bytes" = \d+', '"donated.bytes" = 0'), "damaged", "donated.bytes are 0"),
    "no donated bytes": (drop(r'"donated.bytes" = \d+'), "damaged", "donated.bytes are missing"),
    # hashes
    "a fingerprint that is none": (put('^fingerprint = ".*"', 'fingerprint = "banana"'), "damaged", "not a hash"),
    "a structure that is none": (put('^structure = ".*"', 'structure = "-"'), "damaged", "not a hash"),
    "no fingerprint": (drop('fingerprint = ".*"'), "damaged", "fingerprint is missing"),
    "no structure": (drop('structure = ".*"'), "damaged", "has no structure"),
    "another fingerprint and structure": (
        lambda text: put('^structure = "..', 'structure = "00')(put('^fingerprint = "..', 'fingerprint = "00')(text)),
        "changed", "",
    ),
    "another fingerprint, and less": (
        lambda text: put("^sin = 1\n", "")(put('^fingerprint = "..', 'fingerprint = "00')(
            put('^structure = "..', 'structure = "00')(text))), "grown", "",
    ),
    # what is exempted
    "an exempted fingerprint": (
        after("jaxpr", 'unstable = [\n  "fingerprint",\n]'), "match",
        "jaxpr fingerprint is marked unstable: no reason is recorded",
    ),
    "an exempted operation": (
        after("jaxpr", 'unstable = ["op|primal|f|sin"]'), "match", "op|primal|f|sin is marked unstable: no reason is recorded",
    ),
    "what is no fact, exempted": (after("jaxpr", 'unstable = ["everything"]'), "damaged", "not the name of a fact"),
    "a reason for what is not exempted": (
        put(r"^\[jaxpr.types", '[jaxpr.reasons]\nfingerprint = "why"\n\n[jaxpr.types'), "damaged", "is not unstable",
    ),
    # arguments and results
    "another type of an argument": (put('^w = "f32', 'w = "f64'), "damaged", "its arguments are f64"),
    "another shape of an argument": (put(r'^w = "f32\[8,8\]', 'w = "f32[8,9]'), "damaged", "its arguments are"),
    "a type of an argument that is none": (put(r'^x = "f32\[8,8\]', 'x = "banana[8,8]'), "damaged", "is not the type"),
    "a negative size": (put(r'^x = "f32\[8,8\]', 'x = "f32[8,-8]'), "damaged", "is not the type"),
    "an argument lost": (drop('x = "f32.*"'), "damaged", "its arguments are f32[8,8],"),
    "an argument more": (after("signature.results", '9 = "f32[]"'), "damaged", "its results are"),
    "no donation": (put(" donated for result 0", ""), "changed", ""),
    "a donation": (put(r'^x = "f32\[8,8\]', 'x = "f32[8,8] donated for result 0'), "grown", ""),
    "a renamed argument": (put('^x = "f32', 'y = "f32'), "match", ""),
    "no signature": (lambda text: re.sub(r"(?m)^\[signature.*\n(?:[^\[\n].*\n)*", "", text), "damaged", "are missing"),
    "other arguments to read": (
        put('^arguments = ".*"', 'arguments = "f32[9]"'), "damaged", "identity has the arguments f32[9]",
    ),
    "typed operations lost": (put('^"dot_general .*\n', ""), "damaged", "dot_general has types for 0"),
    "a product of other types": (put("dot_general f32,f32->f32", "dot_general f16,f16->f32"), "damaged", "f16"),
    # what it is of
    "another target": (put('^target = "step"', 'target = "stop"'), "damaged", "belongs in"),
    "another program": (put('^program = "forward"', 'program = "grad"'), "damaged", "belongs in"),
    "another JAX": (put('^jax = "0..*"', 'jax = "0.4"'), "damaged", ""),
    "another release of JAX": (put(r'^jax = "(0\.\d+)\.\d+"', r'jax = "\1.99"'), "match", ""),
    "a release that is none": (put(r'^jax = "0\.\d+\.\d+"', 'jax = "banana"'), "damaged", "is no release"),
    "a release of another minor version": (put(r'^jax = "0\.\d+\.\d+"', 'jax = "0.4.30"'), "damaged", "made it"),
    "another platform": (put('^platform = "cpu"', 'platform = "tpu"'), "damaged", "belongs in"),
    "wide types": (put("^x64 = false", "x64 = true"), "damaged", "belongs in"),
    "more devices": (put("^devices = 1", "devices = 2"), "not-comparable", "2 devices"),
    "an option of JAX": (put('^disable_jit = ".*"', 'disable_jit = "True"'), "not-comparable", "disable_jit"),
    "an option of JAX lost": (drop('disable_jit = ".*"'), "not-comparable", "disable_jit"),
    "no identity": (table("identity"), "damaged", ""),
    "no provenance": (table("provenance"), "damaged", ""),
    "an older attribution": (put(r"^attribution = \d+", "attribution = 1"), "match", "phases are known better now"),
    "no attribution": (drop(r"attribution = \d+"), "match", "phases are known better now"),
    "a newer attribution": (put(r"^attribution = \d+", "attribution = 99"), "match", NEWER),
    "a newer schema": (put("^schema = 1", "schema = 9"), "error", "newer ltc-ir"),
    "no schema": (drop("schema = 1"), "damaged", ""),
    "another way of capturing": (put('^captured = ".*"', 'captured = "once"'), "damaged", ""),
    # the file
    "a repeated key": (put("^sin = 1", "sin = 1\nsin = 1"), "damaged", ""),
    "a repeated table": (lambda text: f'{text}\n[jaxpr]\nfingerprint = "00"\n', "damaged", ""),
    "an unknown key": (after("jaxpr", "total = 3"), "damaged", "unknown field"),
    "cut short": (lambda text: text[: len(text) // 2], "damaged", ""),
    "without its last line": (drop("whole = true"), "damaged", "cut short"),
    "in conflict": (put("^sin = 1", "<<<<<<< ours\nsin = 1\n=======\nsin = 2\n>>>>>>> theirs"), "damaged", "merge conflict"),
    "empty": (lambda _: "", "damaged", ""),
    "no level": (table("stablehlo"), "damaged", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARD_EDITS)
def test_an_edit_has_its_verdict(name: str, forward: Recorded, tmp_path: Path) -> None:
    edit, status, says = FORWARD_EDITS[name]
    found, said = forward.verdict(edit(forward.text), tmp_path)
    assert (found, says in said) == (status, True), f"{found}: {said}"


def test_a_phase_for_another_is_damage(grad: Recorded, tmp_path: Path) -> None:
    swapped = grad.text.replace("ops.forward.", "ops.tmp.").replace("ops.backward.", "ops.forward.")
    found, said = grad.verdict(swapped.replace("ops.tmp.", "ops.backward."), tmp_path)
    assert found == "damaged", said


def test_the_file_of_another_program_is_damage(forward: Recorded, grad: Recorded, tmp_path: Path) -> None:
    found, said = forward.verdict(grad.text, tmp_path)
    assert (found, "belongs in" in said) == ("damaged", True)
    assert forward.verdict(grad.text.replace('program = "grad"', 'program = "forward"'), tmp_path)[0] != "match"


def test_any_count_that_is_edited_is_seen(grad: Recorded, tmp_path: Path) -> None:
    lines = grad.text.split("\n")
    numbers = [number for number, line in enumerate(lines) if re.search(r" = \d+$", line) and "|" not in line]
    blocks = {
        number: next(line for line in reversed(lines[:number]) if line.startswith("["))
        for number in numbers
        if number > 8
    }
    for number, block in blocks.items():
        name, _, value = lines[number].rpartition(" = ")
        for other in (int(value) + 1, max(0, int(value) - 1), int(value) * 10):
            edited = [*lines[:number], f"{name} = {other}", *lines[number + 1 :]]
            found, said = grad.verdict("\n".join(edited), tmp_path)
            assert found != "match" or str(other) == value, f"{block} {name} = {value} -> {other}: {said}"


def test_an_update_replaces_what_is_damaged_and_says_so(forward: Recorded, tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = forward.place(store)
    path.parent.mkdir(parents=True)
    case = Case(forward.live.tables, forward.live.snapshot)
    path.write_text(put("^tanh = 1", "tanh = 3")(forward.text), encoding="utf-8")
    written, snapshot = record(store, case, forward.snapshot, None, "accept")
    assert (written.action, written.exit_code, written.reason) == ("updated", 0, "the damaged file is replaced")
    assert dumps(snapshot) == forward.text
    path.write_text(put("^sin = 1\n", "")(forward.text), encoding="utf-8")
    written, snapshot = record(store, case, forward.snapshot, None, "accept")
    assert (written.action, written.exit_code, snapshot) == ("refused", 1, None)
    assert "damaged" in written.reason
    path.write_text("<<<<<<< ours\n", encoding="utf-8")
    written, snapshot = record(store, case, forward.snapshot, None, "accept")
    assert (written.action, written.exit_code, snapshot) == ("error", 2, None)
