"""From the name of a target to the Target: built in, the project's own, ``module:name`` or ``file.py:name``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ltc_ir import config
from ltc_ir.errors import UsageError
from ltc_ir.programs.builtin import BUILTIN
from ltc_ir.programs.options import Options
from ltc_ir.programs.stages import users_failure
from ltc_ir.programs.target import Target


def find(name: str, options: Options | None = None) -> Target:
    """The target of that name.

    Raises:
        UsageError: no such target, module, file or name; or its arguments are missing or malformed.
        TargetError: the user's module raised while it was imported.
    """
    options = options or Options()
    own = config.targets()
    if name in own:
        entry = own[name]
        merged = _merge(_options_of(entry), options)
        return replace(_configured(_load(entry["target"]), entry["target"], merged), name=name)
    place = BUILTIN.get(name, name)
    if ":" not in place:
        raise _unknown(name, [*own, *BUILTIN])
    return replace(_configured(_load(place), place, options), name=name)


def known() -> dict[str, str]:
    """The target names there are, with where each lives: the project's own first, then the built-in ones."""
    return {name: str(entry["target"]) for name, entry in config.targets().items()} | BUILTIN


def _unknown(name: str, names: list[str]) -> UsageError:
    near = difflib.get_close_matches(name, names, 1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(
        f"unknown target {name!r}",
        f"{meant}a target is {', '.join(names)}, module:name, file.py:name or a stored IR file",
    )


def _options_of(entry: Mapping[str, Any]) -> Options:
    def many(key: str) -> Any:
        value = entry.get(key)
        return None if value is None else tuple(value) if isinstance(value, list) else (value,)

    return Options(
        args=entry.get("args"),
        loss=entry.get("loss"),
        argnums=many("argnums"),
        has_aux=entry.get("has_aux"),
        static_argnums=many("static_argnums"),
        static_argnames=many("static_argnames"),
    )


def _merge(base: Options, over: Options) -> Options:
    given = {key: value for key, value in vars(over).items() if value is not None}
    return replace(base, **given)


def _load(place: str) -> tuple[ModuleType, str, Any]:
    """The module, the attribute path and the object of ``module:name`` or ``file.py:name``."""
    where, _, path = place.rpartition(":")
    if not where or not path:
        raise UsageError(f"cannot read target {place!r}", "write module:name or file.py:name")
    module = _module(where)
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{where} has no {path!r}", _offer(module, path))
        found = getattr(found, part)
    return module, path, found


def _offer(module: ModuleType, path: str) -> str:
    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    near = difflib.get_close_matches(path, names, 3) or sorted(names)[:5]
    return f"it has {', '.join(near)}" if near else "it defines no function"


def _module(where: str) -> ModuleType:
    if where.endswith(".py"):
        return _module_of_file(Path(where))
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with users_failure(where, "import"):
            return importlib.import_module(where)
    except Exception as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and _is_part(cause.name, where):
            raise UsageError(f"no module {where!r}", "a module is importable from here, or give file.py:name") from cause
        raise


def _is_part(missing: str, where: str) -> bool:
    return missing == where or where.startswith(missing + ".")


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"no file {path}", "give the path of a Python file, as in path/to/file.py:name")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path.resolve()):
        return loaded
    name = path.stem if path.stem not in sys.modules else f"_ltc_ir_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"cannot import {path}", "give the path of a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with users_failure(str(path), "import"):
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _configured(loaded: tuple[ModuleType, str, Any], place: str, options: Options) -> Target:
    """The Target of what was loaded, with the caller's options over its own."""
    module, path, found = loaded
    if isinstance(found, Target):
        target = found
    elif callable(found):
        target = Target(found, *_example_arguments(module, path, place, options))
    else:
        raise UsageError(f"{place} is a {type(found).__name__}, neither a function nor a Target", "name a function")
    if isinstance(found, Target) and options.args is not None:
        args, kwargs = _given_arguments(options.args)
        target = replace(target, args=args, kwargs=kwargs)
    return _with_options(target, options)


def _with_options(target: Target, options: Options) -> Target:
    changes: dict[str, Any] = {}
    if options.loss is not None:
        changes["loss"] = _loss(options.loss)
    if options.argnums is not None:
        changes["argnums"] = options.argnums[0] if len(options.argnums) == 1 else options.argnums
    for key in ("has_aux", "static_argnums", "static_argnames"):
        value = getattr(options, key)
        if value is not None:
            changes[key] = value
    return replace(target, **changes) if changes else target


def _loss(text: str) -> str | Callable[[Any], Any]:
    if text in {"sum", "mean"}:
        return text
    if ":" not in text:
        raise UsageError(f"unknown loss {text!r}", "a loss is sum, mean or module:function")
    loaded = _load(text)[2]
    if not callable(loaded):
        raise UsageError(f"the loss {text!r} is not callable", "a loss is sum, mean or module:function")
    return loaded  # type: ignore[no-any-return]


def _example_arguments(module: ModuleType, path: str, place: str, options: Options) -> tuple[tuple[Any, ...], Any]:
    if options.args is not None:
        return _given_arguments(options.args)
    sibling: Any = module
    for part in (path + "_args").split("."):
        sibling = getattr(sibling, part, None)
    if sibling is None:
        if _takes_nothing(module, path):
            return (), {}
        raise UsageError(
            f"{place} has no example arguments",
            f'give --args "f32[8] i32[]", define {path.rpartition(".")[2]}_args beside it, or build a ltc_ir.Target',
        )
    with users_failure(f"{place}_args", "run"):
        return _arguments(sibling() if callable(sibling) else sibling, f"{place}_args")


def _takes_nothing(module: ModuleType, path: str) -> bool:
    import inspect

    found: Any = module
    for part in path.split("."):
        found = getattr(found, part)
    try:
        return not inspect.signature(found).parameters
    except (TypeError, ValueError):
        return False


def _given_arguments(text: str) -> tuple[tuple[Any, ...], Any]:
    from ltc_ir.programs.abstract import parse_types

    if ":" not in text:
        return parse_types(text), {}
    made = _load(text)[2]
    with users_failure(text, "run"):
        return _arguments(made() if callable(made) else made, text)


def _arguments(value: Any, where: str) -> tuple[tuple[Any, ...], Any]:
    """``(args, kwargs)`` of what a sibling or ``module:callable`` gave: a tuple of arguments, or such a pair."""
    pair = isinstance(value, tuple) and len(value) == 2
    if pair and isinstance(value[0], tuple) and isinstance(value[1], dict) and all(isinstance(key, str) for key in value[1]):
        return value
    if isinstance(value, tuple):
        return value, {}
    raise UsageError(f"{where} gives a {type(value).__name__}, not a tuple of arguments", "return (argument, …) or (args, kwargs)")
