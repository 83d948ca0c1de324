"""From the name of a target to the Target: built in, the project's own, ``module:name`` or ``file.py:name``."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from ltc_ir import config
from ltc_ir.errors import UsageError
from ltc_ir.files import is_folder
from ltc_ir.records.request import Options
from ltc_ir.targets.builtin import BUILTIN
from ltc_ir.targets.importing import module_of, shadowed
from ltc_ir.targets.places import anchored
from ltc_ir.targets.sizes import OpenSizes, resized
from ltc_ir.targets.stages import users_failure, users_own
from ltc_ir.targets.target import Target

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


def find(name: str, options: Options | None = None) -> Target:
    """The target of that name.

    Raises:
        UsageError: no such target, module, file or name; or its arguments are missing or malformed.
        TargetError: the user's module raised while it was imported.
    """
    options = options or Options()
    opened = OpenSizes(options.size)
    with users_own(name):
        target = _found(name, options, opened)
    return resized(target, "+".join(opened.left), opened.value) if opened.left else target


def _found(name: str, options: Options, opened: OpenSizes) -> Target:
    own = config.targets()
    if name in own:
        entry = own[name]
        place = anchored(entry["target"])
        target = _configured(_load(place), place, _merge(_options_of(entry), options), opened)
        return replace(target, name=name, platform=entry.get("platform", target.platform))
    place = BUILTIN.get(name, name)
    if ":" not in place:
        raise _unknown(name, [*own, *BUILTIN])
    return replace(_configured(_load(place), place, options, opened), name=name)


def known() -> dict[str, str]:
    """The target names there are, with where each lives: the project's own first, then the built-in ones."""
    return {name: str(entry["target"]) for name, entry in config.targets().items()} | BUILTIN


def _unknown(name: str, names: list[str]) -> UsageError:
    if is_folder(name):
        return UsageError(f"{name} is a folder, no target", "give a stored IR file, or file.py:name")
    few = names if len(names) <= _MANY else []  # each is compared with all, and a prune may meet as many that are gone
    near = difflib.get_close_matches(name, few, 1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(few or [*names[:_SHOWN], f"another of {len(names)} (ltc-ir targets lists them)"])
    return UsageError(
        f"unknown target {name!r}", f"{meant}a target is {listed}, module:name, file.py:name or a stored IR file"
    )


_MANY, _SHOWN = 200, 3
"""Names of targets that a mistyped one is compared with at most, and of more those that are shown."""


def _options_of(entry: Mapping[str, Any]) -> Options:
    def many(key: str) -> Any:
        value = entry.get(key)
        return None if value is None else tuple(value) if isinstance(value, list) else (value,)

    return Options(
        args=anchored(entry.get("args")),
        loss=anchored(entry.get("loss")),
        argnums=many("argnums"),
        has_aux=entry.get("has_aux"),
        static_argnums=many("static_argnums"),
        static_argnames=many("static_argnames"),
    )


def _merge(base: Options, over: Options) -> Options:
    changes = {key: value for key, value in vars(over).items() if value is not None}
    return replace(base, **changes)


def _load(place: str) -> tuple[ModuleType, str, Any]:
    """The module, the attribute path and the object of ``module:name`` or ``file.py:name``."""
    where, _, path = place.rpartition(":")
    if not where or not path:
        raise UsageError(f"cannot read target {place!r}", "write module:name or file.py:name")
    module = module_of(where)
    value: Any = module
    with users_failure(place, "import"):
        for part in path.split("."):
            if not hasattr(value, part):
                raise UsageError(f"{where} has no {path!r}", shadowed(where, module, path) or _offer(module, path))
            value = getattr(value, part)
    return module, path, value


def _offer(module: ModuleType, path: str) -> str:
    names = [name for name, value in vars(module).items() if not name.startswith("_") and _is_own(value, module)]
    near = difflib.get_close_matches(path, names, 3) or sorted(names)[:5]
    return f"it has {', '.join(near)}" if near else "it defines no function"


def _is_own(value: Any, module: ModuleType) -> bool:
    return isinstance(value, Target) or (callable(value) and getattr(value, "__module__", None) == module.__name__)


def _configured(loaded: tuple[ModuleType, str, Any], place: str, options: Options, opened: OpenSizes) -> Target:
    """The Target of what was loaded, with the caller's options over its own."""
    module, path, value = loaded
    if not isinstance(value, Target):
        if not callable(value):
            raise UsageError(
                f"{place} is neither a function nor a Target, but {type(value).__name__}", "name a function"
            )
        return _with_options(Target(value, *_example_arguments(module, path, value, options, opened)), options)
    _refuse_idle(value, place, options)
    if options.args is None:
        return _with_options(value, options)
    args, kwargs = _given_arguments(options.args, value.fn, opened)
    return _with_options(replace(value, args=args, kwargs=kwargs), options)


def _refuse_idle(target: Target, place: str, options: Options) -> None:
    """Refuse what would change nothing: programs that a Target gives outright heed no options."""
    flags = [
        f"--{key.replace('_', '-')}" for key, value in vars(options).items() if value is not None and key != "size"
    ]
    if flags and target.programs:
        raise UsageError(
            f"{target.name or place} brings its own {', '.join(target.programs)}, which {flags[0]} would not change",
            f"leave {flags[0]} out, or name a function, as module:function",
        )


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


def _example_arguments(module: ModuleType, path: str, fn: Any, options: Options, opened: OpenSizes) -> Arguments:
    if options.args is not None:
        return _given_arguments(options.args, fn, opened)
    sibling: Any = module
    for part in (path + "_args").split("."):
        sibling = getattr(sibling, part, None)
    name = path.rpartition(".")[2]
    if sibling is None:
        if _accepts(fn, (), {}) and not _parameters(fn):
            return (), {}
        raise UsageError(
            f"{name} has no example arguments",
            f'give --args "f32[8] i32[]", define {name}_args beside it, or build a ltc_ir.Target',
        )
    return _made_arguments(sibling, f"{name}_args", fn, opened)


def _given_arguments(text: str, fn: Any, opened: OpenSizes) -> Arguments:
    from ltc_ir.targets.parse_shapes import parse_types

    if ":" in text:
        return _made_arguments(_load(text)[2], text, fn, opened)
    return parse_types(text, opened.take), {}


def _made_arguments(maker: Any, where: str, fn: Any, opened: OpenSizes) -> Arguments:
    """What a sibling or ``module:callable`` gives: a tuple of arguments, or ``(args, kwargs)`` where ``fn`` takes it so.

    A tuple and a dict are such a pair only if the function can be called like that: they may be its two arguments.
    """
    with users_failure(where, "run"):
        arguments = maker(**_open_sizes(maker, opened)) if callable(maker) else maker
    if not isinstance(arguments, tuple):
        raise UsageError(
            f"{where} gives {type(arguments).__name__}, not a tuple of arguments",
            "make it (argument, …) or (args, kwargs)",
        )
    if len(arguments) != 2 or not isinstance(arguments[0], tuple) or not isinstance(arguments[1], dict):
        return arguments, {}
    args, kwargs = arguments
    return (
        (args, kwargs)
        if all(isinstance(key, str) for key in kwargs) and _accepts(fn, args, kwargs)
        else (arguments, {})
    )


def _open_sizes(maker: Any, opened: OpenSizes) -> dict[str, int]:
    """The sizes that what makes arguments takes, where they are among those to be changed."""
    sizes = {name: opened.take(name) for name in _parameters(maker)}
    return {name: value for name, value in sizes.items() if value is not None}


def _parameters(fn: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return {}


def _accepts(fn: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a function can be called so; true where its signature is not known."""
    try:
        inspect.signature(fn).bind(*args, **kwargs)
    except ValueError:
        return True
    except TypeError:
        return False
    return True
