"""The one registry of formats: for each kind of record, the renderer of every format it can be shown in.

Renderers are named by strings and imported when they are used, so that JSON loads no rich and a table no matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from ltc_ir.errors import UsageError

BY_STACK, WITH_PASSES = "by stack", "with --passes"
"""What a record must hold for some of its formats, as the help says it."""


class Renderer(NamedTuple):
    """Turns a record into text, bytes, or renderables for a terminal.

    ``writer`` and ``layout`` are named as ``module:function``. The writer takes what the layout returns for the record, or
    the record itself where there is no layout, and always gets ``settings``. ``options`` are the keywords that the layout
    (or, without one, the writer) takes; others are ignored, so that every format can be called alike. ``needs`` is what
    the record must hold.
    """

    writer: str
    layout: str | None = None
    options: tuple[str, ...] = ()
    settings: Mapping[str, Any] = {}
    needs: str = ""

    def __call__(self, record: Any, **options: Any) -> Any:
        """The record in this format.

        Raises:
            UsageError: the record does not hold what the format needs.
        """
        heeded = {name: value for name, value in options.items() if name in self.options}
        write = _load(self.writer)
        if self.layout is None:
            return write(record, **heeded, **self.settings)
        return write(_load(self.layout)(record, **heeded), **self.settings)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


JSON = Renderer("ltc_ir.records.serialization:dumps")
"""The JSON of a record."""


def json_of_several(kind: str, key: str) -> Renderer:
    """The JSON of a sequence of records: one as it is, several as one of that ``kind``, which lists them under ``key``."""
    return Renderer("ltc_ir.records.serialization:dumps_all", settings={"kind": kind, "key": key})


def tabular(layout: str, *options: str, json: Renderer | None = None) -> dict[str, Renderer]:
    """The formats that every record has.

    Args:
        layout: ``module:name``, where ``name_sheets`` lays a record out as blocks and ``name_rows`` as lines of CSV.
        options: the keywords of ``name_sheets``.
        json: the renderer of JSON, where `serialization.dumps` is not the one.
    """
    return {
        "table": Renderer("ltc_ir.render.table:to_table", f"{layout}_sheets", options),
        "json": json or JSON,
        "csv": Renderer("ltc_ir.render.tabular:to_csv", f"{layout}_rows"),
        "markdown": Renderer("ltc_ir.render.tabular:to_markdown", f"{layout}_sheets", options),
    }


def pictures(draw: str, layout: str | None = None, needs: str = "") -> dict[str, Renderer]:
    """The forms of a picture, drawn by a function that takes ``form``: one for a page, and one for print."""
    return {form: Renderer(draw, layout, settings={"form": form}, needs=needs) for form in ("svg", "png")}


FORMATS: dict[str, dict[str, Renderer]] = {
    "count": {
        **tabular("ltc_ir.render.layouts.count:count", "top", "grad"),
        "folded": Renderer("ltc_ir.render.folded:stacks_to_folded", needs=BY_STACK),
        "speedscope": Renderer("ltc_ir.render.speedscope:stacks_to_speedscope", needs=BY_STACK),
        "pprof": Renderer("ltc_ir.render.pprof:stacks_to_pprof", needs=BY_STACK),
    },
    "follow": tabular("ltc_ir.render.layouts.follow:follow", "top"),
    "diff": tabular("ltc_ir.render.layouts.diff:diff", "top"),
    "check": {
        **tabular("ltc_ir.render.layouts.check:check"),
        "markdown": Renderer("ltc_ir.render.comment:check_to_markdown"),
        "junit": Renderer("ltc_ir.render.junit:check_to_junit"),
        "github": Renderer("ltc_ir.render.github:check_to_github", options=("below",)),
    },
    "update": {
        **tabular("ltc_ir.render.layouts.check:update"),
        "markdown": Renderer("ltc_ir.render.comment:update_to_markdown"),
    },
    "snapshots": tabular(
        "ltc_ir.render.layouts.snapshot:snapshots",
        json=Renderer(JSON.writer, "ltc_ir.render.layouts.snapshot:snapshots_to_dict"),
    ),
    "time": {
        **tabular("ltc_ir.render.layouts.timing:timing", "top", json=json_of_several("times", "timings")),
        "folded": Renderer("ltc_ir.render.folded:timings_to_folded", needs=WITH_PASSES),
        "speedscope": Renderer("ltc_ir.render.speedscope:timings_to_speedscope", needs=WITH_PASSES),
        "chrome-trace": Renderer("ltc_ir.render.chrome_trace:timings_to_chrome_trace", needs=WITH_PASSES),
        **pictures("ltc_ir.plots.timing:timing_picture"),
    },
    "passes": {
        **tabular("ltc_ir.render.layouts.passes:passes", "top"),
        "folded": Renderer("ltc_ir.render.folded:passes_to_folded"),
        "speedscope": Renderer("ltc_ir.render.speedscope:passes_to_speedscope"),
        "chrome-trace": Renderer("ltc_ir.render.chrome_trace:passes_to_chrome_trace"),
    },
    "sweep": {
        **tabular("ltc_ir.render.layouts.sweep:sweep"),
        **pictures("ltc_ir.plots.sweep:sweep_picture"),
    },
    "listing": tabular(
        "ltc_ir.render.layouts.listing:listing",
        json=Renderer(JSON.writer, "ltc_ir.render.layouts.listing:listing_to_dict"),
    ),
}
"""``FORMATS[kind][format]``: how each kind of record can be shown. ``time`` and ``snapshots`` take a sequence of records."""


def renderer(kind: str, format: str) -> Renderer:
    """The renderer of a format of a kind of record.

    Its writer is imported at once: the code of a target, which may run next, could replace what it needs.

    Raises:
        UsageError: the kind has no such format; the hint lists those it has.
    """
    formats = FORMATS[kind]
    if format not in formats:
        raise UsageError(f"unknown format {format!r}", f"formats are {', '.join(formats)}")
    _load(formats[format].writer)
    return formats[format]


def formats_in_words(kind: str, more: Mapping[str, str] | None = None) -> str:
    """The formats of a kind of record, as a help text lists them: ``table, json, csv or markdown; by stack also folded``.

    Args:
        kind: the kind of record.
        more: other kinds that a command can show instead, by the option that asks for them, as in ``{"with --rule": "check"}``.
    """
    needs = dict.fromkeys(entry.needs for entry in FORMATS[kind].values())
    groups = {need: [name for name, entry in FORMATS[kind].items() if entry.needs == need] for need in needs}
    for option, other in (more or {}).items():
        groups[option] = [name for name in FORMATS[other] if name not in groups[""]]
    return "; ".join(f"{need} also {_listed(names)}" if need else _listed(names) for need, names in groups.items())


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
