"""Text from outside made fit for people to read: one escaper and one cap for names and messages in every format.

A name or a message of somebody else may hold what a terminal obeys, what hides or reorders text, or what a CI takes for a
command of its log. Data (JSON, CSV with ``--raw-csv``) keep names as they are.
"""

from __future__ import annotations

import re

MESSAGE, CELL, DETAIL = 2_000, 500, 100_000
"""Characters of a message, of a table's cell and of a traceback that are shown at most."""

_INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Controls, bidirectional marks, separators, what has no width, and surrogates; a fixed list, equal on every Python."""
_UNSAFE = re.compile(f"[{_INVISIBLE}]|##(?=\\[|vso\\[|teamcity\\[)")
_UNSAFE_IN_JSON = re.compile(f"[{_INVISIBLE.replace(chr(0) + '-' + chr(31), '')}]|##(?=\\[|vso\\[|teamcity\\[)")
_UNSAFE_IN_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_COMMAND = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*):(?=:)", re.MULTILINE)
"""How GitHub's workflow commands begin: at the beginning of a line, after any white space."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _spell(unsafe: re.Match[str]) -> str:
    char = unsafe[0][0]
    return r"\x23#" if char == "#" else _SHORT.get(char) or char.encode("unicode_escape").decode("ascii")


def escape(text: str) -> str:
    r"""Text as one line that nothing obeys: a control character is spelled ``\x1b``, a newline ``\n``.

    ``##[`` of GitHub and Azure, ``##vso[`` and ``##teamcity[`` are obeyed anywhere in a line, ``::`` at its beginning; their
    first character is spelled too.
    """
    if text.isascii() and text.isprintable() and "##" not in text and "::" not in text:
        return text
    return inert_lines(_UNSAFE.sub(_spell, text))


def escape_lines(text: str) -> str:
    """Text of several lines, each as `escape` returns it; its newlines and its indentation are kept."""
    return inert_lines(visible_lines(text))


def visible_lines(text: str) -> str:
    """Text of several lines without what a terminal obeys or does not show; tabs at the beginning of a line are spaces."""
    return _UNSAFE_IN_LINES.sub(_spell, re.sub(r"(?m)^\t+", _as_spaces, text))


def _as_spaces(tabs: re.Match[str]) -> str:
    return "    " * len(tabs[0])


def inert_lines(text: str) -> str:
    """Lines none of which a CI takes for a command."""
    return _COMMAND.sub(r"\1\\x3a", text) if "::" in text else text


def escape_message(text: str) -> str:
    """A message as one line: capped, white space as single spaces, then escaped."""
    return escape(" ".join(re.split(r"[ \t\r\n]+", capped(text)))).strip()


def quote(word: str) -> str:
    r"""A word as it is pasted into bash or zsh: as `shlex.quote` has it, or ``$'…\x1b…'`` where it cannot be shown as it is."""
    if escape(word) == word:
        import shlex

        return shlex.quote(word)
    text = word.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{_UNSAFE.sub(_spell_for_shell, text)}'"


def _spell_for_shell(unsafe: re.Match[str]) -> str:
    r"""A character between ``$'`` and ``'``, where ``\x`` is followed by a byte; a surrogate is a byte of a file's name."""
    number = ord(unsafe[0][0])
    if unsafe[0][0] == "#" or number < 0x80:
        return _spell(unsafe)
    if 0xDC80 <= number <= 0xDCFF:
        return rf"\x{number - 0xDC00:02x}"
    return rf"\u{number:04x}" if number < 0x10000 else rf"\U{number:08x}"


def escape_json(text: str) -> str:
    r"""JSON text in which strings spell as ``\u009b`` what a terminal obeys or does not show; it holds the same data.

    JSON itself spells controls below a space only; outside of strings it holds no other character of these.
    """
    return _UNSAFE_IN_JSON.sub(_spell_json, text)


def _spell_json(unsafe: re.Match[str]) -> str:
    char = unsafe[0][0]
    if char == "#":
        return r"\u0023#"
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def capped(text: str, most: int = MESSAGE) -> str:
    """At most ``most`` characters: of longer text both ends, and how long it is."""
    if len(text) <= most:
        return text
    note, end = f"… ({len(text):,} characters) …", most // 4
    return f"{text[: most - end - len(note)]}{note}{text[len(text) - end :]}"


def indented(text: str, most: int = DETAIL) -> str:
    """A traceback or other detail of several lines, capped and escaped, each line behind a bar."""
    lines = escape_lines(capped(text, most).replace("\r\n", "\n")).rstrip("\n").split("\n")
    return "".join(f"  | {line}".rstrip() + "\n" for line in lines)
