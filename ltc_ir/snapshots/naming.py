"""Where a snapshot lies below its store: one file per target, program and JAX minor version, on any file system."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ltc_ir.errors import UsageError
from ltc_ir.files import project_root
from ltc_ir.records.snapshot import Identity

ENDING = ".toml"
LONGEST = 80
"""Characters of a folder's or a program's name."""

_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]*(?<!\.)")
_HASHED = re.compile(r".*-[0-9a-f]{8}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""Names that Windows keeps for devices, whatever their ending."""
_MINOR = re.compile(r"(\d+\.\d+)(?:\D.*)?", re.DOTALL)
_NAME = re.compile(
    r"(?P<program>[^@]+)@(?P<minor>\d+\.\d+)(?:-(?P<platform>(?!x64\.toml$)[a-z0-9_.-]+?))?(?P<x64>-x64)?\.toml"
)


class FileName(NamedTuple):
    """What a snapshot's file name tells: the program's slug, the JAX minor version, the platform, whether 64-bit."""

    program: str
    jax: str
    platform: str
    x64: bool


def jax_minor(version: str) -> str:
    """The minor version of a release: ``0.10`` of ``0.10.2``."""
    match = _MINOR.fullmatch(version)
    if match is None:
        raise UsageError(f"{version!r} is no version of JAX", "a version is like 0.10.2")
    return match[1]


def canonical(target: str) -> str:
    """A target's name as snapshots hold it: the path of a file below the project is relative to the project."""
    path, separator, name = target.partition(":")
    if not separator or not Path(path).is_absolute():
        return target
    inside = Path(path)
    root = project_root()
    return f"{inside.relative_to(root).as_posix()}:{name}" if inside.is_relative_to(root) else target


def folder_of(target: str) -> PurePosixPath:
    """The folder of a target, relative to the store and never outside it; two targets never share one.

    A target is cut at ``/`` and ``::``. Where a cut is not the usual one (``/``; ``::`` from a ``.py`` file on), the part
    behind it bears a hash, so that ``a/b`` and ``a::b`` differ.
    """
    parts: list[str] = []
    usual, cut = "/", "/"
    for piece in re.split(r"(::|/)", canonical(target)):
        if piece in {"::", "/"}:
            cut = piece
            continue
        parts.append(slug(piece) if cut == usual else _hashed(piece, cut + piece))
        usual = "::" if piece.endswith(".py") or cut == "::" else "/"
    return PurePosixPath(*parts)


def slug(name: str) -> str:
    """A name as a file system can keep it: itself where it is plain, else its plain characters and a hash."""
    return name if _is_plain(name) else _hashed(name, name)


def file_name(program: str, identity: Identity) -> str:
    """The name of the file of a program under an identity."""
    minor = jax_minor(identity.jax)
    platform = "" if identity.platform == "cpu" else f"-{_platform(identity.platform)}"
    return f"{slug(program)}@{minor}{platform}{'-x64' if identity.x64 else ''}{ENDING}"


def parse(name: str) -> FileName | None:
    """What a file's name tells; ``None`` where it is not a snapshot's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return FileName(match["program"], match["minor"], match["platform"] or "cpu", bool(match["x64"]))


def path_of(target: str, program: str, identity: Identity) -> PurePosixPath:
    """The path of a snapshot, relative to its store."""
    return folder_of(target) / file_name(program, identity)


def _platform(name: str) -> str:
    """A platform's slug; one with a hyphen in it is hashed, for ``a-x64`` must not read as ``a`` with 64-bit types."""
    return name if _is_plain(name) and "-" not in name and name != "x64" else _hashed(name, name)


def _is_plain(name: str) -> bool:
    return (
        len(name) <= LONGEST
        and _PLAIN.fullmatch(name) is not None
        and _HASHED.fullmatch(name) is None
        and _RESERVED.fullmatch(name) is None
    )


def _hashed(name: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9_.]+", "-", name.lower())[: LONGEST - 9].strip(".-")
    if _RESERVED.fullmatch(readable):
        readable = readable.replace(".", "-")
    return f"{readable or '_'}-{digest}"
