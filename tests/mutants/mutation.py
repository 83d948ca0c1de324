"""Changes of a text or of bytes: of their structure (numbers, names, lines, nesting), their encoding and their bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

NUMBERS = (
    "-1", "0", "1", "2", "1.5", "3.0", "-0", "+1", "01", "1_0", "1e2", "1e400", "-1e400", "9" * 101, "9" * 5000,
    "0." + "9" * 5000, "0x1F", "0x" + "f" * 5000, "18446744073709551616", "٣", "²", "nan", "inf", "NaN", "Infinity", "true",
    "false", "null", '"3"', "[]", "{}", "1979-05-27", "",
)  # fmt: skip
"""What stands in a number's place."""
TEXTS = (
    '""', '"' + "n" * 5000 + '"', r'"\ud800"', r'"\u0000"', r'"\u001b[31m"', r'"\n::error::x"', r'"\u202e"', '"\x1b]0;x\x07"',
    '"=1+1"', '"]]>"', '"[bold]"', "'a'", '"é"', '"\udce9"', "null", "true", "3", "[]", "{}", '["a"]', '"a', 'a"', "mine:f",
    '"../../x"', '"~"', '"/dev/zero"', '"."', '":"',
)  # fmt: skip
"""What stands in a text's place."""
PIECES = (
    "[", "]", "{", "}", "(", ")", "<", ">", '"', "'", ",", ":", "=", ".", "..", "-", "+", "%", "#", "\\", "\\u", "\\ud800",
    "\n", "\r\n", "\r", "\t", "\0", "\x1b", "\u2028", "\ufeff", "é", "\U0001f600", "//", "/*", '"""', "'''", "null", "nan",
    "[" * 3000, "{" * 3000, '{"a":' * 3000, "a." * 3000 + "a=1", "x" * 5000, "9" * 5000, "\n[[a]]\n", "\n[a]\n", "<<<<<<< a\n",
    "%0", "@main", "loc(", "#loc", "tensor<", "stablehlo.while", "func.call @main() : () -> ()", "f32[", "->", ">=", "+5%",
)  # fmt: skip
"""What is put in anywhere."""
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|-?\d[\w.+-]*|[A-Za-z_][\w-]*|\s+|.', re.DOTALL)

Change = Callable[[str, random.Random], str]


def _token(text: str, chance: random.Random, begins: str) -> tuple[int, int] | None:
    """Where a token is that begins so."""
    places = [match.span() for match in TOKEN.finditer(text) if re.match(begins, match[0])]
    return chance.choice(places) if places else None


def _replaced(begins: str, values: Sequence[str]) -> Change:
    def change(text: str, chance: random.Random) -> str:
        place = _token(text, chance, begins)
        return text if place is None else text[: place[0]] + chance.choice(values) + text[place[1] :]

    return change


def _moved_token(text: str, chance: random.Random) -> str:
    """A token taken out, doubled, or put in another's place."""
    first, second = _token(text, chance, r"\S"), _token(text, chance, r"\S")
    if first is None or second is None:
        return text
    word = text[second[0] : second[1]]
    new = chance.choice(["", word, word + text[first[0] : first[1]], text[first[0] : first[1]] * 2])
    return text[: first[0]] + new + text[first[1] :]


def _moved_line(text: str, chance: random.Random) -> str:
    """A line or a few taken out, doubled, or put elsewhere."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at, size = chance.randrange(len(lines)), chance.choice([1, 1, 1, 2, 5])
    cut, rest = lines[at : at + size], lines[:at] + lines[at + size :]
    where = chance.randrange(len(rest) + 1)
    return "".join(chance.choice([rest, lines[:at] + cut * 2 + lines[at + size :], rest[:where] + cut + rest[where:]]))


def _put_in(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(PIECES) + text[at + chance.choice([0, 0, 1, 5]) :]


def _renamed(text: str, chance: random.Random) -> str:
    """A name with a character more, less or changed."""
    place = _token(text, chance, r'"|[A-Za-z_]')
    if place is None:
        return text
    at = chance.randrange(*place)
    return text[:at] + chance.choice(["", "x", "é", text[at] * 2, text[at].swapcase(), "-", "_"]) + text[at + 1 :]


def _nested(text: str, chance: random.Random) -> str:
    """A value in brackets, or in very many."""
    place = _token(text, chance, r'"|-?\d|[A-Za-z_]')
    if place is None:
        return text
    depth = chance.choice([1, 2, 50, 150, 5000])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}"), ("{a=", "}"), ("(", ")")])
    return text[: place[0]] + opening * depth + text[place[0] : place[1]] + closing * depth + text[place[1] :]


_TEXTUAL: Sequence[Change] = (
    _replaced(r"-?\d", NUMBERS),
    _replaced(r"-?\d", NUMBERS),
    _replaced('"', TEXTS),
    _moved_token,
    _moved_line,
    _put_in,
    _renamed,
    _nested,
)


def _of_bytes(data: bytes, chance: random.Random) -> bytes:
    """A bit flipped, bytes cut out, doubled or made up, or all that follows cut off."""
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice([1, 1, 2, 8, 60, 400]))
    flipped = bytes([data[start] ^ 1 << chance.randrange(8)]) + data[start + 1 : end] if start < len(data) else b""
    new = chance.choice([b"", flipped, flipped, data[start:end] * 2, chance.randbytes(min(8, end - start)), None])
    return data[:start] if new is None else data[:start] + new + data[end:]


def _encoded(data: bytes, chance: random.Random) -> bytes:
    """The text in another encoding, or with other ends of lines."""
    text = data.decode(errors="replace")
    return chance.choice(
        [
            b"\xef\xbb\xbf" + data,
            data.replace(b"\n", b"\r\n"),
            data.replace(b"\n", b"\r"),
            text.encode(chance.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"])),
            (text + "é").encode("latin-1", "replace"),
            data + b"\0" * chance.choice([1, 9]),
        ]
    )


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """One to four changes; sometimes the second half is that of another sample, sometimes the encoding is another."""
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        drawn = chance.random()
        if drawn < 0.15:
            data = _of_bytes(data, chance)
        elif drawn < 0.2:
            other = chance.choice(others)
            data = data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]
        elif drawn < 0.23:
            data = _encoded(data, chance)
        else:
            text = data.decode(errors="surrogateescape")
            data = chance.choice(_TEXTUAL)(text, chance).encode(errors="surrogateescape")
    return data
