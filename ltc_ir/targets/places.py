"""Where a target lives, told by its name alone: the module that is imported for it, and the folder that this is found in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ltc_ir.files import project_root
from ltc_ir.records.request import Options
from ltc_ir.targets.builtin import BUILTIN


class Home(NamedTuple):
    """What is imported for a target, and the folder that its file is importable from; empty for what is installed."""

    module: str
    folder: str


def home_of(name: str, own: Mapping[str, Mapping[str, Any]], options: Options | None = None) -> Home:
    """The home of a target by name; targets of one home may share a process whatever its import does to that.

    Args:
        name: the target's name.
        own: the project's own targets, as `config.targets` gives them.
        options: what else is said of the target.
    """
    entry: dict[str, Any] = {"target": BUILTIN.get(name, name), "args": None, "loss": None} | dict(own.get(name, {}))
    over = {key: getattr(options, key, None) for key in ("args", "loss")}
    places = [anchored(entry["target"]), *(over[key] or anchored(entry[key]) for key in ("args", "loss"))]
    modules = [place.rpartition(":")[0] for place in places if place and ":" in place]
    folders = [str(package_place(Path(module).resolve())[0]) for module in modules if module.endswith(".py")]
    return Home(" ".join(dict.fromkeys(modules)) or name, " ".join(sorted(set(folders) - {str(project_root())})))


def anchored(text: Any) -> Any:
    """A ``file.py:name`` of pyproject.toml, which stands for a file relative to that, wherever the command is run."""
    where, _, name = (text or "").rpartition(":")
    return f"{project_root() / where}:{name}" if where.endswith(".py") else text


def package_place(path: Path) -> tuple[Path, str]:
    """The folder a file is importable from and its dotted name there, so that imports of its neighbours work."""
    folder, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    return folder, ".".join(parts) or path.stem
