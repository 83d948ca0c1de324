"""The store finds what it wrote, names the file that is wrong, and never leaves half a file."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ltc_ir import writing
from ltc_ir.errors import LtcIrError, UsageError
from ltc_ir.records.snapshot import Identity, Provenance, Snapshot
from ltc_ir.records.snapshot_toml import loads_bytes
from ltc_ir.snapshots.store import Store
from tests.snapshots.made import USUAL, usual

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "snapshots")


def child(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"tests.snapshots.{module}", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def error_of(store: Store, path: Path) -> str:
    found = dict(store.all())[path]
    assert isinstance(found, LtcIrError)
    return found.message


def test_what_was_written_is_read(store):
    path = store.write(USUAL)
    assert path == store.path_of("net:step", "grad", USUAL.identity)
    assert store.read("net:step", "grad", USUAL.identity) == USUAL
    assert list(store.all()) == [(path, USUAL)]


def test_what_was_not_written_is_none(store):
    assert store.read("net:step", "grad", USUAL.identity) is None
    assert list(store.all()) == []
    assert not store.directory.exists(), "asking makes no folder"


def test_conditions_in_the_name_are_kept_apart_and_others_are_not(store):
    store.write(USUAL)
    for fields in ({"jax": "0.9"}, {"x64": True}, {"platform": "tpu"}):
        assert store.read("net:step", "grad", usual(**fields).identity) is None
    other = replace(USUAL.identity, declaration="other", devices=4)
    assert store.read("net:step", "grad", other) == USUAL


def test_writing_again_replaces(store):
    store.write(USUAL)
    store.write(usual(captured="in-process"))
    assert [made for _, made in store.all()] == [usual(captured="in-process")]


@pytest.mark.parametrize(
    ("held", "asked", "nearest"),
    [
        (["0.6", "0.9", "0.12"], "0.10", "0.9"),
        (["0.6", "0.10"], "0.10", "0.6"),
        (["0.11", "0.12"], "0.10", "0.11"),
        (["0.9", "1.0"], "0.12", "0.9"),
        (["0.10"], "0.10", None),
        ([], "0.10", None),
    ],
)
def test_the_nearest_other_jax_is_the_newest_older_one_else_the_oldest_newer(store, held, asked, nearest):
    for jax in held:
        store.write(usual(jax=jax))
    found = store.nearest("net:step", "grad", Identity(asked))
    assert (found and found.identity.jax) == nearest


def test_another_program_platform_or_target_is_never_near(store):
    for made in (usual(program="loss"), usual(platform="tpu"), usual(x64=True), usual(target="net:other")):
        earlier = Provenance("0.9.2", "0.9.2")
        store.write(replace(made, identity=replace(made.identity, jax="0.9"), provenance=earlier))
    assert store.nearest("net:step", "grad", Identity("0.10")) is None


def test_the_files_of_some_targets(store):
    for target in ("ltc", "ltc/deep", "net:step"):
        store.write(usual(target=target))
    assert {made.target for _, made in store.find(["ltc", "net:step"])} == {"ltc", "net:step"}
    assert len(list(store.find([]))) == 3
    assert list(store.find(["nothing"])) == []


def test_a_broken_file_of_a_target_is_found_with_it(store):
    path = store.write(usual(target="ltc"))
    store.write(usual(target="other"))
    path.write_text("schema = 1\n")
    ((found, error),) = store.find(["ltc"])
    assert found == path
    assert isinstance(error, UsageError)
    with pytest.raises(UsageError, match="cut short"):
        store.read("ltc", "grad", USUAL.identity)


def test_what_is_no_toml_is_let_be(store):
    path = store.write(USUAL)
    for name in ("README.md", ".hidden.toml", "grad@0.10.toml.orig", ".git/config.toml"):
        (store.directory / name).parent.mkdir(exist_ok=True)
        (store.directory / name).write_text("hello")
    assert list(store.all()) == [(path, USUAL)]


def test_a_toml_that_is_no_snapshot_is_an_error_with_its_name(store):
    store.write(USUAL)
    path = store.directory / "settings.toml"
    path.write_text("[tool]\na = 1\n")
    assert error_of(store, path).startswith(path.as_posix())
    assert len(list(store.all())) == 2


@pytest.mark.parametrize(
    "name",
    ["grad@0.9.toml", "grad@0.10-x64.toml", "grad@0.10-tpu.toml", "loss@0.10.toml", "copy.toml", "Grad@0.10.toml"],
)
def test_a_copy_under_another_name_is_refused_naming_both(store, name):
    path = store.write(USUAL)
    copy = path.with_name(name)
    copy.write_bytes(path.read_bytes())
    message = error_of(store, copy)
    assert copy.as_posix() in message and path.as_posix() in message


def test_a_copy_in_another_targets_folder_is_refused_when_it_is_read(store):
    path = store.write(USUAL)
    copy = store.path_of("net:other", "grad", USUAL.identity)
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    with pytest.raises(UsageError) as caught:
        store.read("net:other", "grad", USUAL.identity)
    assert copy.as_posix() in caught.value.message and path.as_posix() in caught.value.message


def test_removing_takes_the_empty_folders_along_and_no_more(store):
    deep = store.write(usual(target="a/b/c"))
    store.write(usual(target="a"))
    store.remove(deep)
    assert not (store.directory / "a" / "b").exists()
    assert len(list(store.all())) == 1
    store.remove(store.path_of("a", "grad", USUAL.identity))
    assert store.directory.is_dir()
    assert list(store.directory.iterdir()) == []


def test_a_folder_with_something_else_in_it_is_kept(store):
    path = store.write(usual(target="a/b"))
    (path.parent / "README.md").write_text("why")
    store.remove(path)
    assert (path.parent / "README.md").exists()


def test_a_store_that_cannot_be_written_to_is_refused_with_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        Store(tmp_path / "file").write(USUAL)
    assert "--dir" in (caught.value.hint or "")
    assert (tmp_path / "file").read_text() == ""


def test_a_store_that_is_no_folder_is_refused_and_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Not a directory"):
        list(Store(tmp_path / "file").all())


@pytest.mark.parametrize("fields", [{"captured": "once"}, {"jax": "0.10.2"}])
def test_what_could_not_be_read_again_is_not_written(store, fields):
    with pytest.raises(UsageError):
        store.write(usual(**fields))
    assert list(store.all()) == []


def test_a_file_that_cannot_be_replaced_is_said_with_the_right_hint(store):
    store.path_of("net:step", "grad", USUAL.identity).mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        store.write(USUAL)
    assert "--dir" in (caught.value.hint or "")


def test_what_a_killed_writer_left_is_swept_and_nothing_else(store):
    path = store.write(USUAL)
    left = path.with_name(f".{path.name}.ab12_xyz")
    left.write_text("half")
    others = [path.with_name(".notes.txt.ab12_xyz"), path.with_name(".grad@0.10.toml.swp")]
    for other in others:
        other.write_text("an editor's")
    assert store.sweep() == [left]
    assert path.is_file() and all(other.is_file() for other in others)


def test_the_neighbour_a_writer_writes_to_is_one_that_is_swept(store, monkeypatch):
    def killed(_: int) -> None:
        raise SystemExit

    monkeypatch.setattr(writing, "_UNNAMED", None)
    monkeypatch.setattr(os, "fsync", killed)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(SystemExit):
        store.write(USUAL)
    monkeypatch.undo()
    assert list(store.all()) == []
    assert len(store.sweep()) == 1


def test_what_a_writer_makes_is_gone_where_it_is_interrupted(store, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for unnamed in {writing._UNNAMED, None}:
        monkeypatch.setattr(writing, "_UNNAMED", unnamed)
        for place in ("open", "fsync", "rename", "replace", "link", "mkdir"):
            with monkeypatch.context() as patched:
                patched.setattr(os, place, interrupted)
                with contextlib.suppress(KeyboardInterrupt):
                    store.write(USUAL)
            left = [path for path in store.directory.parent.rglob("*") if path.name.startswith(".") or path.is_dir()]
            assert all(any(path.rglob("*.toml")) for path in left), place
            shutil.rmtree(store.directory, ignore_errors=True)


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs files without a name")
def test_a_writer_killed_while_it_writes_leaves_nothing(store):
    code = (
        "import os, signal; from tests.snapshots.test_store import USUAL; from ltc_ir.snapshots.store import Store\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Store({str(store.directory / 'deeper')!r}).write(USUAL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path for path in store.directory.rglob("*") if path.is_file()] == []


def test_a_store_that_nothing_is_written_to_is_not_there(tmp_path):
    with Store(tmp_path / "a" / "b").lock():
        pass
    with pytest.raises(ZeroDivisionError), Store(tmp_path / "a" / "b").lock():
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_lock_of_a_killed_process_is_free(store):
    store.write(USUAL)
    if not (holder := os.fork()):
        with store.lock():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(holder, 0)
    store.write(usual(captured="in-process"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_writer_killed_at_any_moment_leaves_each_file_whole_where_each_file_has_a_name(store):
    killer = child("killing_child", store.directory, 40, "beside")
    lines = [line.split() for line in killer.communicate(timeout=120)[0].splitlines()]
    assert killer.returncode == 0
    assert len(lines) == 40
    assert {word for line in lines for word in line[:2]} == {"old", "new"}
    assert list(store.directory.rglob(".*")), "no writer was killed while it wrote"
    store.sweep()
    assert not list(store.directory.rglob(".*"))
    assert all(isinstance(made, Snapshot) for _, made in store.all())


def test_two_processes_do_not_hold_the_store_at_once(store, tmp_path):
    notes = tmp_path / "notes"
    both = [child("appending_child", store.directory, notes, name) for name in "ab"]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    for process in both:
        assert process.stdout
        process.stdout.close()
    lines = [line.split() for line in notes.read_text().splitlines()]
    assert len(lines) == 80
    for (entering, first), (leaving, last) in zip(lines[::2], lines[1::2], strict=True):
        assert (entering, first, last) == (leaving, "in", "out")
    assert not store.directory.exists(), "a lock leaves nothing behind"


def test_a_lock_is_freed_by_an_error_and_taken_twice_by_its_holder(store):
    with pytest.raises(ZeroDivisionError), store.lock():
        raise ZeroDivisionError
    with store.lock(), store.lock():
        store.write(USUAL)
    other = Store(store.directory)
    other.write(usual(captured="in-process"))
    assert other.read("net:step", "grad", USUAL.identity) == usual(captured="in-process")


def test_a_system_without_locks_writes_all_the_same(store, monkeypatch):
    monkeypatch.setattr("ltc_ir.snapshots.store._LOCKS", False)
    assert loads_bytes(store.write(USUAL).read_bytes(), "it") == USUAL
