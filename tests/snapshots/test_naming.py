"""Two names never share a file, on any file system, and no name leads out of the store."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltc_ir.errors import UsageError
from ltc_ir.files import project_root
from ltc_ir.records.snapshot import Identity
from ltc_ir.snapshots.naming import FileName, canonical, file_name, folder_of, jax_minor, parse, path_of, slug

CPU = Identity("0.10")
pieces = st.sampled_from(
    ["a", "A", "ä", "b.py", "B.py", ".", "..", "-", "@", ":", "con", "NUL", "aux.py", "a.", " ", "[p]", "x64", "\ud800", "\0"]
)  # fmt: skip
names = st.lists(pieces | st.sampled_from(["/", "::", "\\"]), max_size=6).map("".join) | st.text(max_size=8)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("ltc", "ltc/grad@0.10.toml"),
        ("team/my_step", "team/my_step/grad@0.10.toml"),
        ("tests/test_net.py::test_step", "tests/test_net.py/test_step/grad@0.10.toml"),
        ("tests/test_net.py::test_step[p1]", "tests/test_net.py/test_step-p1-5a62e185/grad@0.10.toml"),
        ("package.net:step", "package.net-step-a0049fa8/grad@0.10.toml"),
    ],
)
def test_a_snapshot_lies_where_its_target_says(target, path):
    assert str(path_of(target, "grad", CPU)) == path


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (Identity("0.10"), "grad@0.10.toml"),
        (Identity("0.9", "tpu"), "grad@0.9-tpu.toml"),
        (Identity("0.9", x64=True), "grad@0.9-x64.toml"),
        (Identity("1.0", "cuda", x64=True, devices=4), "grad@1.0-cuda-x64.toml"),
    ],
)
def test_a_file_name_tells_its_conditions(identity, name):
    assert file_name("grad", identity) == name
    assert parse(name) == FileName("grad", identity.jax, identity.platform, identity.x64)


@pytest.mark.parametrize(
    "name", ["grad.toml", "grad@0.10.txt", "grad@ten.toml", "@0.10.toml", "README.md", "a@b@0.1.toml"]
)
def test_other_names_tell_nothing(name):
    assert parse(name) is None


@settings(max_examples=300, deadline=None)
@given(names, names)
@example("a/b", "a::b")
@example("a//b", "a/b")
@example("a/./b", "a/b")
@example("/a", "a")
@example("a/", "a")
@example("x.py/t", "x.py::t")
@example("x.py::t/u", "x.py::t::u")
@example("Net", "net")
@example("net.", "net")
@example("K", "k")
def test_two_targets_never_share_a_folder(one, other):
    if canonical(one) == canonical(other):
        return
    assert folded(folder_of(one)) != folded(folder_of(other))


def test_a_plain_name_that_looks_hashed_is_hashed():
    assert slug(slug("Net")) != slug("Net")


def folded(path: PurePosixPath) -> str:
    """A path as a file system that ignores case and trailing dots and spaces keeps it."""
    return "/".join(part.casefold().rstrip(". ") for part in path.parts)


@settings(max_examples=150, deadline=None)
@given(names)
@example("../../etc/passwd")
@example("/etc/passwd:f")
@example("C:\\windows")
@example("a" * 500)
@example("con")
@example("lpt1.net")
def test_every_path_stays_below_the_store_and_fits_any_file_system(target):
    path = folder_of(target)
    assert not path.is_absolute() and path.parts
    for part in path.parts:
        assert part.isascii() and part == part.lower() and 1 <= len(part) <= 80
        assert not part.startswith((".", "-")) and not part.endswith((".", " "))
        assert not set(part) & set('<>:"/\\|?*@\0')
        assert not PureWindowsPath(part).is_reserved()


@settings(max_examples=150, deadline=None)
@given(names, names, names, st.booleans(), names, st.booleans())
@example("grad", "grad", "a", True, "a-x64", False)
@example("grad", "grad", "x64", False, "cpu", True)
def test_two_programs_or_platforms_never_share_a_file(one, other, platform, x64, platform_of_other, x64_of_other):
    left = file_name(one, Identity("0.10", platform, x64=x64))
    right = file_name(other, Identity("0.10", platform_of_other, x64=x64_of_other))
    alike = (one, platform, x64) == (other, platform_of_other, x64_of_other)
    assert (left.casefold() == right.casefold()) == alike
    told = parse(left)
    assert told is not None
    assert (told.program, told.jax, told.x64) == (slug(one), "0.10", x64)


def test_a_file_below_the_project_is_named_from_the_project():
    inside = project_root() / "nets" / "step.py"
    assert canonical(f"{inside}:f") == "nets/step.py:f"
    assert folder_of(f"{inside}:f") == folder_of("nets/step.py:f")


def test_a_file_elsewhere_keeps_its_name_and_stays_in_the_store(tmp_path):
    target = f"{Path('/elsewhere/step.py')}:f"
    assert canonical(target) == target
    assert ".." not in folder_of(target).parts


@pytest.mark.parametrize(("version", "minor"), [("0.10.2", "0.10"), ("0.6.2.dev20250101+abc", "0.6"), ("1.0", "1.0")])
def test_the_minor_version_of_a_release(version, minor):
    assert jax_minor(version) == minor


@pytest.mark.parametrize("version", ["", "10", "x.y", "0.x"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(UsageError):
        jax_minor(version)
