"""Holds sources to files whose lines are known: every operation at the line that made it, on every level."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir.ir.op import Frame
from ltc_ir.ir.origin import Ownership, function_key
from ltc_ir.records.count import LevelCount
from tests.registry import JAX
from tests.tables.counted import LEVELS, count, plain

pytestmark = pytest.mark.versions

LINES = """\
import jax
import jax.numpy as jnp
from jax import lax


@jax.jit
def inner(x):
    return lax.sin(x)  # 8


def step(carry, y):
    return lax.cos(carry * y), None  # 12


class Model:
    def apply(self, x):
        return lax.tanh(x)  # 17


def program(x):
    a = inner(x)  # 21
    b = inner(a)  # 22
    c, _ = lax.scan(step, b.sum(), x)  # 23
    shifted = lambda z: lax.atan2(z, 2 * z)  # 24
    parts = [
        lax.log(piece)  # 26
        for piece in (a, b)
    ]
    return Model().apply(shifted(c) + parts[0] * parts[1]).sum()  # 29


def nested(x):
    def deeper(y):
        return {number: (lambda z: lax.exp(z))(y) for number in range(2)}  # 34

    return sum(deeper(x).values())  # 36
"""
AT = {"sin": 8, "cos": 12, "tanh": 17, "atan2": 24, "log": 26}
"""The line of each operation that stands at one line alone."""
WORDS = {"sine": "sin", "cosine": "cos", "exponential": "exp"}
"""StableHLO's and HLO's words for primitives."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on the import path, and one named ``site-packages`` below it."""
    folder = tmp_path_factory.mktemp("sources")
    installed = folder / "site-packages"
    installed.mkdir()
    sys.path[:0] = [str(folder), str(installed)]
    yield folder
    del sys.path[:2]


@pytest.fixture(scope="module")
def known(modules: Path) -> ModuleType:
    (modules / "known_lines.py").write_text(LINES)
    return importlib.import_module("known_lines")


def keys_of(found: LevelCount, expanded: bool = True) -> dict[str, set[str]]:
    """The keys under which each operation stands, by the primitive's name."""
    keys: dict[str, set[str]] = {}
    for group in (found.expanded_by if expanded else None) or found.by or ():
        for op in group.tally.ops:
            keys.setdefault(WORDS.get(plain(op), plain(op)), set()).add(group.key)
    return keys


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_every_operation_stands_at_the_line_that_made_it(known: Any, level: str, gradient: bool) -> None:
    function = jax.grad(known.program) if gradient else known.program
    keys = keys_of(count(function, jnp.ones(3), by=("source",))[level])
    wanted = {op: line for op, line in AT.items() if op in keys and not (gradient and op in {"sin", "cos"})}
    assert {op: keys[op] for op in wanted} == {op: {f"known_lines.py:{line}"} for op, line in wanted.items()}
    assert len(wanted) >= 2
    if gradient:  # the derivative of a line stands at that line
        assert keys["sin"] | keys["cos"] <= {"known_lines.py:8", "known_lines.py:12"}


@pytest.mark.parametrize("level", LEVELS[:2])
def test_a_call_stands_at_the_line_that_calls(known: Any, level: str) -> None:
    keys = keys_of(count(known.program, jnp.ones(3), by=("source",))[level])
    calls = keys.get("jit", keys.get("pjit", set())) if level == "jaxpr" else keys["call"]
    assert {"known_lines.py:21", "known_lines.py:22"} <= calls
    assert keys["scan" if level == "jaxpr" else "while"] == {"known_lines.py:23"}


@pytest.mark.parametrize("level", LEVELS[:2])
def test_hardly_anything_is_without_a_line(known: Any, level: str) -> None:
    found = count(known.program, jnp.ones(3), by=("source",))[level]
    keys = keys_of(found)
    homeless = {op for op, places in keys.items() if "(no source)" in places}
    assert homeless <= {"module", "func", "return", "constant"}  # the frame of the text, and what it is given


def test_functions_are_named_without_what_python_versions_spell_differently(known: Any) -> None:
    levels = count(known.program, jnp.ones(3), by=("function",))
    for level in LEVELS[:2]:
        keys = keys_of(levels[level])
        expected = {
            "sin": "inner", "cos": "step", "tanh": "Model.apply", "atan2": "program.<lambda>", "log": "program",
        }  # fmt: skip
        assert {op: keys[op] for op in expected} == {op: {f"known_lines:{name}"} for op, name in expected.items()}
    for level in LEVELS[:2]:
        keys = keys_of(count(known.nested, jnp.ones(3), by=("function",))[level])
        assert keys["exp"] == {"known_lines:nested.deeper.<lambda>"}


@pytest.mark.parametrize(
    ("function", "key"),
    [
        ("f.<locals>.<listcomp>", "f"),
        ("f.<locals>.<listcomp>.<locals>.<lambda>", "f.<lambda>"),
        ("A.f.<locals>.g.<locals>.<dictcomp>.<locals>.<setcomp>", "A.f.g"),
        ("f.<locals>.<genexpr>", "f.<genexpr>"),
        ("<listcomp>", "<module>"),
        ("<module>", "<module>"),
    ],
)
def test_a_function_key_is_the_same_on_python_3_11_and_3_12(function: str, key: str) -> None:
    assert function_key(Frame("pkg/mod.py", 1, function)) == f"pkg.mod:{key}"


STACKS = {
    "sin": {"program:21;known_lines:inner:8", "program:22;known_lines:inner:8"},
    "cos": {"program:23;known_lines:step:12"},
    "tanh": {"program:29;known_lines:Model.apply:17"},
    "atan2": {"program:29;known_lines:program.<lambda>:24"},
    "log": {"program:26"},
}


@pytest.mark.parametrize("level", LEVELS[:2])
def test_stacks_begin_at_the_program_and_end_at_the_operation(known: Any, level: str) -> None:
    levels = count(
        known.program,
        jnp.ones(3),
        by=("stack",),
    )  # fmt: skip - a call over several lines, none of which belongs to the program
    keys = keys_of(levels[level])
    assert {op: keys[op] for op in STACKS} == {
        op: {f"known_lines:{s}" for s in stacks} for op, stacks in STACKS.items()
    }


@pytest.mark.parametrize("level", LEVELS)
def test_no_frame_of_the_caller_or_of_the_tool_stands_in_a_stack(known: Any, level: str) -> None:
    found = count(known.program, jnp.ones(3), by=("stack",), library=True)[level]
    keys = {frame.partition(":")[0] for group in found.by or () for frame in group.key.split(";")}
    assert not {key for key in keys if key.startswith(("ltc_ir", "tests", "_pytest", "pluggy", "pytest"))}
    assert "known_lines" in keys


DEEP = """\
import jax
from jax import lax


def step(c, y):
    return lax.sin(c * y), None


@jax.jit
def f(x):
    return lax.scan(step, x.sum(), x)[0]


def helper(x):
    return f(x)


def program(x):
    a = helper(x)
    b = f(x * a)
    return lax.cond(b > 0, lambda z: lax.cos(f(z)), lambda z: lax.tanh(z).sum(), x)


@jax.jit
def left(x):
    return f(x) + 1


def paths(x):
    return left(x) + f(x)
"""


@pytest.mark.parametrize("level", LEVELS[:2])
def test_a_function_called_from_several_places_has_a_stack_of_each(modules: Path, level: str) -> None:
    (modules / "deep_stack.py").write_text(DEEP)
    deep: Any = importlib.import_module("deep_stack")
    found = keys_of(count(deep.program, jnp.ones(3), by=("stack",))[level])["sin"]
    second = "program:20;" if JAX >= (0, 7) else "program:20;deep_stack:helper:15;"
    third = "program:21;deep_stack:program.<lambda>:21;" + ("" if JAX >= (0, 7) else "deep_stack:helper:15;")
    # JAX 0.6.x traces a function once and keeps the frames of its first caller inside it
    starts = ("program:19;deep_stack:helper:15;", second, third)
    assert found == {f"deep_stack:{start}deep_stack:f:11;deep_stack:step:6" for start in starts}
    inner = keys_of(count(deep.paths, jnp.ones(3), by=("source",))[level])
    assert inner["sin"] == {"deep_stack.py:6"}


def test_the_library_s_own_functions_are_named_when_asked_for() -> None:
    by_library = ltc_ir.count("ltc", programs=("forward",), levels=("jaxpr",), by=("function",), library=True)
    keys = {group.key for group in by_library.programs["forward"]["jaxpr"].by or ()}
    named = {key.partition(":")[2] for key in keys if key.startswith("jax.experimental.ode:")}
    assert {"runge_kutta_step", "fit_4th_order_polynomial"} <= named
    plainly = ltc_ir.count("ltc", programs=("forward",), levels=("jaxpr",), by=("function",))
    mine = {group.key.partition(":")[0] for group in plainly.programs["forward"]["jaxpr"].by or ()}
    assert not {key for key in mine if key.startswith("jax.")}


VENDORED = "from jax import lax\n\n\ndef act(x):\n    return lax.sin(x)\n"


def vendored(modules: Path) -> Any:
    (modules / "site-packages" / "vendored_package.py").write_text(VENDORED)
    return importlib.import_module("vendored_package")


@pytest.mark.parametrize("level", LEVELS[:2])
def test_what_an_installed_package_does_stands_at_the_line_that_calls_it(modules: Path, level: str) -> None:
    vendored(modules)
    (modules / "calls_vendored.py").write_text(
        "import vendored_package\n\n\ndef f(x):\n    return vendored_package.act(x)\n"
    )
    calls: Any = importlib.import_module("calls_vendored")
    assert keys_of(count(calls.f, jnp.ones(3), by=("source",))[level])["sin"] == {"calls_vendored.py:5"}
    named = keys_of(count(calls.f, jnp.ones(3), by=("source",), library=True)[level])["sin"]
    assert named == {"vendored_package.py:5 (library)"}


@pytest.mark.parametrize("level", LEVELS[:2])
def test_the_package_of_the_target_is_the_user_s_wherever_it_is_installed(modules: Path, level: str) -> None:
    found = count(vendored(modules).act, jnp.ones(3), by=("source",))[level]
    assert keys_of(found)["sin"] == {"vendored_package.py:5"}


def test_a_library_alone_is_marked_as_one(modules: Path) -> None:
    """A callable without a module of its own, as ``functools.partial`` is, owns no package."""
    import functools

    found = count(functools.partial(vendored(modules).act), jnp.ones(3), levels=("jaxpr",), by=("source",))["jaxpr"]
    assert keys_of(found)["sin"] == {"vendored_package.py:5 (library)"}
    assert found.attributed["source"] == 0


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        (jax.__file__.replace("__init__", "_src/lax/lax"), "jax"),
        (jax.__file__.replace("__init__", "experimental/ode"), "library"),
        ("/anywhere/site-packages/equinox/nn.py", "library"),
        ("/anywhere/dist-packages/mine/nn.py", "user"),
        (importlib.__file__, "library"),
        (ltc_ir.errors.__file__, "tool"),
        (str(Path(ltc_ir.errors.__file__).with_name("lab") / "models" / "ltc.py"), "user"),
        ("/elsewhere/net.py", "user"),
    ],
)
def test_a_file_belongs_to(path: str, owner: str) -> None:
    assert Ownership(own=("mine",)).file(path)[1] == owner


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/scratch/ipykernel_4117/2031849.py", "<notebook>"),
        ("/srv/ada/tmp/ipykernel_9/1.py", "<notebook>"),
        ("<ipython-input-3-0ac2>", "<notebook>"),
        ("<python-input-12>", "<notebook>"),
        (r"C:\Users\ada\Temp\ipykernel_9\1.py", "<notebook>"),
        ("<string>", "<notebook>"),
        ("<timed exec>", "<notebook>"),
        ("/srv/ada/net/build/__editable__.edlib-0-py3-none-any/edlib/__init__.py", "edlib.__init__"),
        ("/srv/ada/elsewhere/alone.py", "alone"),
        ("/srv/ada/elsewhere/alone", "alone"),
        (__file__, "tests.tables.test_sources"),
    ],
)
def test_no_function_key_names_a_folder_of_one_machine(path: str, name: str) -> None:
    frame = Ownership().frame(path, 7, "g")
    assert (function_key(frame), frame.line, frame.owner) == (f"{name}:g", 7, "user")


@pytest.mark.parametrize("linked", [False, True])
def test_a_module_off_the_import_path_is_called_by_its_own_name(linked: bool, tmp_path: Path) -> None:
    package = tmp_path / "src" / "offpath"
    package.mkdir(parents=True)
    for file in ("__init__.py", "layer.py"):
        (package / file).write_text("import jax.numpy as jnp\n\n\ndef act(x):\n    return jnp.sin(x)\n")
    (tmp_path / "linked").symlink_to(tmp_path / "src")
    entry = str(tmp_path / ("linked" if linked else "src"))
    sys.path.insert(0, entry)
    try:
        layer = importlib.import_module("offpath.layer")
        sys.path.remove(entry)
        offpath = sys.modules["offpath"]
        for fn, key in ((offpath.act, "offpath.__init__:act"), (layer.act, "offpath.layer:act")):
            levels = count(fn, jnp.ones(3), levels=("jaxpr", "stablehlo"), by=("function",))
            assert [keys_of(found)["sin"] for found in levels.values()] == [{key}] * 2
    finally:
        sys.modules.pop("offpath", None)
        sys.modules.pop("offpath.layer", None)


@pytest.mark.parametrize(
    ("path", "function", "place"),
    [
        ("<ipython-input-3-0ac2>", "train_step", "cell 3 (train_step):7"),
        ("<ipython-input-3-0ac2>", "train_step.<locals>.body.<locals>.<lambda>", "cell 3 (train_step):7"),
        ("<ipython-input-3-0ac2>", "Model.apply", "cell 3 (Model.apply):7"),
        ("<ipython-input-3-0ac2>", "<module>", "cell 3:7"),
        ("<ipython-input-3-0ac2>", "<lambda>", "cell 3:7"),
        ("<ipython-input-3-0ac2>", "?", "cell 3:7"),
        ("<python-input-12>", "f", "cell 12 (f):7"),
        ("/scratch/ipykernel_4117/2031849.py", "f", "cell 2031849.py (f):7"),
        ("/elsewhere/xpython_4117/2031849.py", "f", "cell 2031849.py (f):7"),
        ("<timed exec>", "f", "<notebook>:7"),
        ("/srv/ada/elsewhere/cell 3.py", "f", "/srv/ada/elsewhere/cell 3.py:7"),
    ],
)
def test_a_cell_is_called_by_its_number_and_its_function(path: str, function: str, place: str) -> None:
    assert Ownership().frame(path, 7, function).place == place


CELLS = {
    "<kernel>/3411.py": "import jax.numpy as jnp\ndef g(x):\n    return jnp.sin(x)\n",
    "<kernel>/77.py": "def h(x):\n    return jax.lax.scan(lambda c, _: (jnp.tanh(g(c)), None), x, None, length=2)[0]\n",
}


def defined(kernel: str) -> Any:
    """The function of the second of two cells, which calls that of the first, as a kernel compiles them."""
    names: dict[str, Any] = {"jax": jax}
    for path, source in CELLS.items():
        exec(compile(source, path.replace("<kernel>", kernel), "exec"), names)
    return names["h"]


class Shell:
    """IPython's shell as far as it tells the number of a cell."""

    numbers: ClassVar = {"/scratch/ipykernel_1/3411.py": 2, "/scratch/ipykernel_1/77.py": 5}

    def __init__(self) -> None:
        self.compile = self

    def format_code_name(self, name: str) -> tuple[str, str] | None:
        return ("Cell", f"In[{self.numbers[name]}]") if name in self.numbers else None


@pytest.mark.parametrize("level", LEVELS[:2])
def test_two_cells_are_two_sources_by_number(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=Shell))
    found = count(defined("/scratch/ipykernel_1"), jnp.ones(3), levels=(level,), by=("source", "stack"))[level]
    keys = keys_of(found)
    assert keys["sin"] == {"cell 2 (g):3 | cell 5 (h):2;cell 5 (h.<lambda>):2;cell 2 (g):3"}
    assert keys["tanh"] == {"cell 5 (h):2 | cell 5 (h):2;cell 5 (h.<lambda>):2"}


def test_a_cell_of_an_unknown_number_is_called_alike_in_every_session() -> None:
    for kernel in ("/scratch/ipykernel_1", "/scratch/ipykernel_2"):
        found = count(defined(kernel), jnp.ones(3), levels=("jaxpr",), by=("function", "source"))["jaxpr"]
        keys = keys_of(found)
        assert (keys["sin"], keys["tanh"]) == (
            {"<notebook>:g | cell 3411.py (g):3"},
            {"<notebook>:h.<lambda> | cell 77.py (h):2"},
        )


def test_what_python_reads_from_a_pipe_has_lines_too() -> None:
    source = (
        "import jax.numpy as jnp\nfrom ltc_ir import inspect\ndef g(x):\n    return jnp.sin(x)\n"
        "print(inspect(g, (jnp.ones(2),)).sources('sin'))\n"
    )
    done = subprocess.run([sys.executable, "-"], input=source, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "{'<notebook>:4': 1}\n"


def test_sources_that_were_not_asked_for_are_not_resolved(known: Any) -> None:
    levels: Mapping[str, LevelCount] = count(known.program, jnp.ones(3), source=False)
    for found in levels.values():
        assert found.attributed["source"] is None
        assert "attributed.source" in found.reasons
