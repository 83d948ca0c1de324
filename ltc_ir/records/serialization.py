"""Records to JSON and back, strictly, for every frozen dataclass: schema 1, sorted keys, two-space indent.

The only module that imports msgspec, and only when it reads. A record is found by its ``kind`` in `KINDS`, and its module
is imported when such a record is read.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from ltc_ir.errors import LimitError, UsageError
from ltc_ir.escape import escape_json
from ltc_ir.files import decode
from ltc_ir.records.shape import PLAIN, Check, Shape, UnfitError
from ltc_ir.records.strict.json import AGAIN, DamageError, Path, parsed, quoted

_dumps = json.dumps  # as it was before a target could replace it

SCHEMA = 1
"""The schema of JSON that this version writes, and the newest that it reads."""

MOST_BYTES = 64 << 20
"""Bytes a record may have."""
KINDS: dict[str, tuple[str, str]] = {
    "count": ("ltc_ir.records.count:Count", "count --format json"),
    "diff": ("ltc_ir.records.diff:Diff", "diff --format json"),
    "check": ("ltc_ir.records.check:Check", "snapshot check --format json"),
    "update": ("ltc_ir.records.check:Update", "snapshot update --format json"),
    "time": ("ltc_ir.records.timing:Timing", "time --format json"),
    "sweep": ("ltc_ir.records.sweep:Sweep", "count --sweep NAME=VALUES --format json"),
    "follow": ("ltc_ir.records.follow:Follow", "follow --format json"),
}
"""Each kind of record: where its class is, and the command that writes one. A layer above adds its own."""

Record = TypeVar("Record")
_Reader = Callable[[Any, Path], Any]


# --- writing


def dumps(record: Any) -> str:
    """A record, or JSON data made of several, as JSON text: UTF-8, sorted keys, a newline at the end.

    Raises:
        ValueError: a figure is infinite or not a number, which JSON cannot hold.
    """
    text = _dumps(to_data(record), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return escape_json(text) + "\n"


def dumps_all(records: Sequence[Any], kind: str, key: str) -> str:
    """One record as JSON text, several as one of that ``kind``, which lists them under ``key``."""
    if len(records) == 1:
        return dumps(records[0])
    return dumps({"schema": SCHEMA, "kind": kind, key: list(records)})


def to_data(value: Any) -> Any:
    """A record, or any part of one, as JSON data in the documented shape."""
    if value is None or isinstance(value, str | int | float):
        return value.value if isinstance(value, Enum) else value
    if is_dataclass(value):
        return _record_to_data(value)
    if isinstance(value, Mapping):
        return {key: to_data(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(to_data, value))
    return [to_data(item) for item in value]


def _record_to_data(record: Any) -> dict[str, Any]:
    plan = _plan(type(record))
    shape = plan.shape
    data = {name: to_data(getattr(record, name)) for name in (*plan.written, *shape.derived)}
    for name in shape.optional:
        if data[name] == plan.defaults[name]:
            del data[name]
    if shape.spread is not None:
        data |= data.pop(shape.spread)
    for name, key in shape.renamed.items():
        data[key] = data.pop(name)
    if plan.versioned:
        data["schema"] = SCHEMA
    return dict(record.to_json(data)) if plan.to_json else data


# --- reading


@overload
def loads(text: str, where: str, wanted: type[Record]) -> Record: ...
@overload
def loads(text: str, where: str = "the record") -> Any: ...
def loads(text: str, where: str = "the record", wanted: type[Any] | None = None) -> Any:
    """A record from its JSON text.

    Args:
        text: JSON, as `dumps` writes it.
        where: what messages call it.
        wanted: the class of the record; by default its ``kind`` decides.

    Raises:
        UsageError: not JSON, not such a record, of a newer schema, or damaged; the message begins with ``where``.
    """
    data = parsed(text, where)
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str):
        raise UsageError(f"{where} is not a record of ltc-ir", 'a record has "schema" and "kind"')
    name = kind if wanted is None else str(wanted.kind)
    if kind != name or name not in KINDS:
        raise _other_kind(where, kind, name)
    schema = data.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        hint = "upgrade ltc-ir, or write the record again"
        raise UsageError(f"{where} has schema {_shown(schema)}; this ltc-ir reads {SCHEMA}", hint)
    return from_data(data, wanted or record_class(name), where)


def loads_bytes(data: bytes, where: str, wanted: type[Record]) -> Record:
    """A record from the bytes of its file, as `loads`.

    Raises:
        UsageError: they are not UTF-8, or `loads` refuses them. LimitError: there are more than `MOST_BYTES`.
    """
    if len(data) > MOST_BYTES:
        raise LimitError(f"{where}: a record has at most {MOST_BYTES >> 20} MiB", "is it the right file?")
    return loads(decode(data, where, AGAIN), where, wanted)


def _other_kind(where: str, kind: str, name: str) -> UsageError:
    if name not in KINDS:
        return UsageError(f"{where} has the unknown kind {_shown(kind)}", f"kinds are {', '.join(KINDS)}")
    return UsageError(
        f"{where} is a record of kind {_shown(kind)}, not {name}", f"write one with ltc-ir {KINDS[name][1]}"
    )


def record_class(kind: str) -> type[Any]:
    """The class of a kind of record; its module is imported now."""
    module, _, name = KINDS[kind][0].partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def from_data(data: Any, kind: type[Record], where: str) -> Record:
    """A record, or a part of one, from JSON data in the documented shape.

    Raises:
        UsageError: it is damaged; the message begins with ``where``.
    """
    try:
        return convert(data, kind)
    except DamageError as error:
        raise UsageError(f"{where}: {error.in_words}", AGAIN) from error


def convert(data: Any, kind: type[Record], path: Path = ()) -> Record:
    """Data of the documented shape as what it is: a dataclass, or a mapping or tuple of them.

    Raises:
        DamageError: a field is missing, unknown or of another type; with the path to it, beginning with ``path``.
    """
    reader = _reader(kind)
    return _typed(data if reader is None else reader(data, path), kind, path)


@dataclass(frozen=True)
class _Plan:
    """What reading and writing need to know of a record's class, made once per class."""

    shape: Shape
    written: tuple[str, ...]
    hints: Mapping[str, Any]
    defaults: Mapping[str, Any]
    required: frozenset[str]
    versioned: bool
    to_json: bool
    from_json: bool

    @property
    def keys(self) -> list[str]:
        """The keys of its JSON."""
        names = [name for name in (*self.written, *self.shape.derived) if name != self.shape.spread]
        if self.shape.spread is not None:
            names += _plan(self.hints[self.shape.spread]).keys
        return [self.shape.renamed.get(name, name) for name in names]


def _make_plan(kind: Any) -> _Plan:
    shape: Shape = getattr(kind, "SHAPE", PLAIN)
    known = [one for one in fields(kind) if one.init]
    hints = get_type_hints(kind, include_extras=True)
    defaults = {one.name: to_data(_default(one)) for one in known}
    return _Plan(
        shape=shape,
        written=tuple(one.name for one in known if one.name != shape.key),
        hints={one.name: hints[one.name] for one in known},
        defaults=defaults,
        required=frozenset(one.name for one in known if one.default is MISSING and one.default_factory is MISSING),
        versioned=defaults.get("kind") in KINDS,
        to_json=hasattr(kind, "to_json"),
        from_json=hasattr(kind, "from_json"),
    )


_plan: Callable[[Any], _Plan] = cache(_make_plan)


def _default(one: Field[Any]) -> Any:
    return (
        one.default_factory() if one.default_factory is not MISSING else None if one.default is MISSING else one.default
    )


def _make_reader(kind: Any) -> _Reader | None:
    """What brings data of a type into the form of its fields, and refuses what msgspec does not; ``None`` for nothing."""
    if is_dataclass(kind):
        return partial(_read_record, kind)
    arguments = get_args(kind)
    origin = get_origin(kind)
    if origin is Annotated and isinstance(arguments[1], Check):
        return partial(_read_checked, arguments[1])
    if origin in {Union, UnionType}:
        return _make_union_reader(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis and (reader := _reader(arguments[0])):
        return partial(_read_list, reader)
    if _is_mapping(origin) and (reader := _reader(arguments[1])):
        shape = getattr(arguments[1], "SHAPE", PLAIN)
        return partial(_read_mapping, reader, shape.key)
    return None


_reader: Callable[[Any], _Reader | None] = cache(_make_reader)


def _read_checked(check: Check, value: Any, path: Path) -> Any:
    if not check.holds(value):
        raise DamageError(f"expected {check.expected}, not {_shown(value)}", path)
    return value


def _read_unless_none(reader: _Reader, value: Any, path: Path) -> Any:
    return None if value is None else reader(value, path)


def _make_union_reader(kinds: tuple[Any, ...]) -> _Reader | None:
    """What reads a value of one of several types: at most one mapping and one other that need a reader."""
    readers = [(kind, reader) for kind in kinds if kind is not NoneType and (reader := _reader(kind))]
    tables = [reader for kind, reader in readers if _is_mapping(get_origin(kind))]
    others = [reader for kind, reader in readers if not _is_mapping(get_origin(kind))]
    if tables and others:
        return partial(_read_table_or_other, tables[0], others[0])
    return partial(_read_unless_none, readers[0][1]) if readers else None


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _read_table_or_other(table: _Reader, other: _Reader, value: Any, path: Path) -> Any:
    """A value of a union of a mapping and another type."""
    return None if value is None else (table if isinstance(value, dict) else other)(value, path)


def _read_list(reader: _Reader, value: Any, path: Path) -> Any:
    return [reader(item, (*path, at)) for at, item in enumerate(value)] if isinstance(value, list) else value


def _read_mapping(reader: _Reader, key: str | None, value: Any, path: Path) -> Any:
    if not isinstance(value, dict):
        return value
    if key is not None:
        value = {name: {**item, key: name} if isinstance(item, dict) else item for name, item in value.items()}
    return {name: reader(item, (*path, name)) for name, item in value.items()}


def _read_record(kind: Any, value: Any, path: Path) -> Any:
    """The data of a record's fields, each there where it must be, and no other."""
    if not isinstance(value, dict):
        return value
    plan = _plan(kind)
    if plan.versioned:
        value = {key: item for key, item in value.items() if key != "schema"}
    data, failure = _reshaped(kind, dict(value), plan)
    for name in plan.hints:
        if name in plan.required and name not in data:
            raise DamageError(f"missing field {quoted(plan.shape.renamed.get(name, name))}", path)
    for name in data:
        if name not in plan.hints and not isinstance(failure, UnfitError):
            raise DamageError(f"unknown field {quoted(name)}", path, name)
    for name, hint in plan.hints.items():
        if name in data and (reader := _reader(hint)):
            data[name] = reader(data[name], path if name == plan.shape.spread else (*path, name))
    if failure is not None:
        missing = f"missing field {quoted(str(failure.args[0]))}" if isinstance(failure, KeyError) else None
        unfit = str(failure) if isinstance(failure, UnfitError) else "fields that do not fit together"
        raise DamageError(missing or unfit, path) from failure
    return data


def _reshaped(kind: type[Any], data: dict[str, Any], plan: _Plan) -> tuple[dict[str, Any], Exception | None]:
    """The inverse of what writing did after it had written the fields; with what the class's own method raised."""
    failure = None
    if plan.from_json:
        try:
            data = dict(kind.from_json(data.copy()))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            failure = error
    shape = plan.shape
    for name, key in shape.renamed.items():
        if key in data:
            data[name] = data.pop(key)
    for name in shape.derived:
        data.pop(name, None)
    if shape.spread is not None:
        inner = _plan(plan.hints[shape.spread]).keys
        data[shape.spread] = {name: data.pop(name) for name in inner if name in data}
    return data, failure


# --- types, by msgspec


def pack(record: Any) -> Any:
    """A record, losslessly, as JSON data for another process: all its fields, and nothing that follows from them."""
    import msgspec

    return msgspec.to_builtins(record, enc_hook=dict)


def unpack(data: Any, kind: type[Record], where: str) -> Record:
    """A record from what `pack` made.

    Raises:
        UsageError: it is not of that type; the message begins with ``where``.
    """
    try:
        return _typed(data, kind, ())
    except DamageError as error:
        raise UsageError(f"{where}: {error.in_words}") from error


def _typed(data: Any, kind: type[Record], path: Path) -> Record:
    import msgspec

    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        message, where = _first_wrong(data, kind, path) or (str(error), path)
        raise DamageError(_expected(message), where) from error


def _first_wrong(data: Any, kind: Any, path: Path) -> tuple[str, Path] | None:
    """What msgspec says of the innermost value that is not of its type, and where that is; ``None`` where all are."""
    import msgspec

    try:
        msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        found = (_first_wrong(item, inner, (*path, key)) for key, item, inner in _parts(data, kind))
        return next((one for one in found if one), (str(error).partition(" - at ")[0], path))
    return None


def _parts(data: Any, kind: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """The parts of a value, each with its key and its type."""
    arguments, origin = get_args(kind), get_origin(kind)
    if origin is Annotated:
        yield from _parts(data, arguments[0])
    elif origin in {Union, UnionType}:
        for one in arguments:
            yield from _parts(data, one)
    elif isinstance(data, dict) and is_dataclass(kind):
        plan = _plan(kind)
        for name in data.keys() & plan.hints.keys():
            part = data[name], plan.hints[name]
            yield from _parts(*part) if name == plan.shape.spread else [(name, *part)]
    elif isinstance(data, dict) and isinstance(origin, type) and issubclass(origin, Mapping):
        yield from ((name, item, arguments[1]) for name, item in data.items())
    elif isinstance(data, list) and origin in {tuple, list} and arguments[-1] is Ellipsis:
        yield from ((at, item, arguments[0]) for at, item in enumerate(data))


_TYPES = {"`": "", "object": "table", " | ": " or ", "array": "list", "str": "text", "bool": "true or false"}
"""The words for msgspec's names of types."""


def _expected(message: str) -> str:
    """``Expected `int`, got `str` `` in this tool's words: ``expected int, not text``."""
    for name, words in {**_TYPES, "Expected": "expected", ", got ": ", not "}.items():
        message = message.replace(name, words)
    return message[:1].lower() + message[1:]


def _shown(value: Any) -> str:
    """A value as a message shows it: short, on one line."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if type(value) is int and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"
