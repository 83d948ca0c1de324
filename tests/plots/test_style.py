"""Pictures are valid, alike each time, the same whatever a user set, and their texts and ticks can be read."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from ltc_ir.plots import style
from ltc_ir.plots.panels import MOST, axis_limits, choose_ticks, labels_that_fit, tick_label
from ltc_ir.plots.sweep import sweep_picture
from ltc_ir.plots.timing import timing_picture
from ltc_ir.records.sweep import BYTES, OPERATIONS, SECONDS
from tests.plots.reading import faults, figure_of
from tests.plots.records import sweep, timing

pytestmark = pytest.mark.early

ODD = "a$x$ <b>&-- 漢 \n\x07"
PICTURES = {"sweep": lambda *how: sweep_picture(sweep(), *how), "timing": lambda *how: timing_picture([timing()], *how)}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("dark", [False, True])
def test_an_svg_is_one(name: str, dark: bool):
    made = PICTURES[name]("svg", dark)
    assert ET.fromstring(made).tag == "{http://www.w3.org/2000/svg}svg"
    assert (style.DARK if dark else style.LIGHT).paper.encode() in made
    assert b"<text" not in made, "text as outlines looks the same anywhere"
    assert b"<dc:date>" not in made


@pytest.mark.parametrize("name", PICTURES)
def test_a_png_has_two_dots_for_each_of_a_browser(name: str):
    made = PICTURES[name]("png")
    assert made.startswith(b"\x89PNG\r\n\x1a\n")
    across, _ = struct.unpack(">II", made[16:24])
    points = float(ET.fromstring(PICTURES[name]("svg")).attrib["width"].removesuffix("pt"))
    assert across == pytest.approx(points / 72 * 192, abs=1)


@pytest.mark.parametrize("name", PICTURES)
def test_another_form_is_refused(name: str):
    with pytest.raises(ValueError, match="svg or png, not 'pdf'"):
        PICTURES[name]("pdf")


@pytest.mark.parametrize("form", style.FORMS)
@pytest.mark.parametrize("name", PICTURES)
def test_the_bytes_are_the_same_each_time_and_under_any_settings(name: str, form: str):
    first = PICTURES[name](form)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": False, "svg.fonttype": "none"}):
        assert PICTURES[name](form) == first
        assert mpl.rcParams["font.size"] == 30
    code = (
        "from tests.plots.test_style import PICTURES; import sys;"
        "sys.stdout.buffer.write(PICTURES[sys.argv[1]](sys.argv[2]))"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code, name, form], capture_output=True, check=True).stdout
    assert elsewhere == first


def test_odd_names_make_a_valid_picture_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for made in (timing_picture([timing(ODD)]), sweep_picture(sweep(programs=(ODD,)))):
            ET.fromstring(made)


def test_pyplot_is_never_imported():
    code = (
        "import sys; from tests.plots.test_style import PICTURES; [draw('png') for draw in PICTURES.values()];"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("look", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_what_is_drawn_stands_out_from_the_paper(look: style.Look):
    """By the contrast ratio of WCAG 2: 4.5 for text, 3 for lines."""
    assert all(_contrast(color, look.paper) >= 4.5 for color in (look.ink, look.quiet, look.loud))
    assert all(_contrast(color, look.paper) >= 3 for color in look.series)


def _contrast(one: str, two: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_series_differ_in_more_than_colour():
    ways = list(zip(style.MARKERS, map(str, style.STROKES), strict=True))
    assert (
        len(set(style.MARKERS))
        == len({stroke for _, stroke in ways})
        == len(style.LIGHT.series)
        == len(style.MARKER_SIZES)
    )


def test_text_is_cut_to_what_fits():
    long = "module.of.a.user:a_function_with_a_long_name"
    made = style.shorten_middle(long, 1.5)
    assert style.width(made) <= 1.5
    assert "…" in made
    assert made[0] == "m"
    assert made[-4:] == "name"
    assert style.shorten_middle("short", 1.5) == "short"
    assert all(style.width(line, style.SMALL) <= 2 for line in style.wrap("words and words " * 9, 2))
    assert " ".join(style.wrap("words and words", 1)) == "words and words"
    assert style.shorten_end("words and words", 3) == "words and words"
    assert style.shorten_end("words and words " * 9, 1).endswith(" …")


@pytest.mark.parametrize("unit", [OPERATIONS, SECONDS, BYTES])
@pytest.mark.parametrize("figures", [(5.0,), (3.0, 4.0), (1e-9, 1e-8), (8.0, 1e6), (1e-9, 1e12), (1.0, 1e30)])
def test_an_axis_has_two_ticks_at_least_and_few_enough(unit: str, figures: tuple[float, ...]):
    low, high = axis_limits(figures)
    made = choose_ticks(low, high, unit)
    assert low < min(figures)
    assert max(figures) < high
    assert 2 <= len(made) <= MOST
    labels = [tick_label(tick, unit) for tick in made]
    assert len(set(labels)) == len(labels)


def test_ticks_in_words():
    assert [tick_label(tick, OPERATIONS) for tick in (1, 1.5, 2000, 1e6, 1e9, 5e9)] == [
        "1",
        "1.5",
        "2,000",
        "1,000,000",
        "10⁹",
        "5·10⁹",
    ]
    assert [tick_label(tick, SECONDS) for tick in (2e-9, 1e-5, 0.02, 1, 500)] == [
        "2 ns",
        "10 µs",
        "20 ms",
        "1 s",
        "500 s",
    ]
    assert [tick_label(tick, BYTES) for tick in (64, 1024, 2**16, 2**30)] == ["64 B", "1 KiB", "64 KiB", "1 GiB"]


def test_labels_that_would_lie_on_one_another_are_left_out():
    assert labels_that_fit([8, 16, 32], lambda value: value, 8) == [8, 16, 32]
    assert labels_that_fit([100, 101, 102, 500], lambda value: value / 100, 8) == [100, 500]


def test_the_search_for_faults_finds_them():
    def overlapping(look: style.Look):
        page = style.Picture(3, 1, look)
        page.write(0.2, 0.2, "one text")
        page.write(0.3, 0.25, "another")
        page.write(2.8, 0.7, "out of the paper")
        return page.figure

    assert faults(figure_of(overlapping)) == ["out of the paper", "one text / another"]
