"""The fixture check_ir in real test runs: what fails, what is written and when, and a footer that is always right."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.cli.conftest import environment
from tests.snapshots.guard.conftest import NET, Project, footer, line_of

pytestmark = pytest.mark.early

TOP = """import jax
import jax.numpy as jnp
import pytest

X = jax.ShapeDtypeStruct((3, 3), "float32")


def f(x):
    return jnp.sin(x).sum()  # grows


"""
ONE = TOP + "def test_f(check_ir):\n    check_ir(f, (X,))\n"
GROWN = ONE.replace("jnp.sin(x).sum()", "jnp.cos(jnp.sin(x)).sum()")


def stored(project: Project) -> dict[str, tuple[bytes, int]]:
    return {name.removeprefix("snapshots/"): one for name, one in project.files().items() if name.startswith("snap")}


def record(project: Project, text: str, file: str = "test_net.py") -> Project:
    project.write(text, file)
    ran = project.tests("--ir-update")
    assert ran.code == 0, ran.out + ran.err
    return project


def parts(project: Project) -> set[str]:
    """The snapshots without hashes and versions."""
    return {re.sub(r"-[0-9a-f]{8}\b", "", re.sub(r"@[\d.]+\.toml", "", name)) for name in stored(project)}


# --- a function of a test


@pytest.mark.versions
def test_a_function_is_recorded_held_and_flagged(bare_project: Project) -> None:
    bare_project.write(ONE, "test_net.py")
    missing = bare_project.tests()
    assert missing.code == 1
    assert "no snapshot" in missing.out
    assert "pytest test_net.py::test_f --ir-update\n" in missing.out
    assert footer(missing) == "ltc-ir: 1 checked (1 missing)"
    assert not stored(bare_project)
    wrote = bare_project.tests("--ir-update")
    assert wrote.code == 0, wrote.out
    assert footer(wrote) == "ltc-ir: 1 recorded (1 new)"
    (name,) = stored(bare_project)
    assert re.fullmatch(r"test_net\.py/test_f/forward@\d+\.\d+\.toml", name)
    before = bare_project.files()
    held = bare_project.tests()
    assert held.code == 0, held.out
    assert footer(held) == "ltc-ir: 1 checked (1 match)"
    assert footer(bare_project.tests("--ir-update")) == "ltc-ir: 1 recorded (1 kept)"
    assert bare_project.files() == before
    bare_project.write(GROWN, "test_net.py")
    grown = bare_project.tests()
    assert grown.code == 1
    assert "f forward has grown" in grown.out
    assert "new cos: 1, primal" in grown.out
    assert f"test_net.py:{line_of(GROWN, '# grows')}" in grown.out
    assert 'accept: pytest test_net.py::test_f --ir-update --ir-accept-growth "why"\n' in grown.out
    assert "Traceback" not in grown.out
    assert "in_tests.py" not in grown.out
    assert footer(grown) == "ltc-ir: 1 checked (1 grown)"


@pytest.mark.versions
def test_growth_is_recorded_with_a_reason_only(bare_project: Project) -> None:
    record(bare_project, ONE)
    bare_project.write(GROWN, "test_net.py")
    before = stored(bare_project)
    refused = bare_project.tests("--ir-update")
    assert refused.code == 1
    assert "has grown" in refused.out
    assert footer(refused) == "ltc-ir: 1 recorded (1 refused)"
    assert stored(bare_project) == before
    assert bare_project.tests("--ir-accept-growth", "why").code == 4
    assert bare_project.tests("--ir-update", "--ir-accept-growth", " ").code == 4
    accepted = bare_project.tests("--ir-update", "--ir-accept-growth", "a cosine")
    assert accepted.code == 0, accepted.out
    assert footer(accepted) == "ltc-ir: 1 recorded (1 updated)"
    assert b'reason = "a cosine"' in next(iter(stored(bare_project).values()))[0]
    assert bare_project.tests().code == 0


def test_what_shrank_passes_with_a_note_and_is_recorded(bare_project: Project) -> None:
    record(bare_project, GROWN)
    bare_project.write(ONE, "test_net.py")
    ran = bare_project.tests()
    assert ran.code == 0
    assert footer(ran) == "ltc-ir: 1 checked (1 shrunk)"
    assert footer(bare_project.tests("--ir-update")) == "ltc-ir: 1 recorded (1 updated)"


def test_continuous_integration_never_writes(bare_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    record(bare_project, ONE)
    for text in (ONE, GROWN, ONE.replace("test_f", "test_new")):
        bare_project.write(text, "test_net.py")
        before = bare_project.files()
        monkeypatch.setenv("CI", "true")
        refused = bare_project.tests("--ir-update")
        assert refused.code == 4
        assert "the CI environment variable is set" in refused.out + refused.err
        bare_project.tests()
        assert bare_project.files() == before
        monkeypatch.delenv("CI")


# --- names

NAMED = (
    TOP
    + """@pytest.mark.parametrize("n", [1, 2], ids=["a/b", "a::b"])
@pytest.mark.parametrize("kind", ["x"])
def test_ids(check_ir, n, kind):
    check_ir(lambda x: jnp.sin(x) * n, (X,))


class TestClass:
    def test_m(self, check_ir):
        check_ir(f, (X,), programs=("forward", "grad"))


def test_two(check_ir):
    check_ir(f, (X,), name="first")
    check_ir(lambda x: f(f(x) * x), (X,), name="second")
    check_ir(f, (X,))
"""
)


@pytest.mark.versions
def test_every_function_has_a_file_of_its_own(bare_project: Project) -> None:
    bare_project.write(NAMED, "tests/deep/test_net.py")
    wrote = bare_project.tests("--ir-update")
    assert wrote.code == 0, wrote.out
    assert footer(wrote) == "ltc-ir: 7 recorded (7 new)"
    assert len(stored(bare_project)) == 7
    found = parts(bare_project)
    assert "tests/deep/test_net.py/testclass/test_m/grad" in found
    assert {"tests/deep/test_net.py/test_two/first/forward", "tests/deep/test_net.py/test_two/forward"} <= found
    assert len([name for name in stored(bare_project) if "test_ids" in name]) == 2
    held = bare_project.tests()
    assert footer(held) == "ltc-ir: 7 checked (7 match)"


def test_two_functions_without_names_are_refused(bare_project: Project) -> None:
    bare_project.write(TOP + "def test_two(check_ir):\n    check_ir(f, (X,))\n    check_ir(f, (X,))\n", "test_net.py")
    ran = bare_project.tests("--ir-update")
    assert ran.code == 1
    assert "two functions of this test are both called test_net.py::test_two: give each a name=" in ran.out


def test_the_second_function_of_a_test_does_not_hide_the_first(bare_project: Project) -> None:
    two = TOP + "def test_two(check_ir):\n    check_ir(f, (X,), name='a')\n    check_ir(f, (X,), name='b')\n"
    record(bare_project, two)
    bare_project.write(two.replace("jnp.sin(x)", "jnp.cos(jnp.sin(x))"), "test_net.py")
    ran = bare_project.tests()
    assert ran.code == 1
    assert footer(ran).startswith("ltc-ir: 1 checked (1 grown); 1 not checked (")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('check_ir("ltc", "while = 0")', "args is the rule 'while = 0'"),
        ('check_ir(f, "while = 0")', "args is the rule 'while = 0'"),
        ("check_ir(f, X)", "args is of type ShapeDtypeStruct, not a tuple"),
        ('check_ir(f, (X,), options={"loss": "sum"})', "options are given beside a function"),
        ("check_ir(3, (X,))", "int is not a target"),
        ('check_ir("nothing", None)', "unknown target 'nothing'"),
        ('check_ir(f, (X,), programs=("loss",))', "no program 'loss'"),
        ("check_ir(f, ())", "failed to trace"),
        ('check_ir(f, (X,), "tnah = 0")', "tnah"),
        ('check_ir(f, (X,), "total <")', "total <"),
        ('check_ir(f, (X,), "hlo:collectives = 0")', "one device"),
        ('check_ir(f, (X,), "grad/sin = 1")', "matches no program"),
    ],
)
def test_bad_input_fails_in_a_line_or_two(call: str, said: str, bare_project: Project) -> None:
    record(bare_project, TOP + "def test_f(check_ir):\n    check_ir(f, (X,))\n")
    bare_project.write(TOP + f"def test_f(check_ir):\n    {call}\n", "test_net.py")
    ran = bare_project.tests()
    assert ran.code == 1
    assert said in ran.out
    assert "Traceback" not in ran.out
    assert "pytest_plugin.py" not in ran.out
    assert "During handling" not in ran.out
    assert "direct cause" not in ran.out


# --- rules


@pytest.mark.versions
def test_a_rule_of_a_test_is_held_and_told(bare_project: Project) -> None:
    ruled = ONE.replace("(X,))", '(X,), "sin <= 1", "cos = 0")')
    record(bare_project, ruled)
    assert bare_project.tests().code == 0
    broken = bare_project.write(ruled.replace("sin <= 1", "sin = 0"), "test_net.py")
    ran = bare_project.tests()
    assert ran.code == 1, broken
    assert "breaks a rule, though it matches its snapshot" in ran.out
    assert "  rule: sin = 0 (test_net.py)" in ran.out
    assert footer(ran) == "ltc-ir: 1 checked (1 with a broken rule)"


def test_an_update_heeds_the_rules_too(bare_project: Project) -> None:
    bare_project.write(ONE.replace("(X,))", '(X,), "sin = 0")'), "test_net.py")
    ran = bare_project.tests("--ir-update")
    assert ran.code == 1
    assert "rule: sin = 0" in ran.out
    assert footer(ran) == "ltc-ir: 1 recorded (1 new with a broken rule)"


@pytest.mark.parametrize(
    ("rule", "counted"), [("sin = 0", "1 with a broken rule"), ("hlo:collectives = 0", "1 whose rules have a problem")]
)
def test_the_footer_tells_what_holds_from_what_does_not(rule: str, counted: str, bare_project: Project) -> None:
    two = ONE + "\n\ndef test_two(check_ir):\n    check_ir(f, (X,))\n"
    record(bare_project, two)
    bare_project.write(two.replace("f, (X,))\n\n", f'f, (X,), "{rule}")\n\n'), "test_net.py")
    ran = bare_project.tests()
    assert ran.code == 1
    assert footer(ran) == f"ltc-ir: 2 checked (1 match, {counted})"


def test_the_rules_of_the_project_hold_in_tests(bare_project: Project) -> None:
    record(bare_project, ONE)
    bare_project.configure('[tool.ltc-ir.snapshots]\nrules = ["sin = 0"]\n')
    ran = bare_project.tests()
    assert ran.code == 1
    assert "rule: sin = 0 (pyproject.toml)" in ran.out


# --- versions, options and folders


def as_older(project: Project) -> None:
    """Make all snapshots those of another JAX."""
    for path in (project.root / "snapshots").rglob("*.toml"):
        minor = re.search(r"@(\d+\.\d+)", path.name)[1]
        text = path.read_text().replace(f'jax = "{minor}"', 'jax = "0.5"')
        path.with_name(path.name.replace(f"@{minor}", "@0.5")).write_text(text)
        path.unlink()


def test_a_snapshot_of_another_release_only_skips(bare_project: Project) -> None:
    record(bare_project, ONE)
    as_older(bare_project)
    ran = bare_project.tests("-rs")
    assert ran.code == 0
    assert "1 skipped" in ran.out
    assert re.match(
        r"ltc-ir: 0 checked; 1 not checked \(1 no snapshot for JAX [\d.]+; there are some for 0.5\)", footer(ran)
    )
    bare_project.write(ONE.replace("(X,))", '(X,), "sin = 0")'), "test_net.py")
    ruled = bare_project.tests()
    assert ruled.code == 1, "a rule needs no snapshot"
    bare_project.write(ONE, "test_net.py")
    started = bare_project.tests("--ir-update")
    assert footer(started) == "ltc-ir: 1 recorded (1 started)"
    assert len(stored(bare_project)) == 2


def test_another_folder_is_named_in_what_to_do(bare_project: Project) -> None:
    bare_project.write(ONE, "test_net.py")
    assert bare_project.tests("--ir-update", "--ir-dir", "kept here").code == 0
    assert not stored(bare_project)
    assert len(list((bare_project.root / "kept here").rglob("*.toml"))) == 1
    bare_project.write(GROWN, "test_net.py")
    ran = bare_project.tests("--ir-dir", "kept here")
    assert "pytest test_net.py::test_f --ir-update --ir-dir 'kept here' --ir-accept-growth \"why\"\n" in ran.out


GOING = ONE.replace("    check_ir(", "    monkeypatch.chdir(tmp_path)\n    check_ir(").replace(
    "(check_ir)", "(check_ir, tmp_path, monkeypatch)"
)


@pytest.mark.parametrize("options", [(), ("--ir-dir", "snapshots")])
def test_a_test_that_goes_elsewhere_has_its_snapshot_at_home(options: tuple[str, ...], bare_project: Project) -> None:
    bare_project.write(GOING, "test_net.py")
    wrote = bare_project.tests("--ir-update", *options)
    assert wrote.code == 0, wrote.out
    assert set(parts(bare_project)) == {"test_net.py/test_f/forward"}
    held = bare_project.tests(*options)
    assert held.code == 0, held.out
    assert footer(held) == "ltc-ir: 1 checked (1 match)"


def test_where_pytest_is_started_does_not_matter(bare_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    bare_project.write(ONE, "tests/test_net.py")
    assert bare_project.tests("--ir-update").code == 0
    before = stored(bare_project)
    monkeypatch.chdir(bare_project.root / "tests")
    inside = bare_project.tests("test_net.py")
    assert footer(inside) == "ltc-ir: 1 checked (1 match)", inside.out
    bare_project.write(GROWN, "tests/test_net.py")
    assert "accept: pytest test_net.py::test_f --ir-update" in bare_project.tests().out
    bare_project.write(ONE, "tests/test_net.py")
    monkeypatch.chdir(bare_project.root.parent)
    outside = bare_project.tests("--rootdir", str(bare_project.root), "small/tests")
    assert footer(outside) == "ltc-ir: 1 checked (1 match)", outside.out
    monkeypatch.chdir(bare_project.root)
    bare_project.write("[pytest]\n", "tests/pytest.ini")
    rooted = bare_project.tests("-c", "tests/pytest.ini", "tests")
    assert footer(rooted) == "ltc-ir: 1 checked (1 match)", rooted.out
    assert stored(bare_project) == before
    assert json.loads(bare_project.run("prune", "--format", "json").out)["pruned"] == []


def test_a_program_that_was_added_is_missing_and_not_skipped(bare_project: Project) -> None:
    record(bare_project, ONE)
    bare_project.write(ONE.replace("(X,))", '(X,), programs=("forward", "grad"))'), "test_net.py")
    ran = bare_project.tests()
    assert ran.code == 1
    assert footer(ran) == "ltc-ir: 2 checked (1 match, 1 missing)"
    assert "f grad: no snapshot for JAX" in ran.out
    assert "there are some" not in ran.out


def test_what_a_test_skips_for_is_told_by_its_whole_name(bare_project: Project) -> None:
    record(bare_project, ONE)
    bare_project.write(ONE.replace("(X,))", "(X,), x64=True)"), "test_net.py")
    ran = bare_project.tests()
    assert re.search(r"no snapshot for JAX (\d+\.\d+)-x64; there are some for \1\)", footer(ran)), ran.out


# --- targets by name


@pytest.mark.versions
def test_a_target_by_name_shares_the_files_of_the_command(project: Project) -> None:
    before = stored(project)
    project.write(TOP + 'def test_step(check_ir):\n    check_ir("net.py:step")\n', "test_net.py")
    ran = project.tests()
    assert ran.code == 0, ran.out
    assert footer(ran) == "ltc-ir: 2 checked (2 match)"
    assert footer(project.tests("--ir-update")) == "ltc-ir: 2 recorded (2 kept)"
    assert stored(project) == before


def test_what_grew_of_a_target_by_name_is_accepted_by_its_program(project: Project) -> None:
    project.write(TOP + 'def test_step(check_ir):\n    check_ir("net.py:step")\n', "test_net.py")
    project.write(NET.replace("jnp.tanh(x @ w)", "jnp.sin(jnp.tanh(x @ w))"))
    ran = project.tests()
    assert ran.code == 1
    for program in ("forward", "grad"):
        assert f'accept: ltc-ir snapshot update net.py:step --program {program} --accept-growth "why"\n' in ran.out


def test_a_recorded_gradient_that_cannot_be_made_any_more_fails(project: Project) -> None:
    project.write(TOP + 'def test_step(check_ir):\n    check_ir("net.py:step")\n', "test_net.py")
    project.write(NET.replace("return last.sum()", "return last"))
    for options in ((), ("--ir-update",)):
        ran = project.tests(*options)
        assert ran.code == 1
        assert "no gradient: the output is float32[2, 4], not a real scalar" in ran.out


def test_a_check_by_command_says_that_it_leaves_tests_out(project: Project) -> None:
    record(project, ONE)
    ran = project.run("check")
    assert ran.code == 0, ran.out + ran.err
    assert "not checked: 1 snapshot of a test: pytest -m ir checks it\n" in ran.out
    assert "pytest -m ir" in ran.out


# --- the footer

MANY = (
    TOP
    + """def test_a(check_ir):
    check_ir(f, (X,))


def test_b(check_ir):
    check_ir(f, (X,))


def test_c(check_ir):
    check_ir(f, (X,))


def test_plain():
    pass
"""
)


def test_the_mark_selects_and_the_footer_counts_what_was_deselected(bare_project: Project) -> None:
    record(bare_project, MANY)
    assert footer(bare_project.tests("-m", "ir")) == "ltc-ir: 3 checked (3 match)"
    assert "3 passed, 1 deselected" in bare_project.tests("-m", "ir").out
    assert (
        footer(bare_project.tests("-k", "test_a or plain"))
        == "ltc-ir: 1 checked (1 match); 2 not checked (2 deselected)"
    )
    assert footer(bare_project.tests("-m", "not ir")) == "ltc-ir: 0 checked; 3 not checked (3 deselected)"
    one = footer(bare_project.tests("test_net.py::test_a"))
    assert one == "ltc-ir: 1 checked (1 match); 2 not checked (2 snapshots whose tests were not run)"
    assert bare_project.tests("--strict-markers", "-m", "ir").code == 0
    bare_project.write("def test_plain():\n    pass\n", "test_net.py")
    assert "ltc-ir:" not in bare_project.tests().out


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        ('    pytest.skip("not here")\n', (), "2 checked (2 match); 1 not checked (1 skipped)"),
        ("    raise ValueError\n", (), "2 checked (2 match); 1 not checked (1 failed before it checked)"),
        ("    return\n", (), "2 checked (2 match); 1 not checked (1 checked nothing)"),
        ("    raise ValueError\n", ("-x",), "0 checked; 3 not checked (2 not run, 1 failed before it checked)"),
        ('    pytest.exit("enough")\n', (), "0 checked; 3 not checked (3 not run)"),
        ("    raise KeyboardInterrupt\n", (), "0 checked; 3 not checked (3 not run)"),
        ("    check_ir(f, (X,))\n    raise ValueError\n", (), "3 checked (3 match)"),
        ("    check_ir(f, (3,))\n", (), "3 checked (2 match, 1 grown)"),
        ("    check_ir(f, ())\n", (), "2 checked (2 match); 1 not checked (1 failed before it checked)"),
    ],
)
def test_the_footer_tells_why_a_test_checked_nothing(
    body: str, options: tuple[str, ...], expected: str, bare_project: Project
) -> None:
    record(bare_project, MANY)
    bare_project.write(
        MANY.replace("def test_a(check_ir):\n    check_ir(f, (X,))\n", f"def test_a(check_ir):\n{body}"), "test_net.py"
    )
    assert footer(bare_project.tests(*options)) == f"ltc-ir: {expected}"


FIXED = (
    TOP
    + """@pytest.fixture
def before(check_ir):
    check_ir(f, (X,), name="before")


@pytest.fixture
def after(check_ir):
    yield
    check_ir(f, (X,), name="after")


@pytest.fixture
def breaks():
    yield
    raise ValueError


def test_before(before):
    pass


def test_after(after):
    pass


def test_breaks(check_ir, breaks):
    check_ir(f, (X,))
"""
)


def test_what_fixtures_check_is_recorded_and_counted(bare_project: Project) -> None:
    bare_project.write(FIXED, "test_net.py")
    wrote = bare_project.tests("--ir-update")
    assert footer(wrote) == "ltc-ir: 3 recorded (3 new)"
    assert len(stored(bare_project)) == 3
    assert footer(bare_project.tests()) == "ltc-ir: 3 checked (3 match)"
    bare_project.write(FIXED.replace("jnp.sin(x)", "jnp.cos(jnp.sin(x))"), "test_net.py")
    grown = bare_project.tests()
    assert grown.code == 1
    assert footer(grown) == "ltc-ir: 3 checked (3 grown)"


def test_a_file_that_cannot_be_written_fails_the_run(bare_project: Project) -> None:
    bare_project.write(ONE, "test_net.py")
    (bare_project.root / "snapshots").write_text("a file, no folder")
    ran = bare_project.tests("--ir-update")
    assert ran.code != 0
    assert "snapshots" in ran.out
    assert "Traceback" not in ran.out


def test_a_file_that_cannot_be_read_fails_its_test(bare_project: Project) -> None:
    record(bare_project, MANY)
    (path,) = (bare_project.root / "snapshots").rglob("test_a/*.toml")
    path.write_text("<<<<<<< HEAD\n" + path.read_text())
    for options in ((), ("--ir-update",)):
        ran = bare_project.tests(*options)
        assert ran.code == 1
        assert f"{path.relative_to(bare_project.root)}:1" in ran.out
        assert footer(ran).endswith("1 not checked (1 failed before it checked)")


# --- caches


@pytest.mark.versions
def test_caches_are_cleared_only_where_something_differs(
    bare_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jax

    cleared: list[None] = []
    real = jax.clear_caches
    record(bare_project, ONE)
    monkeypatch.setattr(jax, "clear_caches", lambda: (cleared.append(None), real())[1])
    assert bare_project.tests().code == 0
    assert cleared == []
    bare_project.write(ONE.replace("(X,))", '(X,), "sin <= 1", "total +5")'), "test_net.py")
    assert bare_project.tests().code == 0
    assert cleared == []
    bare_project.write(GROWN, "test_net.py")
    assert bare_project.tests().code == 1
    assert cleared


WARM = (
    TOP
    + """@jax.jit
def inner(x):
    return jnp.tanh(x) @ x


def g(x):
    return inner(x).sum()


def test_first(check_ir):
    jax.jit(lambda x: inner(inner(x)))(jnp.ones((3, 3)))
    jax.jit(jax.grad(g))(jnp.ones((3, 3)))
    check_ir(g, (X,), programs=("forward", "grad"))
"""
)


@pytest.mark.versions
def test_warm_caches_are_no_difference(bare_project: Project) -> None:
    cold = WARM.replace("    jax.jit(", "    # ")
    record(bare_project, cold)
    bare_project.write(WARM, "test_net.py")
    ran = bare_project.tests()
    assert footer(ran) == "ltc-ir: 2 checked (2 match)", ran.out


# --- real processes

TWENTY = (
    TOP
    + '@pytest.mark.parametrize("n", range(20))\ndef test_n(check_ir, n):\n    check_ir(lambda x: jnp.sin(x) * n, (X,))\n'
)


def test_four_workers_lose_nothing(bare_project: Project) -> None:
    pytest.importorskip("xdist")
    some = TWENTY.replace("range(20)", "range(8)")  # each is recorded by a process of its own
    bare_project.write(some, "test_net.py")
    wrote = bare_project.real_tests("-n", "4", "--ir-update")
    assert wrote.code == 0, wrote.out + wrote.err
    assert footer(wrote) == "ltc-ir: 8 recorded (8 new)"
    assert len(stored(bare_project)) == 8
    dies = some.replace(
        "    check_ir(lambda", "    if n == 5:\n        import os\n        os._exit(3)\n    check_ir(lambda"
    )
    bare_project.write(dies, "test_net.py")
    died = bare_project.real_tests("-n", "4", "-k", "not 7")
    assert died.code == 1
    assert footer(died) == "ltc-ir: 6 checked (6 match); 2 not checked (1 deselected, 1 failed before it checked)"


def test_an_update_that_is_interrupted_leaves_whole_files(bare_project: Project) -> None:
    bare_project.write(
        TWENTY.replace("    check_ir(lambda", "    if n == 9:\n        raise KeyboardInterrupt\n    check_ir(lambda"),
        "test_net.py",
    )
    ran = bare_project.tests("--ir-update")
    assert ran.code == 2
    assert footer(ran) == "ltc-ir: 9 recorded (9 new); 11 not checked (11 not run)"
    assert len(stored(bare_project)) == 9
    bare_project.write(TWENTY, "test_net.py")
    assert footer(bare_project.tests()) == "ltc-ir: 20 checked (11 missing, 9 match)"


IDLE = """
import sys
import pytest
code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "ltc-ir", "test_plain.py"])
heavy = ("jax", "jaxlib", "numpy", "pandas", "rich", "ltc_ir.api", "ltc_ir.api.snapshot")
heavy = [name for name in heavy if name in sys.modules]
assert "ltc_ir.integrations.pytest_plugin" in sys.modules
print("heavy", heavy)
raise SystemExit(code)
"""


@pytest.mark.versions
def test_an_idle_plugin_imports_nothing_heavy(bare_project: Project) -> None:
    bare_project.write("def test_plain():\n    pass\n", "test_plain.py")
    done = subprocess.run(
        [sys.executable, "-c", IDLE],
        cwd=bare_project.root,
        env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "heavy []" in done.stdout
    assert "ltc-ir:" not in done.stdout
