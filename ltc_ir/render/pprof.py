"""Prints a count by stack as a pprof profile: gzipped protocol buffers, written by hand because they are few and small.

The fields are those of ``profile.proto`` (github.com/google/pprof); of one program, the same bytes every time.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator

from ltc_ir.escape import escape
from ltc_ir.records.count import Count, Tally
from ltc_ir.render.folded import counted_stacks

_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRINGS, _COMMENT = 1, 2, 4, 5, 6, 13
_LINE = re.compile("[1-9][0-9]*")
_VARINT, _BYTES = 0, 2
"""The wire types of a number and of what has a length."""


def stacks_to_pprof(count: Count) -> bytes:
    """A sample for each stack and phase, labelled with the phase; its value is the number of operations.

    Raises:
        UsageError: the count is not grouped by stack, or holds more than one program and level.
    """
    profile = _Profile("operations", "count")
    for key, tally in counted_stacks(count, "pprof"):
        for phase, number in _by_phase(tally):
            profile.sample(key.split(";"), number, phase)
    level = next(iter(next(iter(count.programs.values()))))
    profile.comment(f"ltc-ir count {count.target} {next(iter(count.programs))} {level}, JAX {count.environment.jax}")
    return gzip.compress(profile.written(), mtime=0)


def _by_phase(tally: Tally) -> Iterator[tuple[str | None, int]]:
    """The operations of each phase; all of them without one where the phases are not known."""
    phases = {phase: tally.phase_total(phase) for phase in tally.phases}
    if sum(phases.values()) == tally.total:
        yield from phases.items()
    else:
        yield None, tally.total


class _Profile:
    """A profile while it is made: every string, function and location is written once and known by its number."""

    def __init__(self, what: str, unit: str) -> None:
        self.strings: dict[str, int] = {"": 0}
        self.locations: dict[str, int] = {}
        self.functions: dict[str, int] = {}
        self.parts: list[bytes] = []
        self.comments: list[bytes] = []
        self.types = _field(_SAMPLE_TYPE, _number(1, self.string(what)) + _number(2, self.string(unit)))

    def string(self, text: str) -> int:
        return self.strings.setdefault(escape(text), len(self.strings))

    def sample(self, stack: Iterable[str], value: int, phase: str | None) -> None:
        """Add a stack, outermost first; pprof keeps the innermost first."""
        where = _packed(1, [self.location(frame) for frame in stack][::-1])
        label = b""
        if phase is not None:
            label = _field(3, _number(1, self.string("phase")) + _number(2, self.string(phase)))
        self.parts.append(_field(_SAMPLE, where + _packed(2, [value]) + label))

    def location(self, frame: str) -> int:
        """The number of a frame ``module:function:line``."""
        number = self.locations.get(frame)
        if number is None:
            number = self.locations[frame] = len(self.locations) + 1
            name, _, last = frame.rpartition(":")
            function, line = (name, int(last)) if name and _LINE.fullmatch(last) else (frame, 0)
            inner = _number(1, self.function(function)) + _number(2, line)
            self.parts.append(_field(_LOCATION, _number(1, number) + _field(4, inner)))
        return number

    def function(self, name: str) -> int:
        """The number of a function; its file is what stands before the last colon of its name."""
        number = self.functions.get(name)
        if number is None:
            number = self.functions[name] = len(self.functions) + 1
            called, file = self.string(name), self.string(name.rpartition(":")[0])
            fields = _number(1, number) + _number(2, called) + _number(3, called) + _number(4, file)
            self.parts.append(_field(_FUNCTION, fields))
        return number

    def comment(self, text: str) -> None:
        self.comments.append(_number(_COMMENT, self.string(text)))

    def written(self) -> bytes:
        strings = (_field(_STRINGS, text.encode()) for text in self.strings)
        return b"".join((self.types, *self.parts, *strings, *self.comments))


def _varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first; all but the last have their high bit set."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _number(field: int, value: int) -> bytes:
    """A field that is a number; 0 is what an absent one means."""
    return _varint(field << 3 | _VARINT) + _varint(value) if value else b""


def _field(field: int, content: bytes) -> bytes:
    """A field that is a message, a string or packed numbers."""
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _field(field, b"".join(map(_varint, values)))
