"""A folder of a user's own to run commands in, and two ways of running them: in this process, and as a real program."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

MINE = """
from functools import partial

import jax
import jax.numpy as jnp

def step(w, x):
    return jnp.tanh(x @ w)

step_args = (jax.ShapeDtypeStruct((3, 4), "float32"), jax.ShapeDtypeStruct((5, 3), "float32"))

def energy(x):
    return (x * x).sum()

energy_args = (jax.ShapeDtypeStruct((3,), "float32"),)

def bare(w, x):
    return w

def fails(x):
    raise RuntimeError("boom\\nand more")

def branches(x):
    return x if x > 0 else -x

def tabled(i, x):
    return (x * i).sum()

tabled_args = (jax.ShapeDtypeStruct((3,), "int32"), jax.ShapeDtypeStruct((3,), "float32"))

def power(n, x):
    return (x**n).sum() if n > 1 else x.sum()

power_args = (2, jax.ShapeDtypeStruct((3,), "float32"))

def listed():
    return [1.0]

NUMBER = 3

if __name__ == "__main__":
    raise SystemExit("run as a script")
"""


@dataclass
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    @property
    def hints(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("hint: ")]


Command = Callable[..., Ran]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder with a module ``mine``; it is the current one while a test of the module runs."""
    made = tmp_path_factory.mktemp("user").resolve()
    (made / "mine.py").write_text(MINE)
    before, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
    os.chdir(made)
    importlib.invalidate_caches()
    yield made
    os.chdir(before)
    sys.path[:] = path
    for name in sorted(set(sys.modules) - modules, reverse=True):
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(made)):
            del sys.modules[name]


@pytest.fixture
def command(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command line in this process; what it wrote is read at the file descriptors."""
    from ltc_ir.files import project_above
    from ltc_ir_cli.app import main

    for name in [name for name in os.environ if name.startswith("LTC_IR_") or name == "NO_COLOR"]:
        monkeypatch.delenv(name)
    project_above.cache_clear()

    def run(*argv: str) -> Ran:
        capfd.readouterr()
        code = main(list(argv))
        sys.stdout.flush()
        return Ran(code, *capfd.readouterr())

    return run


def program() -> str:
    """The console script of this environment."""
    beside = Path(sys.executable).with_name("ltc-ir")
    found = str(beside) if beside.is_file() else shutil.which("ltc-ir")
    if found is None:
        pytest.skip("ltc-ir is not installed in this environment")
    return found


def environment(**more: str) -> dict[str, str]:
    """An environment for a child: CPU, one device, no settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LTC_IR_") and name != "XLA_FLAGS"}
    return kept | {"JAX_PLATFORMS": "cpu"} | more


def run_program(*argv: str, folder: Path, **more: str) -> Ran:
    """Run the console script as a user does."""
    done = subprocess.run(
        [program(), *argv],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def data_of(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    assert ran.out.endswith("\n")
    return ran.out


def record_of(ran: Ran) -> dict[str, Any]:
    """A JSON record, in the form every one has."""
    text = data_of(ran)
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert text == json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert found["schema"] == 1
    return found
