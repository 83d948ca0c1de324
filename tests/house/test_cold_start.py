"""Nothing that does not need JAX waits for it: help, listings, completion and stored counts stay cold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ltc_ir.records import snapshot_toml as layout
from ltc_ir.records.count import Count, LevelCount, Tally
from ltc_ir.records.environment import Environment
from ltc_ir.records.serialization import dumps
from ltc_ir.records.snapshot import Identity, LevelFacts, Provenance, Snapshot

HOT = ("jax", "jaxlib", "pandas", "matplotlib", "networkx", "numpy")

PROBE = """
import json, sys
from ltc_ir_cli.app import main
try:
    code = main(json.loads(sys.argv[1]))
except SystemExit as end:
    code = end.code or 0
print(json.dumps([code, sorted(name for name in {hot!r} if name in sys.modules)]), file=sys.stderr)
"""

COLD = {
    "help": ["--help"],
    "help of a command": ["count", "--help"],
    "help of diff": ["diff", "--help"],
    "version": ["--version"],
    "targets": ["targets"],
    "targets as JSON": ["targets", "--format", "json"],
    "stored count as table": ["count", "stored.json"],
    "stored count as JSON": ["count", "stored.json", "--format", "json"],
    "stored count as CSV": ["count", "stored.json", "--format", "csv"],
    "stored count as Markdown": ["count", "stored.json", "--format", "markdown"],
    "snapshot": ["count", "stored.toml"],
    "snapshot against a stored count": ["diff", "stored.toml", "stored.json"],
}


def imported(argv: list[str], folder: Path, **more: str) -> list[str]:
    """What a command imported of what is hot, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(hot=HOT), json.dumps(argv)],
        cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    code, found = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    assert done.stdout
    return list(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stored count and a snapshot in it."""
    made = tmp_path_factory.mktemp("cold")
    level = LevelCount("jaxpr", Tally({"mul": 2}, {"primal": {"mul": 2}}), {"phase": 1.0, "source": 1.0}, max_depth=0)
    count = Count("mine", Environment(jax="0.10.2"), {"forward": {"jaxpr": level}})
    (made / "stored.json").write_text(dumps(count))
    ops = {("primal", "mine:forward"): {"mul": 2}}
    figures = {"lines": 5, "constants.embedded.bytes": 0}
    facts = {
        "jaxpr": LevelFacts(ops, fingerprint="a1"),
        "stablehlo": LevelFacts({}, metrics=figures, fingerprint="b2"),
    }
    snapshot = Snapshot("mine", "forward", Identity("0.10"), Provenance("0.10.2", "0.10.2"), facts)
    (made / "stored.toml").write_text(layout.dumps(snapshot))
    return made


@pytest.mark.parametrize("what", COLD)
def test_stays_cold(what: str, folder: Path) -> None:
    assert imported(COLD[what], folder) == []


def test_completion_stays_cold(folder: Path) -> None:
    words = {"_LTC_IR_COMPLETE": "complete_bash", "COMP_WORDS": "ltc-ir count l", "COMP_CWORD": "2"}
    assert imported([], folder, **words) == []


@pytest.mark.parametrize(
    "module", ["ltc_ir", "ltc_ir_cli.app", "ltc_ir.api.count", "ltc_ir.render.formats", "ltc_ir.records.serialization"]
)
def test_importing_stays_cold(module: str, folder: Path) -> None:
    probe = f"import sys, {module}; print([name for name in {HOT!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_probe_sees_what_is_hot(folder: Path) -> None:
    """The proof above could fail: a command that needs JAX is seen to import it, and so is a planted import."""
    (folder / "mine.py").write_text("def f(): return 1.0\n")
    found = imported(["count", "mine:f", "--level", "jaxpr"], folder)
    assert {"jax", "jaxlib", "numpy"} <= set(found)
    probe = PROBE.replace("import json, sys", "import json, sys, networkx")
    done = subprocess.run(
        [sys.executable, "-c", probe.format(hot=HOT), '["--version"]'],
        cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "networkx" in json.loads(done.stderr.splitlines()[-1])[1]
