"""Imports a target's module: from the user's folders first, as Python does for a script, but never in place of what we need."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from ltc_ir.errors import UsageError
from ltc_ir.files import current_folder, is_file, project_root, real_path
from ltc_ir.targets.pictures import Globals, globals_of
from ltc_ir.targets.places import package_place
from ltc_ir.targets.stages import users_failure

OURS = "ltc_ir"
"""Our own package: a built-in target changes no import path, and runs no code of the folder it is named in."""
NEEDED = frozenset({
    OURS, "ltc_ir_cli", "jaxlib", "numpy", "ml_dtypes", "opt_einsum", "scipy", "typer", "click", "rich", "markdown_it",
    "mdurl", "pygments", "shellingham", "typing_extensions", "msgspec", "matplotlib", "mpl_toolkits", "contourpy",
    "cycler", "fontTools", "kiwisolver", "packaging", "PIL", "pyparsing", "dateutil", "six", "pytz", "pandas", "networkx",
})  # fmt: skip
"""What we and JAX import, some of it late: a user's file of that name does not take its place."""


_INSTALLED = frozenset({"site-packages", "dist-packages"})


class _UserFolders:
    """Finds the modules of a user's folders before those that are installed, except what we, JAX or Python need.

    A module of the standard library gives way only where user code asks for it, as it would in a script. A folder without
    code does not hide a package that is installed.
    """

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.loaded: dict[str, Globals] = {}
        """The globals of the modules of these folders, as the import of each left them."""
        self.installed: Callable[[], None] | None = None
        """Is called where a user's import of what is installed has ended."""
        self._installing = False
        self.executing: set[str] = set()
        """The modules of these folders whose import has begun."""
        self.named = ""
        """The first part of the module that is imported for a user at present."""

    def add(self, folder: Path) -> None:
        """Import from this folder too; it also stands last in `sys.path`, where other tools look."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        place = str(folder)
        if place in self.folders:
            self.folders.remove(place)
        self.folders.insert(0, place)
        if place not in sys.path:
            sys.path.append(place)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Where a module is; ``None`` leaves it to the finders after this one."""
        if is_needed(name):
            return None
        if path is not None:
            own = any(str(entry).startswith(folder) for entry in path for folder in self.folders)
            return self._recorded(PathFinder.find_spec(name, path, target)) if own else self._told(name, path, target)
        folders = [folder for folder in self.folders if folder in sys.path]
        if name in sys.stdlib_module_names and name != self.named and not self._is_asked_by_user(sys._getframe(1)):
            return None
        spec = PathFinder.find_spec(name, folders, target)
        if spec is None or spec.loader is None:
            return self._told(name, path, target)
        return self._recorded(spec)

    def _told(self, name: str, path: Any, target: Any) -> ModuleSpec | None:
        """What is installed, where a user's module imports it, so that its end is told; ``None`` where others find it."""
        if self.installed is None or self._installing or name.partition(".")[0] in sys.stdlib_module_names:
            return None
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        loader: Any = spec and spec.loader
        if not isinstance(loader, SourceFileLoader):
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            self._installing = True
            try:
                execute(module)
            finally:
                self._installing = False
            if self.installed is not None:
                self.installed()

        setattr(loader, "exec_module", exec_module)  # noqa: B010 - a method, to mypy
        return spec

    def _recorded(self, spec: ModuleSpec | None) -> ModuleSpec | None:
        """The same, which remembers the globals that its import leaves, where its source is the user's."""
        loader: Any = spec and spec.loader
        if isinstance(loader, SourceFileLoader) and _INSTALLED.isdisjoint(Path(loader.path).parts):
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                self.executing.add(module.__name__)
                execute(module)
                self.remember(module)

            setattr(loader, "exec_module", exec_module)  # noqa: B010 - a method, to mypy
        return spec

    def remember(self, module: ModuleType) -> None:
        """Remember the globals of a module whose import is done."""
        self.loaded[module.__name__] = globals_of(module, is_own)

    def _is_asked_by_user(self, frame: FrameType | None) -> bool:
        """Whether the import statement under way stands in a file of a user's folder."""
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith("<frozen importlib") and not file.endswith("importlib/__init__.py"):
                return "site-packages" not in file and any(file.startswith(f"{one}/") for one in self.folders)
            frame = frame.f_back
        return False


_user_folders = _UserFolders()


def own_folders() -> list[str]:
    """The folders that stand in `sys.path` for a target, and not because a user's code put them there."""
    return _user_folders.folders


def user_modules() -> Mapping[str, Globals]:
    """The globals of the modules that were imported from these folders, as the import of each left them."""
    return _user_folders.loaded


def is_own(name: str) -> bool:
    """Whether a module of that name was imported from these folders, or is being imported."""
    return name in _user_folders.loaded or name in _user_folders.executing


def tell_installed(told: Callable[[], None]) -> None:
    """Call this whenever a user's import of what is installed has ended."""
    _user_folders.installed = told


def is_needed(name: str) -> bool:
    """Whether a module of that name is one that we or JAX need."""
    return name in NEEDED or name == "jax" or name.startswith("jax_")


def module_of(where: str) -> ModuleType:
    """The module at ``package.module`` or ``path/to/file.py``.

    Raises:
        UsageError: there is none. TargetError: it raised while it was imported.
    """
    if where.endswith(".py"):
        return _module_of_file(Path(where))
    if not all(part and part.isprintable() for part in where.split(".")):
        raise UsageError(f"{where!r} is not the name of a module", "write module:name or file.py:name")
    first = where.partition(".")[0]
    if first != OURS:
        _user_folders.add(project_root())
        _user_folders.add(current_folder())
    _user_folders.named = first
    try:
        with users_failure(where, "import"):
            return importlib.import_module(where)
    except Exception as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and _is_part(cause.name, where):
            raise UsageError(
                f"no module {where!r}", "a module is importable from here, or give file.py:name"
            ) from cause
        raise
    finally:
        _user_folders.named = ""


def shadowed(where: str, module: ModuleType, path: str) -> str | None:
    """What helps where a module is another one than the user's file of that name; ``None`` where it is not."""
    if where.endswith(".py"):
        return None
    beside = Path(f"{where.replace('.', '/')}.py")
    if not is_file(beside) or getattr(module, "__file__", None) == str(beside.resolve()):
        return None
    return f"another module of that name was imported before: write {beside}:{path}"


def _is_part(missing: str, where: str) -> bool:
    return missing == where or where.startswith(missing + ".")


def _is_importable_from(folder: Path, dotted: str) -> bool:
    """Whether no other package took the first part of the name."""
    first = dotted.partition(".")[0]
    loaded = sys.modules.get(first)
    if loaded is None:
        return not is_needed(first)
    return str(folder / first) in getattr(loaded, "__path__", ())


def _module_of_file(path: Path) -> ModuleType:
    hint = "give the path of a Python file, as in path/to/file.py:name"
    if not is_file(path):
        raise UsageError(f"{path} is not a file" if os.path.lexists(path) else f"no file {path}", hint)
    named, path = str(path), real_path(path)
    folder, dotted = package_place(path)
    _user_folders.add(folder)
    loaded = sys.modules.get(dotted)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    if "." in dotted and _is_importable_from(folder, dotted):
        with users_failure(named, "import"):
            return importlib.import_module(dotted)
    stem = path.stem
    taken = stem in sys.modules or stem in sys.stdlib_module_names or is_needed(stem)
    name = f"_ltc_ir_target_{stem}" if taken else stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"cannot import {named}", "give the path of a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with users_failure(named, "import"):
            _user_folders.executing.add(name)
            spec.loader.exec_module(module)
        _user_folders.remember(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module
