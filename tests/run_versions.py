"""Runs tests in virtual environments: those marked ``versions`` on each pinned JAX, those marked ``frameworks`` on one.

``python -m tests.run_versions`` runs the marked tests on every pinned JAX. ``--only oldest,newest,frameworks`` selects
environments by those names, or by a version of JAX. Each environment lies below ``.versions/`` and is kept between runs;
``--fresh`` builds it again. The interpreter is found through pyenv or uv; without one the environment is skipped with the
reason. The table of the pinned versions is in docs/versions.md (``--update`` writes it there). Other options go to pytest.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".versions"
PINNED = (("0.6.2", "3.11"), ("0.10.2", "3.11"), ("0.12.0", "3.12"))
"""Each JAX that the documentation names, with the Python it is tested on; the oldest first."""
SKIPPED = 77
"""The exit code where no environment had an interpreter, as Automake's test drivers use it."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its folder, what is installed in it, and the marker of the tests that run in it.

    Where a test must not be skipped (``may_skip``), a skipped one is a failure.
    """

    name: str
    jax: str
    python: str
    extras: str = "test"
    marker: str = "versions"
    may_skip: bool = True


VERSIONS = tuple(Environment(f"jax-{jax}", jax, python) for jax, python in PINNED)
FRAMEWORKS = Environment("frameworks", "0.10.2", "3.11", "test,frameworks", "frameworks", may_skip=False)
BY_NAME = (
    {environment.jax: environment for environment in VERSIONS}
    | {"oldest": VERSIONS[0], "newest": VERSIONS[-1], "frameworks": FRAMEWORKS}
)  # fmt: skip


@dataclass
class Outcome:
    """What one environment's tests did; ``missing`` says why they did not run."""

    environment: Environment
    passed: int = 0
    failed: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    missing: str = ""

    def row(self) -> str:
        """The Markdown row of this environment."""
        head = f"| {self.environment.jax} | {self.environment.python} |"
        if self.missing:
            return f"{head} - | - | - | {self.missing} |"
        reasons = "; ".join(f"{number} x {reason}" for reason, number in self.skips.most_common()) or "-"
        return f"{head} {self.passed} | {self.failed} | {sum(self.skips.values())} | {reasons} |"


def interpreter(version: str) -> str | None:
    """An interpreter of that minor version: this one, pyenv's newest, uv's, or one on the path."""
    if sys.version.startswith(version + "."):
        return sys.executable
    pyenv = shutil.which("pyenv")
    if pyenv:
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()
        found = sorted(Path(root, "versions").glob(f"{version}.*/bin/python"))
        if found:
            return str(found[-1])
    home = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if home:
        return str(home[-1])
    if shutil.which("uv"):
        answer = subprocess.run(["uv", "python", "find", version], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return answer.stdout.strip()
    return shutil.which(f"python{version}")


def constraints(jax: str) -> str:
    """The project's constraints with another JAX: all its lines where it is the pinned one, else those of other packages."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    others = [line for line in lines if not re.match(r"jax(lib)?==", line)]
    return "\n".join([*others, f"jax=={jax}", f"jaxlib=={jax}"]) + "\n"


def build(environment: Environment, python: str, fresh: bool) -> Path:
    """The Python of an environment, built where it is not there yet.

    Raises:
        subprocess.CalledProcessError: what it needs could not be installed.
    """
    folder = FOLDER / environment.name
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    executable = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        pins = folder / "constraints.txt"
        pins.write_text(constraints(environment.jax), encoding="utf-8")
        package = f"{ROOT}[{environment.extras}]"
        subprocess.run([str(executable), "-m", "pip", "install", "-q", "-c", str(pins), "-e", package], check=True)
        complete.touch()
    return executable


def run(environment: Environment, fresh: bool, rest: Sequence[str]) -> Outcome:
    """Run the marked tests in one environment. It fails where a test fails, and where none of them runs."""
    outcome = Outcome(environment)
    python = interpreter(environment.python)
    if python is None:
        outcome.missing = f"no Python {environment.python} found"
        return outcome
    executable = build(environment, python, fresh)
    report = FOLDER / f"{environment.name}.xml"
    report.unlink(missing_ok=True)
    marked = ["-m", f"{environment.marker} and not long", f"--junitxml={report}"]
    done = subprocess.run([str(executable), "-m", "pytest", *marked, *rest], cwd=ROOT, check=False)
    if not report.exists():
        outcome.failed, outcome.missing = 1, f"pytest wrote no report (exit {done.returncode})"
        return outcome
    _tally(outcome, report)
    if outcome.skips and not environment.may_skip:
        outcome.failed += sum(outcome.skips.values())
    if not outcome.failed and (done.returncode or not outcome.passed):
        outcome.failed, outcome.missing = (
            1,
            f"pytest ended with exit code {done.returncode} and {outcome.passed} passed",
        )
    return outcome


def _tally(outcome: Outcome, report: Path) -> None:
    for case in ET.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        if skipped is not None:
            outcome.skips[re.sub(r"^Skipped: ", "", skipped.get("message", "no reason"))] += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        else:
            outcome.passed += 1


def table(outcomes: Sequence[Outcome]) -> str:
    """The Markdown table of all environments."""
    head = ["| JAX | Python | passed | failed | skipped | why skipped |", "|---|---|---:|---:|---:|---|"]
    return "\n".join([*head, *(outcome.row() for outcome in outcomes)]) + "\n"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """1 where anything failed, `SKIPPED` where nothing ran, else 0."""
    if any(outcome.failed for outcome in outcomes):
        return 1
    return SKIPPED if all(outcome.missing for outcome in outcomes) else 0


def environments(names: str) -> list[Environment]:
    """The environments named in a list with commas."""
    unknown = [name for name in names.split(",") if name not in BY_NAME]
    if unknown:
        raise SystemExit(f"unknown environment: {', '.join(unknown)} (known: {', '.join(BY_NAME)})")
    return [BY_NAME[name] for name in names.split(",")]


def main() -> int:
    """Run, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=environments, default=VERSIONS, help=f"of {', '.join(BY_NAME)}, with commas")
    parser.add_argument("--fresh", action="store_true", help="build the environments again")
    parser.add_argument("--update", action="store_true", help="write the table into docs/versions.md")
    options, rest = parser.parse_known_args()
    if options.update and options.only != VERSIONS:
        parser.error("--update needs every pinned JAX, so it cannot be combined with --only")
    FOLDER.mkdir(exist_ok=True)
    outcomes = [run(environment, options.fresh, rest) for environment in options.only]
    print(table(outcomes))
    if options.update:
        page = ROOT / "docs" / "versions.md"
        text = page.read_text(encoding="utf-8")
        marked = r"(<!-- versions: begin -->\n).*?(<!-- versions: end -->)"
        page.write_text(re.sub(marked, lambda m: m[1] + table(outcomes) + m[2], text, flags=re.S), encoding="utf-8")
    return exit_code(outcomes)


if __name__ == "__main__":
    raise SystemExit(main())
