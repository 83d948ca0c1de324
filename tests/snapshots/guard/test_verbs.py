"""What each verb does to the files and says of them: refusals first, and that nothing else is touched."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ltc_ir.snapshots.naming import folder_of
from ltc_ir.snapshots.store import Store
from tests.cli.conftest import run_program
from tests.snapshots.guard.conftest import NET, Project
from tests.snapshots.made import versions

pytestmark = pytest.mark.early

GROWN = NET.replace("return jnp.tanh(x @ w)", "return jnp.sin(jnp.tanh(x @ w))")
SHRUNK = NET.replace("return jnp.tanh(x @ w)", "return x @ w")
TWO = (
    NET + '\n\ndef other(x):\n    return jnp.cos(x).sum()\n\n\nother_args = (jax.ShapeDtypeStruct((3,), "float32"),)\n'
)
TWO_GROWN = TWO.replace("return jnp.tanh(x @ w)", "return jnp.sin(jnp.tanh(x @ w))").replace(
    "jnp.cos(x)", "jnp.cos(jnp.sin(x))"
)
BOTH = ("net.py:step", "net.py:other")


def snapshots(project: Project) -> dict[str, tuple[bytes, int]]:
    return {name: one for name, one in project.files().items() if name.startswith("snapshots/")}


# --- update


@pytest.mark.versions
def test_growth_is_refused_without_a_reason_and_kept_with_one(project: Project) -> None:
    project.write(GROWN)
    before = snapshots(project)
    refused = project.update()
    assert refused.code == 1
    assert refused.out.count("accept") >= 1
    assert snapshots(project) == before
    accepted = project.update("net.py:step", "--accept-growth", "a sine on top")
    assert accepted.code == 0, accepted.out + accepted.err
    for program in ("forward", "grad"):
        text = project.file(program).read_text()
        assert 'reason = "a sine on top"' in text
        assert re.search(r'^  "jaxpr total \d+ -> \d+",$', text, re.M)
        assert not re.search(r'^  "stablehlo stablehlo', text, re.M)
    assert re.search(r'^  "stablehlo.sine 0 -> \d+",$', project.file("forward").read_text(), re.M)
    assert "a sine on top" in project.run("show", "net.py:step").out
    listed = json.loads(project.run("list", "--format", "json").out)["snapshots"]
    assert [one["accepted"] for one in listed] == ["1", "1"]
    assert project.check().code == 0
    again = project.write(GROWN.replace("jnp.sin(", "jnp.sin(jnp.cos(", 1).replace("(x @ w))", "(x @ w)))"))
    assert project.update("net.py:step", "--accept-growth", "and a cosine").code == 0, again
    text = project.file().read_text()
    assert text.index("a sine on top") < text.index("and a cosine")


def test_a_reason_is_kept_where_it_accepted_something_only(project: Project) -> None:
    project.write(SHRUNK)
    assert project.update("net.py:step", "--accept-growth", "nothing grew").code == 0
    assert "nothing grew" not in project.file().read_text()


@pytest.mark.versions
def test_what_is_new_smaller_or_moved_needs_no_reason(project: Project) -> None:
    for text in (
        SHRUNK,
        SHRUNK.replace("cell", "unit"),
        TWO.replace("cell", "unit").replace("jnp.tanh(x @ w)", "x @ w"),
    ):
        project.write(text)
        ran = project.update(*(BOTH if "other" in text else BOTH[:1]))
        assert ran.code == 0, ran.out + ran.err
        assert "updated" in ran.out or "new" in ran.out
        assert project.check(*(BOTH if "other" in text else BOTH[:1])).code == 0


def test_what_was_not_selected_is_not_touched(bare_project: Project, quick: None) -> None:
    bare_project.write(TWO)
    assert bare_project.update(*BOTH).code == 0
    before = snapshots(bare_project)
    bare_project.write(TWO_GROWN)
    assert bare_project.update("net.py:other", "--program", "grad", "--accept-growth", "why").code == 0
    after = snapshots(bare_project)
    changed = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    assert len(changed) == 1
    assert "/grad@" in changed.pop()


def test_an_update_deletes_nothing(bare_project: Project, quick: None) -> None:
    bare_project.write(TWO)
    assert bare_project.update(*BOTH).code == 0
    before = snapshots(bare_project)
    bare_project.write(NET)
    ran = bare_project.update()
    assert ran.code == 0, ran.out + ran.err
    assert snapshots(bare_project) == before
    assert bare_project.run("update").code == 2, "the store names a target that is gone"
    assert snapshots(bare_project) == before


def test_continuous_integration_writes_only_where_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(SHRUNK)
    before = project.files()
    monkeypatch.setenv("CI", "true")
    refused = project.update()
    assert (refused.code, len(refused.errors), len(refused.hints)) == (2, 1, 1)
    assert "--ci" in refused.hints[0]
    assert project.check().code == 0
    assert project.files() == before
    assert project.update("net.py:step", "--ci").code == 0
    assert snapshots(project) != {name: one for name, one in before.items() if name.startswith("snapshots/")}
    for no in ("", "0", "false"):
        monkeypatch.setenv("CI", no)
        assert project.update().code == 0


def test_a_check_writes_nothing_whatever_it_finds(project: Project) -> None:
    (project.root / "snapshots" / "left.txt").write_text("a note")
    for text in (NET, GROWN, SHRUNK, TWO, "def step(:\n"):
        project.write(text)
        before = project.files()
        project.check()
        project.run("list")
        project.run("show")
        project.run("prune")
        assert project.files() == before


def test_a_check_without_a_store_makes_none(bare_project: Project) -> None:
    ran = bare_project.check()
    assert ran.code == 3
    assert "net.py:step forward: no snapshot" in ran.out
    assert "  record: ltc-ir snapshot update net.py:step --program forward\n" in ran.out
    assert not (bare_project.root / "snapshots").exists()
    refused = bare_project.run("check")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert "nothing to check" in refused.errors[0]


def test_a_first_snapshot_of_a_release_starts_beside_the_nearest(project: Project) -> None:
    for program in ("forward", "grad"):
        file = project.file(program)
        text = file.read_text()
        minor = re.search(r'^jax = "(\d+\.\d+)"$', text, re.MULTILINE)[1]
        older = text.replace(f'jax = "{minor}"', 'jax = "0.5"').replace(f'jax = "{minor}.', 'jax = "0.5.')
        file.with_name(file.name.replace(f"@{minor}", "@0.5")).write_text(older)
        file.unlink()
    missing = project.check()
    assert missing.code == 3
    assert "0.5" in missing.out
    project.write(SHRUNK)
    before = set(snapshots(project))
    ran = project.update()
    assert ran.code == 0, ran.out + ran.err
    assert "started" in ran.out
    assert "tanh is gone" in ran.out
    assert len(snapshots(project)) == 4
    assert before < set(snapshots(project))
    assert project.check().code == 0


def test_a_release_whose_program_grew_starts_too_and_says_so(project: Project) -> None:
    file = project.file()
    minor = re.search(r'^jax = "(\d+\.\d+)"$', file.read_text(), re.MULTILINE)[1]
    file.rename(file.with_name(file.name.replace(f"@{minor}", "@0.5")))
    moved = file.with_name(file.name.replace(f"@{minor}", "@0.5"))
    moved.write_text(moved.read_text().replace(f'jax = "{minor}"', 'jax = "0.5"'))
    project.write(GROWN)
    ran = project.update("net.py:step", "--program", "forward")
    assert ran.code == 0, ran.out + ran.err
    assert "new sin: 1" in ran.out


@pytest.mark.versions
@pytest.mark.parametrize(
    ("args", "code", "verdict", "said"),
    [
        ("f32[4,4] f32[3,4]", 0, "has changed", "argument x became f32[3,4] (was f32[2,4])"),
        ("f32[4,4] c64[2,4]", 1, "has grown", "argument x became c64[2,4] (was f32[2,4])"),
    ],
)
def test_other_arguments_are_named_and_classified(
    args: str, code: int, verdict: str, said: str, project: Project
) -> None:
    ran = project.check("net.py:step", "--program", "forward", "--args", args)
    assert ran.code == code, ran.out + ran.err
    assert f"net.py:step forward {verdict}" in ran.out
    assert said in ran.out


def test_what_an_older_snapshot_does_not_hold_is_said_and_waits_for_an_update(project: Project) -> None:
    (path,) = (project.root / "snapshots").glob("net.py-step*/forward@*.toml")
    text = path.read_text().replace("attribution = 2\n", "").replace('"donated.bytes" = 0\n', "")
    head, _, rest = text.partition("[signature.arguments]")
    path.write_text(head + "[jaxpr]" + rest.partition("[jaxpr]")[2])
    ran = project.check("net.py:step", "--program", "forward")
    assert (ran.code, ran.out.count("note: ")) == (0, 1), ran.out + ran.err
    assert "1 match" in ran.out
    assert "phases are known better now, arguments, results and types are not recorded: update the snapshot" in ran.out
    for rule in ("primal.tanh +0", "types +0", "donated.bytes +0"):
        waits = project.check("net.py:step", "--program", "forward", "--rule", rule)
        assert waits.code == 3, waits.out + waits.err
        assert "not judged" in waits.out
    assert project.check("net.py:step", "--program", "forward", "--rule", "tanh +0").code == 0
    assert "1 updated" in project.update("net.py:step", "--program", "forward").out
    assert (
        project.check("net.py:step", "--program", "forward", "--rule", "primal.tanh +0", "--rule", "types +0").code == 0
    )


def test_a_snapshot_that_lost_the_types_of_a_product_is_damaged(project: Project) -> None:
    (path,) = (project.root / "snapshots").glob("net.py-step*/forward@*.toml")
    lines = path.read_text().splitlines(keepends=True)
    typed = [line for line in lines if line.startswith('"dot_general ')]
    assert typed
    path.write_text("".join(line for line in lines if line not in typed))
    ran = project.check("net.py:step", "--program", "forward")
    assert ran.code == 2, ran.out + ran.err
    assert "dot_general has types for 0, and [jaxpr.ops] counts" in " ".join((ran.out + ran.err).split())


@pytest.mark.versions
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--argnums", "1"), "argnums was 0, now 1"),
        (("--loss", "sum"), "loss was None, now sum"),
    ],
)
def test_another_declaration_is_not_comparable(options: tuple[str, ...], said: str, project: Project) -> None:
    ran = project.check("net.py:step", "--program", "grad", *options)
    assert ran.code == 3, ran.out + ran.err
    assert "net.py:step grad cannot be compared" in ran.out
    assert said in " ".join(ran.out.split())
    assert f"{options[0]} " in ran.out.partition("record: ")[2]
    rule = project.check("net.py:step", "--program", "grad", *options, "--rule", "tanh = 0")
    assert rule.code == 1, "a rule without snapshot is judged all the same"


def test_another_declaration_is_recorded_without_a_reason_unless_it_grew(project: Project) -> None:
    same = project.update("net.py:step", "--program", "grad", "--args", "f32[4,4] f32[3,4]")
    assert same.code == 0, same.out + same.err
    before = snapshots(project)
    project.write(GROWN)
    grown = project.update("net.py:step", "--program", "grad", "--args", "f32[4,4] f32[5,4]")
    assert grown.code == 1
    assert snapshots(project) == before


@pytest.mark.versions
def test_growth_under_another_patch_release_has_drifted(project: Project) -> None:
    for program in ("forward", "grad"):
        file = project.file(program)
        text = file.read_text()
        file.write_text(re.sub(r'^(jax = "\d+\.\d+\.)\d+"', r'\g<1>99"', text, flags=re.MULTILINE))
    assert project.check().code == 0
    assert "note" not in project.check().out
    project.write(GROWN)
    ran = project.check()
    assert ran.code == 1
    assert "net.py:step grad has drifted" in ran.out
    assert ".99" in ran.out
    assert "--accept-growth" in ran.out


# --- errors beside others

BROKEN = TWO.replace("    return jnp.cos(x).sum()", '    raise ValueError("boom")')


@pytest.mark.versions
def test_an_error_hides_no_other_and_codes_have_their_order(bare_project: Project, quick: None) -> None:
    bare_project.write(TWO)
    assert bare_project.update(*BOTH).code == 0
    bare_project.write(BROKEN.replace("return jnp.tanh(x @ w)", "return jnp.sin(jnp.tanh(x @ w))"))
    checks = bare_project.checks(*BOTH)
    assert {name: one["status"] for name, one in checks.items()} == {
        "net.py:step forward": "grown", "net.py:step grad": "grown",
        "net.py:other forward": "error", "net.py:other grad": "error",
    }  # fmt: skip
    assert bare_project.check(*BOTH).code == 4
    assert bare_project.check(*BOTH, "net.py:nothing").code == 4
    assert bare_project.check("net.py:step", "net.py:nothing", "--rule", "total <= 100000").code == 2
    assert bare_project.check("net.py:step", "ctrnn", "--program", "forward").code == 1
    written = bare_project.update(*BOTH, "--accept-growth", "why")
    assert written.code == 4
    assert bare_project.check().code == 0, "what could be recorded was"


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda text: text.replace("program = ", "<<<<<<< HEAD\nprogram = ", 1), 6),
        (lambda text: text[: len(text) // 2], None),
        (lambda text: text.replace("schema = 1", "schema = 99"), None),
        (lambda text: text + "\nmore = 3\n", None),
        (lambda text: "", None),
    ],
    ids=["conflict", "cut", "newer", "more", "empty"],
)
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_checked(
    spoil, line: int | None, project: Project
) -> None:
    file = project.file()
    text = spoil(file.read_text())
    file.write_text(text)
    project.write(GROWN)
    ran = project.check()
    assert ran.code == 2, ran.out + ran.err
    shown = file.relative_to(project.root).as_posix()
    assert shown in ran.out
    assert "net.py:step grad has grown" in ran.out
    if line is not None:
        assert f"{shown}:{line}" in ran.out
    before = snapshots(project)
    wrote = project.update("net.py:step", "--accept-growth", "why")
    assert wrote.code == 2
    after = snapshots(project)
    assert after[shown] == before[shown]
    assert {name for name in after if after[name] != before[name]} == set(after) - {shown}


# --- instability

UNSTABLE = NET.replace(
    "def step(w, x):\n",
    """def step(w, x):
    for word in {"sin", "cos", "tanh", "exp", "log1p", "expm1"}:
        x = getattr(jnp, word)(x)
        if word == "sin":
            break
""",
)


@pytest.mark.versions
def test_a_trace_that_depends_on_the_hash_seed_is_unstable(bare_project: Project) -> None:
    """In real processes: the seed is read once, at the start."""
    bare_project.write(UNSTABLE)
    first = run_program(
        "snapshot", "update", "net.py:step", "--program", "forward", folder=bare_project.root, PYTHONHASHSEED="1"
    )
    assert first.code == 1, first.out + first.err
    assert "two captures disagree" in first.out
    text = bare_project.file().read_text()
    assert "unstable = [" in text
    assert "[jaxpr.ops.primal" in text
    assert "dot_general = 1" in text
    held = run_program(
        "snapshot", "check", "net.py:step", "--program", "forward", folder=bare_project.root, PYTHONHASHSEED="1"
    )
    assert held.code == 0, held.out + held.err
    assert "not held" in held.out


def test_what_became_unstable_is_told_as_that_and_not_as_growth(project: Project) -> None:
    project.write(UNSTABLE)
    ran = run_program(
        "snapshot", "check", "net.py:step", "--program", "forward", folder=project.root, PYTHONHASHSEED="1"
    )
    assert ran.code == 1, ran.out + ran.err
    assert "net.py:step forward is unstable: two captures disagreed on" in ran.out
    assert "accept-growth" not in ran.out


# --- Targets built in code


@pytest.mark.versions
def test_a_target_built_in_code_is_recorded_and_held(bare_project: Project) -> None:
    """With the real second capture, which no other process can make of a Target; one called like another's is not mixed up."""
    import jax

    from ltc_ir import Target
    from ltc_ir.api import snapshot as guarding
    from ltc_ir.errors import UsageError

    def built(depth: int) -> Target:
        def fn(x):
            for _ in range(depth):
                x = jax.numpy.sin(x)
            return x.sum()

        return Target(fn, (jax.ShapeDtypeStruct((3,), "float32"),), name="ltc")

    wrote = guarding.update([built(2)])
    assert [one.action for one in wrote.written] == ["new", "new"], wrote
    assert 'captured = "in-process"' in bare_project.file(target="ltc").read_text()
    assert guarding.check([built(2)]).exit_code == 0
    assert [one.status for one in guarding.check([built(3)]).checks] == ["grown", "grown"]
    assert [one.action for one in guarding.update([built(3)]).written] == ["refused", "refused"]
    assert guarding.update([built(3)], accept_growth="one more").exit_code == 0
    assert guarding.check([built(3)]).exit_code == 0
    with pytest.raises(UsageError, match="without a name"):
        guarding.check([Target(jax.numpy.sin)])
    with pytest.raises(UsageError, match="without a name"):
        guarding.update([jax.numpy.sin])


CAPITAL = (
    NET
    + """
from ltc_ir import Target
from ltc_ir.targets.target import Program

whole = Target(step, step_args, programs={"Train Step": Program(step, step_args)})
"""
)


def test_a_program_may_be_called_anything(bare_project: Project, quick: None) -> None:
    bare_project.write(CAPITAL)
    assert bare_project.update("net.py:whole").code == 0
    ran = bare_project.check("net.py:whole")
    assert ran.code == 0
    assert "3 checked: 3 match" in ran.out
    assert "any more" not in ran.out
    assert json.loads(bare_project.run("prune", "--format", "json").out)["pruned"] == []


def test_a_process_that_is_configured_otherwise_confirms_nothing_by_itself(bare_project: Project) -> None:
    """With the real second capture, whose process knows nothing of what this one was told."""
    import jax

    from ltc_ir.api import snapshot as guarding

    before = jax.config.jax_enable_x64, jax.config.jax_numpy_dtype_promotion
    try:
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_numpy_dtype_promotion", "strict")
        wrote = guarding.update(["net.py:step"])
        assert [(one.action, one.unstable) for one in wrote.written] == [("new", ()), ("new", ())]
        bare_project.write(GROWN)
        assert [one.status for one in guarding.check(["net.py:step"]).checks] == ["grown", "grown"]
    finally:
        jax.config.update("jax_enable_x64", before[0])
        jax.config.update("jax_numpy_dtype_promotion", before[1])


def test_a_file_that_cannot_be_written_hides_no_other(bare_project: Project, quick: None) -> None:
    bare_project.write(TWO)
    (bare_project.root / "snapshots").mkdir()
    (bare_project.root / "snapshots" / folder_of("net.py:other")).write_text("in the way")
    ran = bare_project.update("net.py:other", "net.py:step")
    assert ran.code == 2
    assert "cannot write to" in ran.out
    assert bare_project.check().code == 0


# --- prune


def test_prune_lists_and_then_removes_what_is_gone(
    bare_project: Project, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_project.write(TWO)
    bare_project.write(NET, "gone.py")
    assert bare_project.update(*BOTH, "gone.py:step").code == 0
    bare_project.write(NET)
    (bare_project.root / "gone.py").unlink()
    bare_project.forget()
    before = snapshots(bare_project)
    (bare_project.root / "sub").mkdir()
    for folder in (bare_project.root / "sub", bare_project.root):
        monkeypatch.chdir(folder)
        ran = bare_project.run("prune", "--format", "json")
        assert ran.code == 0
        rows = json.loads(ran.out)["pruned"]
        assert len(rows) == 4
        assert {row["removed"] for row in rows} == {"no"}
        assert not [row for row in rows if "step" in row["file"] and "gone" not in row["file"]]
        assert snapshots(bare_project) == before
    assert bare_project.run("prune", "--write").code == 0
    left = snapshots(bare_project)
    assert left == {name: one for name, one in before.items() if "other" not in name and "gone" not in name}
    assert not [
        path for path in (bare_project.root / "snapshots").rglob("*") if path.is_dir() and not list(path.iterdir())
    ]


def test_prune_keeps_what_it_cannot_judge(project: Project) -> None:
    before = snapshots(project)
    for source in ("import nothing_of_that_name\n" + NET, NET + "\n(\n"):
        project.write(source)
        ran = project.run("prune", "--write", "--format", "json")
        assert ran.code == 4
        assert all(row["removed"] == "no" and "kept: " in row["reason"] for row in json.loads(ran.out)["pruned"])
    assert snapshots(project) == before


def test_prune_keeps_what_was_recorded_with_arguments_from_the_command(bare_project: Project, quick: None) -> None:
    bare_project.write(NET.replace("step_args", "other_args"))
    assert bare_project.update("net.py:step", "--args", "f32[4,4] f32[2,4]").code == 0
    before = snapshots(bare_project)
    assert bare_project.run("prune", "--write").code == 0
    assert snapshots(bare_project) == before


TESTS = """
import pytest
from common import Base, test_lent


def test_kept(check_ir): ...


class TestOwn:
    def test_m(self, check_ir): ...


class TestHeir(Base):
    pass
"""


def test_prune_knows_which_tests_are_gone(bare_project: Project) -> None:
    alive = [
        "test_kept",
        "test_kept[a-1]",
        "test_kept::first",
        "TestOwn::test_m",
        "TestHeir::test_of_base",
        "test_lent",
    ]
    gone = ["test_gone", "test_gone[a]", "TestOwn::test_gone", "TestGone::test_x"]
    bare_project.write(TESTS, "tests/test_x.py")
    names = [f"tests/test_x.py::{name}" for name in (*alive, *gone)] + ["tests/test_y.py::test_kept"]
    store = Store(bare_project.root / "snapshots")
    for name in names:
        store.write(replace(versions("forward")[0], target=name))
    rows = json.loads(bare_project.run("prune", "--format", "json").out)["pruned"]
    told = {row["reason"] for row in rows}
    assert told == {f"tests/test_x.py has no test {name} any more" for name in gone} | {"no file tests/test_y.py"}


def test_a_snapshot_whose_program_is_gone_is_told(bare_project: Project, quick: None) -> None:
    bare_project.write(NET)
    assert bare_project.update("net.py:step", "--loss", "sum").code == 0
    assert len(snapshots(bare_project)) == 3
    ran = bare_project.check("net.py:step", "--loss", "sum")
    assert ran.code == 0
    ran = bare_project.check("net.py:step")
    assert "net.py:step loss" in ran.out
    assert "prune" in ran.out
    pruned = json.loads(bare_project.run("prune", "--format", "json").out)["pruned"]
    assert [Path(row["file"]).name.partition("@")[0] for row in pruned] == ["loss"]


# --- rules and waivers of a project


def test_rules_of_one_target_and_of_all(bare_project: Project, quick: None) -> None:
    bare_project.write(TWO)
    assert bare_project.update(*BOTH).code == 0
    bare_project.configure(
        '[tool.ltc-ir.snapshots]\nrules = ["total <= 100000", {rule = "cos = 0", targets = ["net.py:other"]}]\n'
    )
    ran = bare_project.check(*BOTH, "--program", "forward")
    assert ran.code == 1
    assert "net.py:other forward breaks a rule, though it matches its snapshot" in ran.out
    assert "  rule: cos = 0 (pyproject.toml)" in ran.out
    assert "step forward breaks" not in ran.out
    assert bare_project.check("net.py:step").code == 0


@pytest.mark.parametrize(
    "rule",
    ["tnah = 0", "no_such/total <= 3", "collectives = 0", "hlo:collectives = 0", "devices = x", "total <="],
)
def test_a_rule_that_cannot_be_broken_or_read_is_an_error(rule: str, project: Project) -> None:
    ran = project.check("net.py:step", "--rule", rule)
    assert ran.code == 2, ran.out + ran.err
    project.configure(f"[tool.ltc-ir.snapshots]\ntargets = ['net.py:step']\nrules = ['{rule}']\n")
    assert project.run("check").code == 2


def test_a_rule_given_for_programs_that_were_not_asked_for_is_an_error(project: Project) -> None:
    ran = project.check("net.py:step", "--program", "grad", "--rule", "forward/tanh = 1")
    assert ran.code == 2, ran.out + ran.err
    assert "--rule: rule 'forward/tanh = 1' matches no program" in ran.out
    project.configure("[tool.ltc-ir.snapshots]\nrules = ['forward/tanh = 1']\n")
    assert project.check("net.py:step", "--program", "grad").code == 0, "the project has other programs"


def test_a_step_permits_what_it_says(project: Project) -> None:
    project.write(GROWN)
    assert project.check("net.py:step", "--rule", "total +30%", "--program", "forward").code == 0
    assert project.check("net.py:step", "--rule", "total +20%", "--program", "forward").code == 1
    assert project.check("net.py:step", "--rule", "sin +1", "--program", "forward", "--strict").code == 1


def test_the_command_that_records_what_a_step_permits_gives_a_reason(project: Project) -> None:
    project.write(GROWN)
    ran = project.check("net.py:step", "--rule", "total +30%", "--program", "forward")
    assert '--program forward --accept-growth "why"' in ran.out
    project.write(SHRUNK)
    assert "--accept-growth" not in project.check("net.py:step", "--program", "forward").out


@pytest.mark.parametrize(
    ("waivers", "text", "code", "said"),
    [
        (
            '[{op = "sin", reason = "a sine", until = 2999-01-01}, {op = "sine", reason = "a sine", until = 2999-01-01}]',
            GROWN,
            0,
            "waived: a sine",
        ),
        ('[{op = "sin", reason = "a sine", until = 2020-01-01}]', GROWN, 1, "the waiver for sin expired on 2020-01-01"),
        ('[{op = "sin", reason = "a sine", until = 2020-01-01}]', NET, 1, "the waiver for sin expired on 2020-01-01"),
        ('[{op = "sin", reason = "a sine", until = 2999-01-01}]', NET, 1, "the waiver for sin waives nothing"),
        ('[{op = "sin", until = 2999-01-01}]', NET, 2, "reason"),
    ],
    ids=["valid", "expired", "expired and not needed", "unused", "no reason"],
)
def test_waivers(waivers: str, text: str, code: int, said: str, project: Project) -> None:
    project.configure(f'[tool.ltc-ir.snapshots]\ntargets = ["net.py:step"]\nwaivers = {waivers}\n')
    project.write(text)
    ran = project.check("--program", "forward") if code == 0 else project.run("check")
    assert ran.code == code, ran.out + ran.err
    assert said in ran.out + ran.err


def test_strict_fails_on_what_only_shrank(project: Project) -> None:
    project.write(SHRUNK)
    assert project.check().code == 0
    assert "has shrunk" in project.check().out
    assert project.check("net.py:step", "--strict").code == 1


# --- from elsewhere


def test_growth_is_confirmed_and_recorded_from_any_folder(
    bare_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real second capture: its process must find the file too."""
    bare_project.configure('[tool.ltc-ir.snapshots]\ntargets = ["net.py:step"]\n')
    (bare_project.root / "sub").mkdir()
    monkeypatch.chdir(bare_project.root / "sub")
    assert bare_project.run("update").code == 0
    assert bare_project.run("check").code == 0
    bare_project.write(GROWN)
    checked = bare_project.run("check")
    assert checked.code == 1
    assert "accept: ltc-ir snapshot update net.py:step" in checked.out
    assert bare_project.run("update", "net.py:step", "--accept-growth", "why").code == 0, "as it was told"
    monkeypatch.chdir(bare_project.root)
    assert bare_project.check().code == 0


def test_the_targets_of_a_store_are_found_from_a_folder_below(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "sub").mkdir()
    monkeypatch.chdir(project.root / "sub")
    assert project.run("check").code == 0
    assert project.run("update").code == 0
    assert len(json.loads(project.run("list", "net.py:step", "--format", "json").out)["snapshots"]) == 2
    assert len(json.loads(project.run("list", "../net.py:step", "--format", "json").out)["snapshots"]) == 2
