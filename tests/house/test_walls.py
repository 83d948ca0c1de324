"""The floors of the house hold, and the test that says so can fail."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ltc_ir.ir.origin import ROOMS

pytestmark = pytest.mark.early

pytest.importorskip("importlinter", reason="needs the test extra: import-linter")
ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"


def lint(config: Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--config", str(config), "--no-cache"], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_every_contract_holds():
    done = lint(ROOT / ".importlinter")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_a_broken_wall_is_seen(tmp_path):
    config = tmp_path / "contracts"
    config.write_text(
        "[importlinter]\nroot_package = ltc_ir\n\n[importlinter:contract:upside_down]\nname = upside down\ntype = layers\n"
        "layers =\n    ltc_ir.errors\n    ltc_ir.api\n",
        encoding="utf-8",
    )
    assert lint(config).returncode != 0


def modules() -> list[Path]:
    return sorted([*ROOT.glob("ltc_ir/**/*.py"), *ROOT.glob("cli/**/*.py")])


def test_every_module_says_in_its_first_line_why_it_exists():
    for path in modules():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert docstring, f"{path} has no docstring"
        assert len(docstring.splitlines()[0]) <= 124, f"{path}: its first line is too long"


def test_functions_and_modules_stay_small():
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 500, f"{path.name} is over 500 lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path.name}: {node.name} is over 60 lines"


def test_no_module_bears_the_name_of_a_public_verb():
    import ltc_ir

    stems = {path.stem for path in ROOT.glob("ltc_ir/*.py")} | {path.name for path in ROOT.glob("ltc_ir/*/")}
    assert not stems & set(ltc_ir.__all__)


LAB, TABLES = "ltc_ir.lab", {"ltc_ir/targets/builtin.py", "cli/ltc_ir_cli/app.py"}


def test_the_lab_is_named_in_the_tables_of_targets_and_of_commands_alone():
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if ROOT / "ltc_ir" / "lab" not in path.parents
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value).startswith((LAB, LAB.replace(".", "/"), "lab/"))
    }
    assert naming == TABLES


def test_every_room_but_the_lab_is_known_as_the_tools_own():
    assert {path.parent.name for path in ROOT.glob("ltc_ir/*/__init__.py")} == ROOMS | {"lab"}


@pytest.mark.parametrize(
    "command", [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]], ids=" ".join
)
def test_style_and_types(command):
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run([str(tool), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
