"""How a snapshot stands in its file, made for review and merging: sorted TOML, one fact a line, read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from ltc_ir.errors import NewerSnapshotError, UsageError
from ltc_ir.records.element_types import parse_element_type
from ltc_ir.records.serialization import convert
from ltc_ir.records.shape import Check
from ltc_ir.records.signature import FIRST_ATTRIBUTION, LOOPS, PRODUCTS, Signature, TypedOperation, Value
from ltc_ir.records.snapshot import (
    IN_PROCESS,
    SCHEMA,
    TWICE,
    Acceptance,
    HloFacts,
    Identity,
    LevelFacts,
    Provenance,
    Snapshot,
)
from ltc_ir.records.strict.json import DamageError
from ltc_ir.records.strict.toml import MOST, File, checked, decoded, encoded, parsed, refusal, shown, text_of
from ltc_ir.records.vocabulary import Level, Phase

HEAD = """# ltc-ir snapshot: what the IR of one program holds, each operation once per call path.
# Written by `ltc-ir snapshot update`; after a merge conflict take either side and run it again.
"""

_METRICS: Mapping[str, tuple[str, ...]] = {"jaxpr": (), "stablehlo": ("lines", "constants.embedded.bytes")}
"""The figures that a level always has; a file that lost one would let it grow unseen."""

LEVELS = (Level.JAXPR.value, Level.STABLEHLO.value)
"""The levels that are held, in the order they are written."""

RESTORE = "restore the file from version control, or delete it and run `ltc-ir snapshot update`"
"""What helps where a snapshot cannot be read."""

_SETTLE = "settle it with either side, then run `ltc-ir snapshot update`"

_PHASES = tuple(phase.value for phase in Phase)
_MINOR = re.compile(r"\d+\.\d+")
_HEXADECIMAL = re.compile(r"[0-9a-f]{2,64}")
_VERSION = re.compile(r"\d+\.\d+[\w.+-]*", re.ASCII)
_SHAPE = re.compile(r"(?:\d+(?:,\d+)*)?|.*[A-Za-z_].*", re.ASCII)
"""What stands between the brackets of a type: sizes, or expressions of symbolic ones."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def dumps(snapshot: Snapshot) -> str:
    """A snapshot as its file holds it; equal snapshots give equal text. Counts of 0 are left out.

    The last line closes the file: one cut short anywhere is seen to be so, and no two branches change that line.
    """
    unsigned = {} if snapshot.unsigned is None else {"unsigned": snapshot.unsigned}
    blocks = [
        HEAD + _lines({"schema": SCHEMA, "kind": "snapshot", "target": snapshot.target, "program": snapshot.program})
        + _lines({"captured": snapshot.captured, "attribution": snapshot.attribution, **unsigned}),
        *_identity(snapshot.identity),
        _table(["provenance"], vars(snapshot.provenance)),
        *(f"[[accepted]]\n{_lines({'reason': one.reason, 'growth': one.growth})}" for one in snapshot.accepted),
    ]  # fmt: skip
    if snapshot.signature is not None:
        blocks += _signature(snapshot.signature)
    for level in LEVELS:
        if level in snapshot.levels:
            blocks += _facts(level, snapshot.levels[level], {})
    if snapshot.hlo is not None:
        made = {"jaxlib": snapshot.hlo.jaxlib, "device": snapshot.hlo.device}
        blocks += _facts(Level.HLO.value, snapshot.hlo.facts, made)
    blocks.append(_table(["end"], {"whole": True}))
    return "\n".join(blocks)


def _identity(identity: Identity) -> Iterator[str]:
    fields = {key: value for key, value in vars(identity).items() if key != "config"}
    yield _table(["identity"], fields)
    if identity.config:
        yield _table(["identity", "config"], _sorted(identity.config))


def _signature(signature: Signature) -> Iterator[str]:
    """A signature: arguments and results in their order, a value a line; then operations by function."""
    yield _table(["signature", "arguments"], {value.name: value.text for value in signature.arguments})
    yield _table(["signature", "results"], {value.name: value.text for value in signature.results})
    for name, values in (("statics", signature.statics), ("options", signature.options)):
        if values:
            yield _table(["signature", name], values)
    functions: dict[str, dict[str, object]] = {}
    for one in signature.operations:
        functions.setdefault(one.function, {})[f"{one.name} {one.types}"] = one.count
    for function, counts in sorted(functions.items()):
        yield _table(["signature", "operations", function], _sorted(counts))


def _facts(level: str, facts: LevelFacts, made: Mapping[str, object]) -> Iterator[str]:
    """A level: first the figures of the whole, which any change alters, then a block for each function."""
    hashes = {"fingerprint": facts.fingerprint, "structure": facts.structure}
    head = {**made, **hashes, "unstable": tuple(sorted(facts.unstable)) or None}
    yield _table([level], {key: value for key, value in head.items() if value is not None})
    reasons = {name: facts.reasons[name] for name in sorted(facts.unstable) if name in facts.reasons}
    if reasons:
        yield _table([level, "reasons"], reasons)
    if facts.metrics:
        yield _table([level, "metrics"], _sorted(facts.metrics))
    for phase in _PHASES:
        if counts := _sorted(facts.types.get(phase, {}), least=1):
            yield _table([level, "types", phase], counts)
    for phase, function in sorted(facts.ops, key=lambda block: (_PHASES.index(block[0]), block[1])):
        if counts := _sorted(facts.ops[phase, function], least=1):
            yield _table([level, "ops", phase, function], counts)


def _sorted(values: Mapping[str, object], least: int = 0) -> dict[str, object]:
    """Values by name, without the numbers below ``least``."""
    return {name: value for name, value in sorted(values.items()) if not isinstance(value, int) or value >= least}


def _table(path: Iterable[str], values: Mapping[str, object]) -> str:
    return f"[{'.'.join(map(_key, path))}]\n{_lines(values)}"


def _lines(values: Mapping[str, object]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in values.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) >= MOST:
            raise UsageError(
                "a count has more than 100 digits", "count less of the program: it nests hundreds of calls"
            )
        return str(value)
    if isinstance(value, tuple):
        return f"[\n{''.join(f'  {_quoted(item)},{chr(10)}' for item in value)}]" if value else "[]"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    """Text in quotes; whatever cannot be seen in a review (controls, line separators, direction marks) as an escape."""
    return f'"{"".join(map(_character, encoded(text)))}"'


def _character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isascii() or char.isprintable():
        return char if char.isprintable() else f"\\u{ord(char):04X}"
    return f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"


def loads(text: str, where: str) -> Snapshot:
    """The snapshot that a file's text holds.

    Raises:
        UsageError: it is cut short, in conflict, of a newer schema, or holds what no snapshot holds; the message begins
            with ``where``, and the line where that can be told.
    """
    data = decoded(checked(parsed(text, where, RESTORE, _SETTLE), where, RESTORE))
    if "schema" not in data and not text.startswith(HEAD[:10]):
        raise UsageError(f"{where}: no snapshot: it has no schema", RESTORE)
    newest = _migrated(data, where) if "schema" in data else data
    if newest.get("kind", "snapshot") != "snapshot":
        place = File(text, where).at(("kind",))
        raise UsageError(f"{place}: kind is {shown(newest['kind'])}, not snapshot", RESTORE)
    if newest.get("end") != {"whole": True}:
        raise UsageError(f"{where}: the file is cut short: its last line is missing", RESTORE)
    try:
        return _snapshot(convert(newest, _Layout))
    except DamageError as error:
        raise refusal(error, newest, File(text, where), RESTORE) from error


def loads_bytes(data: bytes, where: str) -> Snapshot:
    """The snapshot that a file's bytes hold; as `loads`.

    Raises:
        UsageError: it is not UTF-8, or `loads` refuses it. LimitError: it is too large.
    """
    return loads(text_of(data, where, RESTORE), where)


_Data = dict[str, Any]


def _from_0(data: _Data) -> _Data:
    """Schema 0, used before the first release, did not say how a snapshot was captured: once, in the process at hand."""
    return {**data, "captured": IN_PROCESS}


_STEPS: Mapping[int, Callable[[_Data], _Data]] = {0: _from_0}
"""For each older schema, what makes its data that of the next one."""


def _migrated(data: _Data, where: str) -> _Data:
    """Data in the schema of today.

    Raises:
        UsageError: a newer ltc-ir wrote it, or the schema is none there ever was.
    """
    schema = data.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise NewerSnapshotError(
            f"{where}: written by a newer ltc-ir: schema {shown(schema)}, and this one reads up to {SCHEMA}",
            "upgrade ltc-ir",
        )
    if type(schema) is not int or (schema != SCHEMA and schema not in _STEPS):
        raise UsageError(f"{where}: schema is {shown(schema)}, which no snapshot has", RESTORE)
    while schema < SCHEMA:
        data = _STEPS[schema](data)
        schema += 1
    return {**data, "schema": SCHEMA}


def _whole(least: int) -> Check:
    words = f"a whole number of {least} or more (at most 100 digits)"
    return Check(words, lambda value: type(value) is int and least <= value < MOST)


def _word(*words: str) -> Check:
    return Check(" or ".join(words), words.__contains__)


def _is_minor(value: Any) -> bool:
    return isinstance(value, str) and _MINOR.fullmatch(value) is not None


def _names_fact(value: Any) -> bool:
    """Whether a text names a fact that two captures can disagree on."""
    if not isinstance(value, str):
        return False
    kind, _, name = value.partition("|")
    return value == "fingerprint" or (kind in _FACTS and name.count("|") >= _FACTS[kind])


_FACTS = {"op": 2, "type": 1, "metric": 0}
"""The kinds of facts that an unstable one is named by, and how many bars there are at least behind it."""
_Hash = Annotated[str, Check("a hash", lambda value: isinstance(value, str) and _HEXADECIMAL.fullmatch(value))]
_Counts = Mapping[str, Annotated[int, _whole(1)]]


@dataclass(frozen=True)
class _Identity:
    """An `Identity` as a file holds it: every key is written, but for an empty ``config``."""

    jax: Annotated[str, Check("a minor version such as 0.10", _is_minor)]
    platform: str
    devices: Annotated[int, _whole(1)]
    x64: bool
    declaration: str
    arguments: str
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Level:
    """`LevelFacts` as a file holds them: ``types[phase][element type]``, ``ops[phase][function][name]``."""

    fingerprint: _Hash | None = None
    structure: _Hash | None = None
    unstable: tuple[Annotated[str, Check("the name of a fact", _names_fact)], ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Annotated[int, _whole(0)]] = field(default_factory=dict)
    types: Mapping[str, _Counts] = field(default_factory=dict)
    ops: Mapping[str, Mapping[str, _Counts]] = field(default_factory=dict)

    def facts(self, level: str) -> LevelFacts:
        """The facts of a level.

        Raises:
            DamageError: a phase is unknown, or a fact is missing that every capture has, and no two captures disagreed on.
        """
        for key, phases in {"ops": self.ops, "types": self.types}.items():
            for phase in phases:
                if phase not in _PHASES:
                    raise DamageError(f"{phase!r} is none of {', '.join(_PHASES)}", (level, key), phase)
        for metric in _METRICS.get(level, ()):
            if metric not in self.metrics and f"metric|{metric}" not in self.unstable:
                raise DamageError(f"the metric {metric} is missing", (level,), "metrics")
        if level in _METRICS and self.fingerprint is None and "fingerprint" not in self.unstable:
            raise DamageError("the fingerprint is missing", (level,))
        ops = {(phase, name): counts for phase, functions in self.ops.items() for name, counts in functions.items()}
        embedded, stored = (self.metrics.get(f"constants.{name}") for name in ("embedded.bytes", "bytes"))
        if embedded is not None and stored is not None and embedded > stored:
            raise DamageError(
                f"constants.embedded.bytes {embedded} are more than constants.bytes {stored}", (level, "metrics")
            )
        for name in self.reasons:
            if name not in self.unstable:
                raise DamageError(f"{shown(name)} has a reason and is not unstable", (level, "reasons"), name)
        return LevelFacts(
            ops, self.types, self.metrics, self.fingerprint, self.unstable, self.structure, reasons=self.reasons
        )


@dataclass(frozen=True, kw_only=True)
class _Hlo(_Level):
    jaxlib: str
    device: str


@dataclass(frozen=True, kw_only=True)
class _Signature:
    """A `Signature` as a file holds it: values by name, operations by function, name and types."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    statics: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    operations: Mapping[str, _Counts] = field(default_factory=dict)

    def signature(self) -> Signature:
        """The signature.

        Raises:
            DamageError: a value is not the type of an argument or a result.
        """
        operations = [
            TypedOperation(name, types, function, count)
            for function, counts in self.operations.items()
            for (name, _, types), count in ((key.partition(" "), count) for key, count in counts.items())
        ]
        arguments, results = (_values(key, getattr(self, key)) for key in ("arguments", "results"))
        return Signature(arguments, results, self.statics, self.options, tuple(operations))


def _values(key: str, texts: Mapping[str, str]) -> tuple[Value, ...]:
    values = []
    for name, text in texts.items():
        try:
            value = Value.parse(name, text)
            _check_type(value.type)
        except ValueError as error:
            raise DamageError(str(error), ("signature", key), name) from None
        values.append(value if key == "arguments" else replace(value, donated=None))
    return tuple(values)


def _check_type(text: str) -> None:
    """Refuse what is not the type of an argument or a result: ``f32[8,128]``; what is no array is called by its class.

    Raises:
        ValueError: it is none.
    """
    element_type, bracket, shape = text.partition("[")
    if not bracket and element_type.isidentifier():
        return
    known = parse_element_type(element_type) is not None or element_type in _OTHER_TYPES
    if not (known and shape.endswith("]") and _SHAPE.fullmatch(shape[:-1])):
        raise ValueError(f"{shown(text)} is not the type of an argument or result")


_OTHER_TYPES = frozenset({"f0", "str", "object"})
"""Element types that JAX has besides those that rules know: ``float0``, the type of a gradient that there is none of."""


@dataclass(frozen=True)
class _Layout:
    """All that a file holds."""

    schema: int
    kind: Annotated[str, _word("snapshot")]
    target: str
    program: str
    captured: Annotated[str, _word(TWICE, IN_PROCESS)]
    identity: _Identity
    provenance: Provenance
    jaxpr: _Level
    stablehlo: _Level
    end: Mapping[str, bool]
    hlo: _Hlo | None = None
    accepted: tuple[Acceptance, ...] = ()
    signature: _Signature | None = None
    unsigned: str | None = None
    attribution: Annotated[int, _whole(1)] = FIRST_ATTRIBUTION


def _check_versions(layout: _Layout) -> None:
    """Refuse releases that are none.

    Raises:
        DamageError: one is none.
    """
    for name, version in vars(layout.provenance).items():
        if not _VERSION.fullmatch(version):
            raise DamageError(f"{shown(version)} is no release", ("provenance",), name)


_ALWAYS_TYPED = sorted(PRODUCTS | LOOPS)
"""The operations whose types every signature holds."""


def _check_operations(signature: Signature, facts: LevelFacts) -> None:
    """Refuse a signature that lacks the types of operations, or has more than the jaxpr.

    Raises:
        DamageError: the numbers differ.
    """
    for name in _ALWAYS_TYPED:
        typed = sum(one.count for one in signature.operations if one.name == name)
        counted = sum(counts.get(name, 0) for counts in facts.ops.values())
        if typed != counted:
            raise DamageError(
                f"{name} has types for {typed}, and [jaxpr.ops] counts {counted}", ("signature", "operations")
            )


def _snapshot(layout: _Layout) -> Snapshot:
    hlo = layout.hlo
    _check_versions(layout)
    levels = {level: getattr(layout, level).facts(level) for level in LEVELS}
    signature = None if layout.signature is None else layout.signature.signature()
    if signature is not None:
        _check_operations(signature, levels[Level.JAXPR.value])
    return Snapshot(
        target=layout.target,
        program=layout.program,
        identity=Identity(**vars(layout.identity)),
        provenance=layout.provenance,
        levels=levels,
        hlo=None if hlo is None else HloFacts(hlo.jaxlib, hlo.device, hlo.facts(Level.HLO.value)),
        accepted=layout.accepted,
        captured=layout.captured,
        signature=signature,
        attribution=layout.attribution,
        unsigned=layout.unsigned,
    )
