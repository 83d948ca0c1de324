"""The wheel that users install holds the two packages and their type markers, and works without the development extras."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("a wheel cannot be built here: " + done.stderr.strip().splitlines()[-1])
    return next(folder.glob("*.whl"))


def test_its_top_level_names_are_the_two_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"ltc_ir", "ltc_ir_cli"}
    assert {"ltc_ir/py.typed", "ltc_ir_cli/py.typed"} <= set(names)


def test_every_module_is_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    here = {str(path.relative_to(ROOT)) for path in ROOT.glob("ltc_ir/**/*.py")}
    here |= {str(path.relative_to(ROOT / "cli")) for path in ROOT.glob("cli/**/*.py")}
    assert here | {"ltc_ir/rules/vocabularies.json"} <= names


def test_it_runs_unpacked_elsewhere(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from ltc_ir_cli.app import main; sys.exit(main(['targets']))"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ltc_ir.lab.models.ltc:TARGET" in done.stdout


def test_it_declares_what_it_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert {line.split()[1].split(">")[0] for line in needed} == {
        "jax", "jaxlib", "rich", "typer", "networkx", "pandas", "matplotlib", "msgspec",
    }  # fmt: skip
    assert "License-Expression: MIT" in metadata
