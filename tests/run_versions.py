"""Runs the tests marked ``versions`` on every pinned JAX: ``python -m tests.run_versions``.

Builds one virtual environment per JAX below ``.versions/`` (kept between runs, made anew with ``--fresh``), finds the
interpreter each needs through pyenv or uv, and prints what passed, what was skipped and why. The table it prints stands
in docs/versions.md (``--update`` writes it there).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".versions"
PINNED = (("0.6.2", "3.11"), ("0.10.2", "3.11"), ("0.12.0", "3.12"))


@dataclass
class Outcome:
    """What one environment's tests did."""

    jax: str
    python: str
    passed: int = 0
    failed: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    missing: str = ""

    def row(self) -> str:
        """The Markdown row of this environment."""
        if self.missing:
            return f"| {self.jax} | {self.python} | - | - | - | {self.missing} |"
        reasons = "; ".join(f"{number} x {reason}" for reason, number in self.skips.most_common()) or "-"
        return (
            f"| {self.jax} | {self.python} | {self.passed} | {self.failed} | {sum(self.skips.values())} | {reasons} |"
        )


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


def environment(jax: str, python: str, fresh: bool) -> Path:
    """The Python of an environment with that JAX, made where it is not there yet."""
    folder = FOLDER / f"jax-{jax}"
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    executable = folder / "bin" / "python"
    if not executable.exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        pins = [f"jax=={jax}", f"jaxlib=={jax}"]
        subprocess.run([str(executable), "-m", "pip", "install", "-q", *pins, "-e", f"{ROOT}[test]"], check=True)
    return executable


def run(jax: str, version: str, fresh: bool, rest: list[str]) -> Outcome:
    """Run the marked tests on one JAX."""
    outcome = Outcome(jax, version)
    python = interpreter(version)
    if python is None:
        outcome.missing = f"no Python {version} found"
        return outcome
    executable = environment(jax, python, fresh)
    report = FOLDER / f"jax-{jax}.xml"
    command = [str(executable), "-m", "pytest", "-m", "versions and not long", f"--junitxml={report}", *rest]
    report.unlink(missing_ok=True)
    done = subprocess.run(command, cwd=ROOT, check=False)
    if not report.exists():
        outcome.failed, outcome.missing = 1, f"pytest wrote no report (exit {done.returncode})"
        return outcome
    for case in ET.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        if skipped is not None:
            outcome.skips[re.sub(r"^Skipped: ", "", skipped.get("message", "no reason"))] += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        else:
            outcome.passed += 1
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """The Markdown table of all environments."""
    head = ["| JAX | Python | passed | failed | skipped | why skipped |", "|---|---|---:|---:|---:|---|"]
    return "\n".join([*head, *(outcome.row() for outcome in outcomes)]) + "\n"


def main() -> int:
    """Run, print, and say whether anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="make the environments anew")
    parser.add_argument("--update", action="store_true", help="write the table into docs/versions.md")
    options, rest = parser.parse_known_args()
    FOLDER.mkdir(exist_ok=True)
    outcomes = [run(jax, python, options.fresh, rest) for jax, python in PINNED]
    print(table(outcomes))
    if options.update:
        page = ROOT / "docs" / "versions.md"
        text = page.read_text(encoding="utf-8")
        marked = r"(<!-- versions: begin -->\n).*?(<!-- versions: end -->)"
        page.write_text(re.sub(marked, lambda m: m[1] + table(outcomes) + m[2], text, flags=re.S), encoding="utf-8")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
