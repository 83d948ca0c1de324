"""What the documentation shows is what the commands print, and it names everything there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jax
import pytest

import ltc_ir
from tests.docs_blocks import PAGES, matches, run, steps, updated
from tests.quick_compile import VARIABLES

pytestmark = pytest.mark.early

ROOT = Path(__file__).resolve().parents[2]
SHOWN_ON = "0.10.2"
"""The JAX whose outputs the pages show; it is the one in constraints.txt."""
HAS_OUTPUTS = [page for page in PAGES if steps(page)]


@pytest.mark.parametrize("page", HAS_OUTPUTS)
def test_commands_print_what_the_page_shows(page):
    if jax.__version__ != SHOWN_ON:
        pytest.skip(f"the pages show outputs of JAX {SHOWN_ON}")
    shown = steps(page)
    try:
        for step in shown:
            code, actual = run(step.command, step.folder, **VARIABLES)
            assert code in (0, 1), f"{page}: {step.command} ended with {code}"
            assert matches(step.shown, actual), f"{page}: $ {step.command}\n" + "\n".join(actual[:60])
    finally:
        for step in shown:
            if step.command.startswith("rm "):
                run(step.command, step.folder)  # a page that fails half-way leaves nothing behind


def test_the_comparison_can_fail():
    assert matches(("a", "…", "c"), ["a", "b", "b", "c"])
    assert not matches(("a", "…", "c"), ["a", "b"])
    assert not matches(("a",), ["a", "b"])
    assert updated(("a", "…"), ["x", "y", "z"]) == ["x", "…"]


def test_the_pinned_jax_is_the_one_the_pages_show():
    assert f"jax=={SHOWN_ON}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert ((ROOT / page).parent / link).exists(), f"{page} links to {link}"


def test_the_map_in_contributing_is_made_of_the_module_heads():
    from tests.house_map import house_map

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert house_map() in text, "run python -m tests.house_map --update"


def test_the_changelog_names_this_version():
    assert f"## {ltc_ir.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_public_names_exist_and_are_documented():
    for name in ltc_ir.__all__:
        assert getattr(ltc_ir, name).__doc__, name


def test_the_table_of_published_figures_is_the_reference():
    reference = json.loads((ROOT / "tests/reference/seed_ir.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/counting.md").read_text(encoding="utf-8")
    for version, row in reference["other_versions"].items():
        if isinstance(row, dict):
            figures = [row[name][key] for name in ("rollout", "grad") for key in ("eqns", "lines", "while")]
            shown = "| {:,}, {:,}, {} | {:,}, {:,}, {} |".format(*figures)
            assert f"| {version.removesuffix('.1')} {shown}" in page


def test_the_page_of_messages_is_made_of_the_goldens():
    from tests.messages_page import PAGE, entries, page

    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.messages_page --update"
    assert {2, 4} <= entries().keys()
