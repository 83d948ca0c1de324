"""A project of a user's own, in a fresh folder that is the current one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

Project = Callable[..., Path]


def _file(name: str) -> str:
    return "pyproject.toml" if name == "pyproject_toml" else f"{name}.py"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Write files into a fresh folder, by path or as keywords (``mine=``, ``pyproject_toml=``).

    What was imported from there is forgotten afterwards.
    """
    folder = tmp_path.resolve()
    path, modules = list(sys.path), set(sys.modules)
    monkeypatch.chdir(folder)

    def write(files: Mapping[str, str] | None = None, **named: str) -> Path:
        for name, text in {**(files or {}), **{_file(name): text for name, text in named.items()}}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        importlib.invalidate_caches()
        return folder

    yield write
    sys.path[:] = path
    for name in sorted(set(sys.modules) - modules, reverse=True):
        module = sys.modules[name]
        places = (getattr(module, "__file__", None), *getattr(module, "__path__", ()))
        if any(str(place).startswith(str(folder)) for place in places):
            del sys.modules[name]
