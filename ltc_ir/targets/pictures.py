"""What the globals of a user's module hold, in depth and in bounds, so that a change in place is seen as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

_PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None)})
_ROWS = (list, tuple, set)
_DEPTH = 4
_MOST_ITEMS = 4096
"""Items of one global that are looked at; of a larger container its length and its first items are."""
_FIRST = 64
_ABSENT = object()


class Picture(NamedTuple):
    """What a container, a class or an object of the user's holds: by key, position or name."""

    kind: type
    of: Any
    items: Mapping[Any, Any]


class Globals(NamedTuple):
    """The globals of a module: what each name is, and the pictures of those that can change in place."""

    module: ModuleType
    values: dict[str, Any]
    pictures: dict[str, Picture]


def globals_of(module: ModuleType, is_own: Callable[[str], bool], before: Globals | None = None) -> Globals:
    """The globals of a module now.

    Args:
        module: the module.
        is_own: whether the user wrote the module of this name; classes of such modules are looked into, and their objects.
        before: an earlier look, which knows what can change in place.
    """
    values = {name: value for name, value in list(vars(module).items()) if not name.startswith("__")}
    names = values if before is None else before.pictures.keys() & values.keys()
    pictures = {}
    for name in names:
        made = _Painter(is_own).picture(values[name], _DEPTH)
        if type(made) is Picture and (before is not None or _is_mutable(made)):
            pictures[name] = made
    return Globals(module, values, pictures)


def changed_names(before: Globals, after: Globals) -> list[str]:
    """The names that stand for something else, or for what was changed in place; not those that were added."""
    if before.values == after.values and not before.pictures:
        return []
    return [name for name in before.values if not _is_name_same(name, before, after)]


def _is_name_same(name: str, before: Globals, after: Globals) -> bool:
    value = after.values.get(name, _ABSENT)
    if name in before.pictures:
        return is_same(before.pictures[name], after.pictures.get(name, value))
    return is_same(before.values[name], value)


class _Painter:
    """Makes the picture of one global; what it looks at is bounded."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._left = _MOST_ITEMS

    def picture(self, value: Any, depth: int) -> Any:
        """The picture of a container, a class or an object of the user's; any other value itself."""
        kind = type(value)
        if kind in _PLAIN or depth == 0 or self._left <= 0:
            return value
        if kind is dict:
            return Picture(kind, None, self._items(value.items(), len(value), depth))
        if kind in _ROWS:
            pairs: Any = ((id(item), item) for item in value) if kind is set else enumerate(value)
            return Picture(kind, None, self._items(pairs, len(value), depth))
        named = _attributes(value) if self._is_looked_into(value, kind) else None
        return value if named is None else Picture(kind, value, self._items(named.items(), len(named), depth))

    def _items(self, pairs: Any, number: int, depth: int) -> dict[Any, Any]:
        few = number <= self._left
        self._left -= number if few else _FIRST
        items = {key: self.picture(item, depth - 1) for key, item in islice(pairs, number if few else _FIRST)}
        return items if few else {**items, _ABSENT: number}

    def _is_looked_into(self, value: Any, kind: type) -> bool:
        module = getattr(value if isinstance(value, type) else kind, "__module__", None)
        return kind is SimpleNamespace or (isinstance(module, str) and self._is_own(module))


def _attributes(value: Any) -> Mapping[str, Any] | None:
    """The public attributes of a class or an object; ``None`` where it has no dictionary of them."""
    try:
        return {name: item for name, item in list(vars(value).items()) if not name.startswith("_")}
    except Exception:
        return None


def _is_mutable(picture: Picture) -> bool:
    if picture.kind is not tuple:
        return True
    return any(type(item) is Picture and _is_mutable(item) for item in picture.items.values())


def is_same(before: Any, after: Any) -> bool:
    """Whether two looks at one value tell of no change."""
    if before is after:
        return True
    if type(before) is not Picture or type(after) is not Picture:
        return type(before) is type(after) and type(before) in _PLAIN and repr(before) == repr(after)
    if before.kind is not after.kind or before.of is not after.of:
        return False
    if not all(is_same(item, after.items.get(key, _ABSENT)) for key, item in before.items.items()):
        return False
    added = after.items.keys() - before.items.keys()
    return not any(_counts(after, key) for key in added)


def _counts(picture: Picture, key: Any) -> bool:
    """Whether what was added is a change: not an object in a mapping, nor what an object computed once, as caches do it."""
    if picture.kind in _ROWS:
        return True
    if picture.of is not None and isinstance(getattr(type(picture.of), str(key), None), cached_property):
        return False
    return type(picture.items[key]) in _PLAIN or type(picture.items[key]) is Picture
