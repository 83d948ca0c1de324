"""The commands that are killed, in a user's folder that each kill has a copy of, and what each leaves when nothing kills it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.conftest import environment

SOURCE = """import jax
import jax.numpy as jnp


def first(w, x):
    return jnp.{0}(x @ w).sum()


def second(w, x):
    return jnp.{0}(jnp.cos(x @ w)).sum()


def third(w, x):
    return (jnp.{0}(x @ w) * x[0, 0]).sum()


first_args = second_args = third_args = (
    jax.ShapeDtypeStruct((4, 4), "float32"), jax.ShapeDtypeStruct((2, 4), "float32")
)
"""
PYPROJECT = """[project]
name = "killed"

[tool.ltc-ir.snapshots]
targets = ["net.py:first", "net.py:second", "net.py:third"]
"""
ROOT = Path(__file__).resolve().parents[2]
TEMPORARY = "temporary"
"""The folder below a copy that temporary files of the command go to."""


def console_script(root: Path) -> Path:
    """The console script as an installation writes it, of the tree that this is."""
    path = root / "ltc-ir"
    if not path.exists():
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        module, _, function = project["project"]["scripts"]["ltc-ir"].partition(":")
        text = f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return path


@dataclass(frozen=True)
class Command:
    """A command line, and what has to be done in the folder for it.

    Args:
        name: what the result calls it.
        line: its words, as a user writes them.
        writes: patterns of the files that it may write.
        undone: files and folders of a finished run that are not there when it begins.
    """

    name: str
    line: str
    writes: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()


COMMANDS = (
    Command("count of a target", "count net.py:first --grad"),
    Command(
        "count -o", "count net.py:first --level jaxpr,stablehlo,hlo --format json -o counted.json", ("counted.json",)
    ),
    Command("count of a file", "count stored.mlir --format json -o read.json", ("read.json",)),
    Command("lower -o", "lower net.py:first -o lowered.mlir", ("lowered.mlir",)),
    Command("diff", "diff net.py:first net.py:second --text"),
    Command("follow", "follow net.py:first -o followed.txt", ("followed.txt",)),
    Command(
        "time", "time net.py:first -p forward --repeat 2 --passes --warm --format json -o timed.json", ("timed.json",)
    ),
    Command("snapshot check", "snapshot check"),
    Command("snapshot update", "snapshot update", ("snapshots/*.toml",)),
    Command("update of a new store", "snapshot update --dir recorded/here", ("recorded/here/*.toml",), ("recorded",)),
    Command(
        "experiment", "experiment tau --seeds 1 --epochs 10 --jobs 2 --dir runs", ("runs/tau.*", "runs/trained/*.npz"),
        ("runs/trained/ltc-0.1-seed42-10by10.npz", "runs/tau.json"),
    ),
    Command("experiment data", "experiment data --dir figures", ("figures/data.npz", "figures/data.csv"), ("figures",)),
)  # fmt: skip
SAMPLE = tuple(
    command for command in COMMANDS if command.name in {"count of a file", "lower -o", "update of a new store"}
)
"""Those that the suite kills."""


@dataclass
class Prepared:
    """A command with the folder that its copies are made of, and what a run of it that nobody kills comes to.

    Args:
        command: the command.
        folder: the folder as it is before.
        after: what its files hold after a finished run, by their paths.
        code: the exit code of that run.
        took_s: the seconds that it took.
    """

    command: Command
    folder: Path
    after: dict[str, bytes] = field(default_factory=dict)
    code: int = 0
    took_s: float = 1.5

    @property
    def before(self) -> dict[str, bytes]:
        return files_of(self.folder)


def files_of(folder: Path) -> dict[str, bytes]:
    """What the files below a folder hold, by their paths."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def variables(folder: Path, mark: str) -> dict[str, str]:
    """The environment of a command in a copy of its folder; whatever it starts bears the mark."""
    return environment(TMPDIR=str(folder / TEMPORARY), PYTHONDONTWRITEBYTECODE="1", KILLED_AS=mark)


def written(root: Path, commands: tuple[Command, ...]) -> list[Prepared]:
    """The folder of each command, where none has run yet."""
    base = _base(root)
    (base / "stored.mlir").write_text("module @stored {\n}\n", encoding="utf-8")
    return [Prepared(command, base) for command in commands]


def prepared(root: Path, commands: tuple[Command, ...]) -> list[Prepared]:
    """The folder of each command: an old state, whose files differ from what the command will write."""
    base = _base(root)
    _run("lower net.py:second -o stored.mlir", base)
    _run("snapshot update", base)
    (base / "net.py").write_text(SOURCE.format("tanh"), encoding="utf-8")
    return [_measured(root, base, number, command) for number, command in enumerate(commands)]


def _base(root: Path) -> Path:
    base = root / "base"
    (base / TEMPORARY).mkdir(parents=True)
    (base / "net.py").write_text(SOURCE.format("sin"), encoding="utf-8")
    (base / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    for name in ("counted.json", "read.json", "lowered.mlir", "followed.txt", "timed.json"):
        (base / name).write_bytes(b"{}\n")
    return base


def _measured(root: Path, base: Path, number: int, command: Command) -> Prepared:
    """Run a command in a copy of the folder, and take back what it wrote; or, where it is done in part, the rest too."""
    folder, trial = root / f"command{number}", root / f"trial{number}"
    shutil.copytree(base, folder)
    shutil.copytree(base, trial)
    made = Prepared(command, folder)
    made.code, made.took_s = _run(command.line, trial, any_code=True)
    made.after = files_of(trial)
    if command.undone:
        shutil.rmtree(folder)
        trial.rename(folder)
        for name in command.undone:
            _remove(folder / name)
        shutil.copytree(folder, trial)
        made.code, made.took_s = _run(command.line, trial, any_code=True)
    shutil.rmtree(trial)
    return made


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _run(line: str, folder: Path, *, any_code: bool = False) -> tuple[int, float]:
    """The exit code of a command that nobody kills, and its seconds."""
    start = time.monotonic()
    done = subprocess.run(
        [console_script(folder.parent), *line.split()],
        cwd=folder,
        env=variables(folder, "nobody"),
        capture_output=True,
        check=False,
    )
    took_s = time.monotonic() - start
    assert done.returncode in ({0, 1} if any_code else {0}), done.stderr.decode(errors="replace")
    assert not list((folder / TEMPORARY).iterdir()), "a run that nobody kills leaves temporary files"
    return done.returncode, took_s
