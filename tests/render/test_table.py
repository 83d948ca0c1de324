"""Text without colours is laid out without rich exactly as rich lays it out, or left to rich."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltc_ir.render.sheet import BLANK, Block, Message, Sheet, Styled, message
from ltc_ir.render.table import plain_text, to_table

WIDTH = 60


def by_rich(blocks: list[Block]) -> list[str]:
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=WIDTH, no_color=True, highlight=False)
    for printable in to_table(blocks):
        console.print(printable)
    return [line.rstrip() for line in text.getvalue().split("\n")]


def by_hand(blocks: list[Block]) -> list[str] | None:
    text = plain_text(to_table(blocks), WIDTH)
    return None if text is None else [line.rstrip() for line in text.split("\n")]


words = st.text(
    st.one_of(st.sampled_from(" ab:[]/\\±×…→─é\u0416\t\n\u4f60\u200d\U0001f600\u0301"), st.characters(codec="utf-8")),
    max_size=12,
)
cells = st.one_of(
    st.none(), st.integers(-5, 10**7), st.floats(0, 1e6), words, words.map(lambda text: Styled(text, "bold"))
)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    columns = draw(st.lists(words, min_size=1, max_size=4).map(tuple))
    row = st.tuples(*(cells for _ in columns))
    rows = tuple(draw(st.lists(row, max_size=4)))
    rules = draw(st.frozensets(st.integers(0, 4), max_size=2))
    text_columns = draw(st.sampled_from([1, 2, None]))
    return Sheet(draw(words), columns, rows, tuple(draw(st.lists(words, max_size=2))), rules, text_columns)


messages = st.lists(st.lists(words.map(Styled)).map(tuple), min_size=1, max_size=3).map(
    lambda lines: Message(tuple(lines))
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.one_of(sheets(), messages), max_size=3))
def test_plain_text_is_what_rich_prints(blocks: list[Block]) -> None:
    plain = by_hand(blocks)
    assert plain is None or plain == by_rich(blocks)


COUNT = Sheet(
    "mine: forward", ("op", "count", "grad: forward"), (("total", 1234, None), ("dot_general ", 0.5, 2.0)), ("a note",),
    frozenset({1}),
)  # fmt: skip


def test_a_usual_sheet_is_laid_out_without_rich() -> None:
    blocks = [COUNT, BLANK, message((Styled("ok", "green"), Styled(": all")))]
    assert by_hand(blocks) == by_rich(blocks) == [
        "mine: forward",
        "",
        " op                 count   grad: forward",
        " " + "─" * 40,
        " total              1,234",
        "",
        " dot_general          0.5               2",
        "",
        "  a note",
        "",
        "",
        "ok: all",
        "",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x" * WIDTH, "\u4f60", "\U0001f600", "\u3000"])
def test_what_is_not_plain_is_left_to_rich(text: str) -> None:
    assert by_hand([Sheet("title", ("op",), ((text,),))]) is None


@pytest.mark.parametrize("title", ["[bold]", ":smile:", "a\\"])
def test_a_column_title_that_rich_reads_as_markup_is_left_to_rich(title: str) -> None:
    assert by_hand([Sheet("title", ("op", title), ())]) is None


def test_a_piped_table_imports_no_rich() -> None:
    code = "import sys; from ltc_ir_cli.app import main; main(['targets']); sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
