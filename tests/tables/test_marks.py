"""Holds marks to change nothing but names, and to reach no user: texts, files, errors, caches and this process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import ltc_ir
from ltc_ir import compat
from ltc_ir.errors import TargetError
from ltc_ir.ir import fingerprint, marks
from ltc_ir.ir.hlo.parser import HloModule, parse
from ltc_ir.ir.stablehlo.facts import text_figures
from ltc_ir.tables.inspected import Inspected
from ltc_ir.targets.stages import Staged
from tests.registry import PROGRAMS, get
from tests.tables import counted
from tests.tables.marking import has_mark, marked, staged

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("quick_compile")]


@cache
def both(name: str) -> tuple[Staged, Inspected]:
    """A test program without marks and with them, lowered and, where it can be, compiled."""
    program = get(name)
    with program.session():
        function, arguments = program.make()
        plain = staged(function, *arguments, platform=None if program.lowers_on_cpu else program.platform)
        inspected = marked(plain)
        for stage in (plain, inspected.staged):
            stage.module()
            if program.compiles:
                stage.compiled  # noqa: B018 - compiled
    return plain, inspected


def instructions(module: HloModule) -> list[tuple[str, str, str, tuple[int | str, ...]]]:
    """The instructions of a module, in order: computation, opcode, shape, and the operands by their place in it."""
    lines = []
    for computation in module.computations:
        places = {instruction.name: place for place, instruction in enumerate(computation.instructions)}
        for instruction in computation.instructions:
            operands = tuple(places.get(name, name) for name in instruction.operands)
            lines.append((computation.name, instruction.opcode, str(instruction.shape), operands))
    return lines


AVAILABLE = [name for name, program in PROGRAMS.items() if program.unavailable() is None]


@pytest.mark.parametrize("name", AVAILABLE)
def test_marks_are_in_the_names_of_the_lowered_program_alone(name: str) -> None:
    plain, inspected = both(name)
    text = plain.lowered.as_text()
    assert inspected.staged.lowered.as_text() == text
    assert text_figures(inspected.staged.module(), True) == text_figures(plain.module(), True)
    assert fingerprint.of_module(inspected.staged.module()) == fingerprint.of_module(plain.module())
    assert has_mark(inspected.staged.lowered.as_text(debug_info=True))
    assert not has_mark(plain.lowered.as_text(debug_info=True))


@pytest.mark.parametrize("name", [name for name in AVAILABLE if PROGRAMS[name].compiles])
def test_marks_change_no_instruction_and_no_name_of_a_kernel(name: str) -> None:
    plain, inspected = both(name)
    before, after = parse(plain.compiled.as_text()), inspected.hlo_module
    assert instructions(after) == instructions(before)
    names = [instruction.name for _, instruction in after.instructions()]
    assert not any(map(has_mark, names))
    assert len(names) == len(set(names))
    assert kernels(after) == kernels(before)
    assert has_mark(inspected.staged.compiled.as_text())
    assert not has_mark(plain.compiled.as_text())


def kernels(module: HloModule) -> list[str]:
    """The names of what profiles show: fusions, loops and whatever else runs a computation.

    XLA numbers calls on from those that it names by their location: a number is not held.
    """
    running = [instruction for _, instruction in module.instructions() if instruction.called]
    return [re.sub(r"^call\.\d+$", "call", instruction.name) for instruction in running]


def helper(x: Any) -> Any:
    return jnp.tanh(x) * x


def layered(x: Any) -> Any:
    """A program with whatever JAX keeps between runs: a helper under `jit`, a loop, a custom rule, a random number."""
    inner = jax.jit(helper)
    noise = jax.random.uniform(jax.random.key(0), x.shape)
    total = lax.scan(lambda c, _: (inner(c), None), x + noise, None, length=3)[0]
    return jnp.sum(jax.nn.relu(total) * inner(x))


def gradient(x: Any) -> Any:
    return jax.grad(layered)(x)


ROOT = Path(__file__).resolve().parents[2]
X = np.linspace(0.1, 1.0, 5, dtype=np.float32)


def users_texts(function: Callable[..., Any]) -> list[str]:
    """What a user's own stages say of a function, and its jaxpr."""
    lowered = jax.jit(function).lower(X)
    jaxpr = jax.jit(function).trace(X).jaxpr
    return [
        lowered.as_text(debug_info=True),
        lowered.compile().as_text() or "",
        jaxpr.pretty_print(name_stack=True, source_info=True, use_color=False),
    ]


def test_a_count_leaves_no_mark_in_what_the_process_does_later() -> None:
    traced = jax.jit(gradient).trace(X)
    before = users_texts(gradient)
    values = jax.jit(gradient)(X)
    ltc_ir.count(gradient, args=(X,), programs=("forward",), levels=("stablehlo", "hlo"))
    after = users_texts(gradient)
    assert [text.count("\n") for text in after] == [text.count("\n") for text in before]
    assert not any(map(has_mark, (*before, *after)))
    assert not has_mark(traced.lower().as_text(debug_info=True))
    assert not has_mark(traced.lower().compile().as_text())
    np.testing.assert_array_equal(jax.jit(gradient)(X), values)


def test_what_the_process_did_before_hides_no_mark() -> None:
    expected = counted.count(gradient, X)
    jax.jit(gradient)(X)
    users_texts(gradient)
    assert counted.count(gradient, X) == expected
    inspected = marked(staged(gradient, X))
    users_texts(gradient)
    assert has_mark(inspected.staged.lowered.as_text(debug_info=True))
    assert has_mark(inspected.staged.compiled.as_text())


@pytest.mark.parametrize("form", ["jaxpr", "stablehlo", "hlo", "bytecode"])
@pytest.mark.parametrize("debug_info", [False, True])
def test_lowered_texts_have_no_mark(form: str, debug_info: bool) -> None:
    texts = []
    for _ in range(2):
        texts.append(ltc_ir.lower(gradient, args=(X,), form=form, debug_info=debug_info))
        ltc_ir.count(gradient, args=(X,), programs=("forward",), levels=("stablehlo", "hlo"))
    assert texts[0] == texts[1]
    assert not has_mark(texts[0].decode("latin-1"))


NET = """\
import jax, jax.numpy as jnp
def net(x):
    inner = jax.jit(lambda y: jnp.tanh(y) * y)
    return jax.lax.scan(lambda c, _: (inner(c), None), x, None, length=3)[0].sum()
net_args = (jnp.ones(3),)
"""


def test_records_and_snapshots_have_no_mark(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from ltc_ir_cli.app import main

    (tmp_path / "net.py").write_text(NET)
    target, levels = f"{tmp_path / 'net.py'}:net", ("--level", "jaxpr,stablehlo,hlo")
    grouped = ("--by", "op,source,function,scope,region,stack,transforms")
    store = ("--dir", str(tmp_path / "snapshots"))
    assert main(["count", target, "--grad", *levels, *grouped, "--format", "json"]) == 0
    assert main(["diff", target, "--text"]) in {0, 1}
    assert main(["diff", target, *levels, "--format", "json"]) in {0, 1}
    assert main(["snapshot", "update", target, "--hlo", *store]) == 0
    assert main(["snapshot", "check", target, "--format", "json", *store]) == 0
    printed = capfd.readouterr()
    written = "".join(path.read_text() for path in (tmp_path / "snapshots").rglob("*") if path.is_file())
    assert "tanh" in printed.out
    assert "tanh" in written
    assert not has_mark(printed.out + printed.err + written)


def without_rule(x: Any) -> Any:
    from jax.extend.core import Primitive

    primitive = Primitive("unheard_of")
    primitive.def_abstract_eval(lambda x: x)
    return jax.jit(lambda y: primitive.bind(jnp.sin(y)))(x)


def unknown_call(x: Any) -> Any:
    call = jax.ffi.ffi_call("no_such_call", jax.ShapeDtypeStruct(x.shape, x.dtype))
    return jax.jit(lambda y: call(jnp.sin(y)))(x)


@pytest.mark.parametrize("function", [without_rule, unknown_call])
def test_errors_are_those_of_the_unmarked_program(function: Callable[..., Any]) -> None:
    config: Any = jax.config
    before = config.jax_enable_compilation_cache
    with pytest.raises(TargetError) as plain:
        staged(function, X).compiled  # noqa: B018 - fails
    with pytest.raises(TargetError) as error:
        ltc_ir.count(function, args=(X,), programs=("forward",), levels=("hlo",))
    assert (
        error.value.message.replace("without_rule forward", "marked forward").replace(
            "unknown_call forward", "marked forward"
        )
        == plain.value.message
    )
    assert not has_mark(f"{error.value} {error.value.hint} {error.value.detail} {error.value.__cause__!r}")
    assert config.jax_enable_compilation_cache is before


def test_threads_restore_the_options_of_the_persistent_cache() -> None:
    config: Any = jax.config
    before = config.jax_enable_compilation_cache
    inside: list[int] = []
    most = []

    def compile_marked() -> None:
        with compat.no_persistent_cache():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=compile_marked) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
    assert config.jax_enable_compilation_cache is before


def in_child(folder: Path, *steps: str) -> list[Any]:
    """What `tests.tables.cache_child` says of these steps, in a process with a persistent cache that keeps everything."""
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "cli"))),
    }
    command = [sys.executable, "-m", "tests.tables.cache_child", str(folder), *steps]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return list(json.loads(done.stdout))


def test_with_a_persistent_cache_marks_are_found_and_never_kept(tmp_path: Path) -> None:
    counted_first, used = in_child(tmp_path, "count", "user")
    assert counted_first["entries"] == {}
    assert list(used["entries"].values()) == [False]
    again, recounted, last = in_child(tmp_path, "user", "count", "user")
    assert (again["hits"], recounted["hits"], last["hits"]) == (1, 0, 1)
    assert recounted["result"] == counted_first["result"]
    assert set(recounted["result"]["phases"]) >= {"forward", "backward"}
    assert last["entries"] == used["entries"]
    assert not any(step["result"]["marked"] for step in (used, again, last))
    assert used["result"]["value"] == again["result"]["value"] == last["result"]["value"]


def named(name: str) -> Callable[..., Any]:
    """A program with scopes, an argument, a jitted and a checkpointed function of that name, in a gradient and after it."""

    def inner(y: Any) -> Any:
        return jnp.cos(y) * y

    inner.__name__ = name
    names: dict[str, Any] = {"jax": jax, "jnp": jnp, "lax": lax, "inner": inner}
    exec(
        f"def loss({name}):\n"
        f"    with jax.named_scope({name!r}):\n"
        f"        y = jax.jit(inner)({name})\n"
        f"    with jax.named_scope({name!r} + '/' + {name!r}):\n"
        f"        return jnp.sum(jax.checkpoint(inner)(lax.scan(lambda c, _: (inner(c), None), y, None, length=3)[0]))\n",
        names,
    )

    def program(x: Any) -> Any:
        with jax.named_scope(name):
            return jnp.abs(jax.grad(names["loss"])(jnp.log(x)))

    return program


@pytest.mark.parametrize("name", ["ltcir1m3_", "ltcir5m7_", "mark", "é_中文", "next"])
def test_names_spelled_like_marks_change_nothing(name: str) -> None:
    def next_mark() -> str:
        number = int(re.findall(r"x(\d+)m", marks.unused_prefix(()))[0])
        return f"{marks.WORD}x{number + 1}m3_"

    expected = counted.count(named("plain"), X)
    found = counted.count(named(next_mark() if name == "next" else name), X)
    for level, count in expected.items():
        assert found[level].tally == count.tally
        assert found[level].attributed == count.attributed


def test_a_semicolon_in_a_scope_hides_no_mark() -> None:
    def program(scope: str) -> Callable[..., Any]:
        def loss(x: Any) -> Any:
            with jax.named_scope(scope):
                return jnp.sum(lax.scan(lambda c, _: (jnp.sin(c) * c, None), x, None, length=3)[0])

        return jax.grad(loss)

    expected, found = (counted.count(program(scope), X, by=("source",)) for scope in ("a_b", "a;b"))
    assert {level: count.by for level, count in found.items()} == {level: count.by for level, count in expected.items()}


def lost(staged: Staged, jaxpr: Any) -> Staged:
    """A way through the stages that loses the marks."""
    return staged


FALLBACKS = {
    "unknown place": (compat, "with_jaxpr", lambda traced, jaxpr: None),
    "loses marks": (Staged, "with_marks", lost),
}


@pytest.mark.parametrize("why", FALLBACKS)
def test_without_marks_names_are_used_and_that_is_said_once(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from ltc_ir_cli.app import main

    (tmp_path / "net.py").write_text(NET)
    target, levels = f"{tmp_path / 'net.py'}:net", ("--level", "jaxpr,stablehlo,hlo")
    command = ["count", target, "--grad", *levels, "--format", "json"]
    assert main(command) == 0
    with_marks = capfd.readouterr()
    monkeypatch.setattr(*FALLBACKS[why])
    assert main(command) == 0
    by_names = capfd.readouterr()
    assert "told by names" not in with_marks.err
    assert by_names.err.count("told by names") == 1
    assert why in by_names.err
    for program, of_levels in json.loads(by_names.out)["programs"].items():
        before = json.loads(with_marks.out)["programs"][program]
        assert of_levels["jaxpr"] == before["jaxpr"]
        for level in ("stablehlo", "hlo"):
            assert why in of_levels[level]["reasons"]["attributed.marks"]
            assert "attributed.marks" not in before[level].get("reasons", {})
            assert of_levels[level]["ops"] == before[level]["ops"]
    assert json.loads(by_names.out)["programs"]["grad"]["stablehlo"]["phases"]["backward"]
    assert main(["doctor"]) == 0
    told = capfd.readouterr()
    assert re.search(rf"attribution +by names .*{why}", told.out)
    assert "told by names" not in told.err


def test_the_doctor_says_that_marks_are_used(capfd: pytest.CaptureFixture[str]) -> None:
    from ltc_ir_cli.app import main

    assert main(["doctor"]) == 0
    assert re.search(r"attribution +by marks", capfd.readouterr().out)


def test_a_program_without_equations_needs_no_marks() -> None:
    for function in (lambda x: x, lambda x: jnp.zeros(3)):
        assert "attributed.marks" not in counted.count(function, X)["hlo"].reasons
