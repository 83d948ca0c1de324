"""A small project of a user's own: its pyproject.toml, a net.py that changes, and commands run in it."""

from __future__ import annotations

import importlib
import json
import linecache
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran, environment

HEAD = """import functools

import jax
import jax.numpy as jnp

"""
NET = (
    HEAD
    + """
def cell(w, x):
    return jnp.tanh(x @ w)


def step(w, x):
    def body(carry, _):
        return cell(w, carry), None

    last, _ = jax.lax.scan(body, x, None, length=50)
    return last.sum()


step_args = (jax.ShapeDtypeStruct((4, 4), "float32"), jax.ShapeDtypeStruct((2, 4), "float32"))
"""
)
PYPROJECT = '[project]\nname = "small"\n'


_LEAN = [
    "--assert=plain",
    *(
        word
        for name in ("cacheprovider", "xdist", "unraisableexception", "hypothesispytest")
        for word in ("-p", f"no:{name}")
    ),
]
"""A run within a run: without what costs more than the tests do."""


IN_PROCESS = "note: the target's code runs in the tool's own process, and can end it\n"


@dataclass
class Project:
    """A folder of a user's, and what commands do in it."""

    root: Path
    reader: Callable[[], tuple[str, str]]

    def write(self, text: str, name: str = "net.py") -> Path:
        """A new version of a file; what was imported of the old one is forgotten."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.forget()
        return path

    def configure(self, text: str) -> None:
        """What pyproject.toml says of us."""
        (self.root / "pyproject.toml").write_text(f"{PYPROJECT}\n{text}", encoding="utf-8")

    def forget(self) -> None:
        """Forget the user's modules, as a new process would."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.root.parent)):
                del sys.modules[name]
        linecache.clearcache()
        importlib.invalidate_caches()

    def run(self, *argv: str) -> Ran:
        """Run ``ltc-ir snapshot`` in this process, the code of targets too unless ``--jobs`` is given."""
        from ltc_ir.files import project_above
        from ltc_ir_cli.app import main

        project_above.cache_clear()
        self.reader()
        runs = argv[0] in {"check", "update", "prune"} and not {"--jobs", "--help"} & set(argv)
        code = main(["snapshot", *argv, *(["--in-process"] if runs else [])])
        sys.stdout.flush()
        out, err = self.reader()
        return Ran(code, out, err.replace(IN_PROCESS, ""))

    def tests(self, *argv: str) -> Ran:
        """Run pytest on the project in this process."""
        from ltc_ir.files import project_above

        project_above.cache_clear()
        self.forget()
        self.reader()
        code = pytest.main([*_LEAN, *argv])
        return Ran(int(code), *self.reader())

    def real_tests(self, *argv: str, **more: str) -> Ran:
        """Run pytest on the project in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *argv],
            cwd=self.root, env=environment(**more), capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def check(self, *argv: str) -> Ran:
        return self.run("check", *(argv or ("net.py:step",)))

    def update(self, *argv: str) -> Ran:
        return self.run("update", *(argv or ("net.py:step",)))

    def checks(self, *argv: str) -> dict[str, Any]:
        """The checks of a run by ``target program``."""
        ran = self.check(*(argv or ("net.py:step",)), "--format", "json")
        return {f"{one['target']} {one['program']}": one for one in json.loads(ran.out)["checks"]}

    def file(self, program: str = "forward", target: str = "net.py:step") -> Path:
        """The one snapshot of a program."""
        from ltc_ir.snapshots.naming import folder_of

        (found,) = (self.root / "snapshots" / folder_of(target)).glob(f"{program}@*.toml")
        return found

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Every file below the project: its bytes and when it was written."""
        return {
            path.relative_to(self.root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }


def footer(ran: Ran) -> str:
    """The one line in which the plugin sums a run up."""
    (found,) = [line for line in ran.out.splitlines() if line.startswith("ltc-ir: ")]
    return found


def line_of(text: str, piece: str) -> int:
    """The line of a source that has this piece, from 1."""
    (found,) = (number for number, line in enumerate(text.splitlines(), 1) if piece in line)
    return found


@pytest.fixture
def bare_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """A project without snapshots."""
    root = (tmp_path / "small").resolve()
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in os.environ if name.startswith("LTC_IR_") or name in {"CI", "NO_COLOR"}]:
        monkeypatch.delenv(name)
    made = Project(root, capfd.readouterr)
    made.configure("")
    made.write(NET)
    yield made
    made.forget()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second capture in this process, for tests of what follows from it; others have the real one."""
    from ltc_ir.snapshots import capture as capturing

    monkeypatch.setattr(capturing, "_in_worker", capturing.capture_programs)


@pytest.fixture
def project(bare_project: Project, quick: None) -> Project:
    """A project whose NET is recorded."""
    ran = bare_project.update()
    assert ran.code == 0, ran.out + ran.err
    return bare_project
