"""What the guard does not take for something else: damaged files, files for targets, words for lists, empty stores."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import ltc_ir
from ltc_ir.api import snapshot as guarding
from ltc_ir.errors import UsageError
from tests.snapshots.guard.conftest import NET, Project

GROWN = NET.replace("return jnp.tanh(x @ w)", "return jnp.sin(jnp.tanh(x @ w))")
X = jax.ShapeDtypeStruct((3,), jnp.float32)


def test_a_snapshot_without_a_level_lets_nothing_grow(project: Project) -> None:
    file = project.file()
    text = file.read_text()
    start, end = text.index("[stablehlo]"), text.index("[end]")
    file.write_text(text[:start] + text[end:])
    project.write(GROWN)
    checked = project.check()
    assert checked.code == 2
    assert 'missing field "stablehlo"' in checked.out + checked.err
    before = file.read_bytes()
    assert project.update().code == 2
    assert file.read_bytes() == before


def test_an_update_writes_a_figure_that_a_file_lost(project: Project) -> None:
    file = project.file()
    whole = file.read_bytes()
    file.write_bytes(b"".join(line for line in whole.splitlines(True) if not line.startswith(b'"constants.bytes"')))
    assert file.read_bytes() != whole
    assert project.update().code == 0
    assert file.read_bytes() == whole


def test_a_stored_file_is_no_target_to_hold(project: Project) -> None:
    ran = project.run("check", str(project.file()))
    assert ran.code == 2
    assert "snapshot check needs a function to trace, not an IR file" in ran.err
    assert "ltc-ir diff FILE TARGET" in ran.err


def test_a_store_that_is_a_file_is_refused_by_every_verb(project: Project) -> None:
    for verb in ("check", "update", "list", "show", "prune"):
        ran = project.run(verb, *(["net.py:step"] if verb in {"check", "update"} else []), "--dir", "net.py")
        assert (verb, ran.code) == (verb, 2)
        assert "net.py is no folder" in ran.err


def test_a_store_of_tests_alone_says_so(bare_project: Project) -> None:
    bare_project.write(
        "import jax, jax.numpy as jnp\n\n\ndef test_f(check_ir):\n"
        '    check_ir(lambda x: jnp.sin(x), (jax.ShapeDtypeStruct((3,), "float32"),))\n',
        "test_net.py",
    )
    assert bare_project.tests("--ir-update").code == 0
    ran = bare_project.run("check")
    assert ran.code == 2
    assert "snapshots has snapshots of tests only and no target is named" in ran.err
    assert "pytest -m ir" in ran.err
    assert "nothing to record" in bare_project.run("update").err


def test_one_word_is_one_item_of_a_list(project: Project) -> None:
    made = guarding.check("net.py:step", programs="forward", rules="scan = 1")
    assert [(one.target, one.program, one.status) for one in made.checks] == [("net.py:step", "forward", "match")]
    assert made.exit_code == 0
    assert [one.program for one in guarding.show("net.py:step", programs="grad")] == ["grad"]


def test_what_accepts_a_target_built_in_code_is_a_call_with_its_folder(bare_project: Project) -> None:
    target = ltc_ir.Target(jnp.sin, (X,), name="sine")
    made = guarding.check([target], directory="kept")
    assert made.checks[0].accept == "ltc_ir.api.snapshot.update([target], programs=['forward'], directory='kept')"


def test_a_command_to_paste_says_that_64_bit_types_were_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    jax.config.update("jax_enable_x64", True)
    try:
        made = guarding.check("net.py:step", programs="forward")
    finally:
        jax.config.update("jax_enable_x64", False)
    assert made.checks[0].status == "missing"
    assert "--x64" in str(made.checks[0].accept)


def test_unknown_target_is_still_said_to_be_unknown(project: Project) -> None:
    with pytest.raises(UsageError, match="nothing to check"):
        guarding.check((), directory="nowhere")
