"""The registry of formats: what it names is there, is imported when used, and is all that a new format has to touch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ltc_ir.errors import UsageError
from ltc_ir.records.count import Count
from ltc_ir.render import formats
from ltc_ir.render.formats import FORMATS, Renderer, formats_in_words, renderer
from tests.compare.test_diff import GRADIENT

ENTRIES = [(kind, name) for kind, entries in FORMATS.items() for name in entries]


@pytest.mark.parametrize(("kind", "format"), ENTRIES)
def test_every_name_in_the_registry_can_be_imported(kind: str, format: str) -> None:
    entry = FORMATS[kind][format]
    assert callable(formats._load(entry.writer))
    assert entry.layout is None or callable(formats._load(entry.layout))


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        renderer("diff", "yaml")
    assert refused.value.message == "unknown format 'yaml'"
    assert refused.value.hint == "formats are table, json, csv, markdown"


def test_a_help_text_lists_the_formats_by_what_they_need() -> None:
    assert formats_in_words("listing") == "table, json, csv or markdown"
    assert formats_in_words("count", {"with --rule": "check", "with --sweep": "sweep"}) == (
        "table, json, csv or markdown; by stack also folded, speedscope or pprof; with --rule also junit or github; "
        "with --sweep also svg or png"
    )


def test_options_that_a_format_does_not_heed_are_ignored() -> None:
    assert FORMATS["count"]["csv"](GRADIENT, top=1, grad=True) == FORMATS["count"]["csv"](GRADIENT)
    assert FORMATS["count"]["markdown"](GRADIENT, top=1) != FORMATS["count"]["markdown"](GRADIENT)


def names_to_text(count: Count) -> str:
    """A format of this test: the names of the programs."""
    return "".join(f"{name}\n" for name in count.programs)


def test_a_new_format_is_a_renderer_and_its_line_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS["count"], "names", Renderer(f"{__name__}:names_to_text"))
    assert renderer("count", "names")(GRADIENT, top=3) == "forward\ngrad\n"
    assert formats_in_words("count").startswith("table, json, csv, markdown or names;")


def test_json_and_csv_of_a_count_load_no_rich_and_no_picture_library(tmp_path: Path) -> None:
    stored = tmp_path / "count.json"
    stored.write_text(FORMATS["count"]["json"](GRADIENT))
    code = (
        "import sys; from pathlib import Path; from ltc_ir.records.serialization import loads;"
        "from ltc_ir.render.formats import renderer;"
        f"count = loads(Path({str(stored)!r}).read_text());"
        "[renderer('count', name)(count) for name in ('json', 'csv', 'markdown')];"
        "sys.exit(str(sorted({'jax', 'numpy', 'pandas', 'rich', 'matplotlib', 'networkx'} & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
