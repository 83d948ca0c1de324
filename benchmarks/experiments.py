"""The published experiments of docs/experiments.md run again by one command: writes its tables, data and pictures."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.profiling import DATA, ROOT, filled
from ltc_ir.lab.layouts import experiment_rows, experiment_sheets, format_distribution, format_number
from ltc_ir.lab.plans import Settings
from ltc_ir.lab.plots.experiment_plot import experiment_picture
from ltc_ir.lab.records import Experiment, Row
from ltc_ir.records.serialization import dumps_all, from_data
from ltc_ir.render.tabular import to_csv, to_markdown

PAGE = ROOT / "docs" / "experiments.md"
STORED = DATA / "experiments.json"
PICTURES = ROOT / "docs" / "pictures"
COMMAND = "ltc-ir experiment all --seeds 20"


def read(text: str) -> list[Experiment]:
    """Experiments from the JSON that lists them."""
    return [from_data(one, Experiment, STORED.name) for one in json.loads(text)["experiments"]]


def stored() -> list[Experiment]:
    """The experiments that were kept."""
    return read(STORED.read_text(encoding="utf-8"))


def run(folder: str) -> list[Experiment]:
    """What the command gives, from trainings kept in a folder."""
    command = [
        sys.executable,
        "-m",
        "ltc_ir_cli",
        *shlex.split(COMMAND)[1:],
        "--dir",
        folder,
        "--format",
        "json",
        "--quiet",
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return read(done.stdout)


def blocks(made: Sequence[Experiment]) -> dict[str, str]:
    """What stands between the markers of the page."""
    tables = {}
    for one in made:
        text = to_markdown(experiment_sheets([one]))
        assert isinstance(text, str)
        tables[one.name] = text.replace("\n### ", "\n#### ").replace("### ", "#### ", 1).strip()
    return {
        **tables,
        "command": f"```sh\n{COMMAND}\n```",
        "inside": "\n".join(inside(made)),
        "outside": "\n".join(outside(made)),
    }


def inside(made: Sequence[Experiment]) -> Iterator[str]:
    """Per experiment and model how many published values lie in our interval, and how they lie taken together."""
    yield "| experiment | model | published values | inside | seeds farther than they are, together |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for one in made:
        for model in one.together:
            farther = f"{model.farther} of {model.seeds}"
            yield f"| {one.name} | {model.model} | {model.published} | {model.inside} | {farther} |"
    held = [row for one in made for row in one.rows if row.published is not None]
    yield f"| all | | {len(held)} | {sum(bool(row.inside) for row in held)} | |"


def outside(made: Sequence[Experiment]) -> Iterator[str]:
    """The published values that lie outside, and how far beyond the nearer end of the interval."""
    yield "| experiment | case | published | ours: median, 90 % of the seeds | beyond it by |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for one in made:
        for row in one.rows:
            if row.published is not None and not row.inside:
                what = " ".join(
                    filter(None, (row.case, row.variant, row.model, "" if row.metric == "mse" else row.metric))
                )
                cells = (
                    one.name,
                    what,
                    format_number(row.published, row.metric),
                    format_distribution(row),
                    _beyond(row),
                )
                yield f"| {' | '.join(cells)} |"


def _beyond(row: Row) -> str:
    """How far a published value lies beyond the nearer end: in percent of that end, or in times it."""
    assert row.published is not None
    end = row.low if row.published < row.low else row.high
    share = abs(row.published - end) / abs(end)
    return f"{share:.2g} times" if share >= 1 else f"{100 * share:.2g} %"


def picture(name: str, dark: bool) -> Path:
    """The file of a picture, such as ``experiment-base`` or ``figure-tau``."""
    return PICTURES / f"{name}-{'dark' if dark else 'light'}.svg"


def draw(made: Sequence[Experiment], folder: Path) -> Iterator[str]:
    """Draw each experiment, and the figures of the text where all their trainings are kept in the folder; their names."""
    from ltc_ir.lab.plots.publication_figures import FIGURES, untrained

    PICTURES.mkdir(exist_ok=True)
    for one in made:
        for dark in (False, True):
            picture(f"experiment-{one.name}", dark).write_bytes(experiment_picture(one, "svg", dark))
        yield f"experiment-{one.name}"
    settings = settings_of(made[0])
    if untrained(settings, folder):
        return
    for name, figure in FIGURES.items():
        for dark in (False, True):
            picture(f"figure-{name}", dark).write_bytes(figure(folder, settings, "svg", dark))
        yield f"figure-{name}"


def settings_of(one: Experiment) -> Settings:
    """The seeds and epochs that an experiment was run with."""
    seeds, first, epochs = (int(str(one.settings[key])) for key in ("seeds", "first seed", "epochs"))
    return Settings(tuple(range(first, first + seeds)), epochs, noisy=one.settings["data"] == "noisy")


def main() -> None:
    """Run, and print the tables or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write data, pictures and the page")
    parser.add_argument("--stored", action="store_true", help="run nothing: write all from what was kept")
    parser.add_argument("--dir", default="experiments", help="where trainings are kept; figures need all of them")
    options = parser.parse_args()
    made = stored() if options.stored else run(options.dir)
    if not options.update:
        print("\n\n".join(blocks(made).values()))
        return
    STORED.write_text(dumps_all(made, "experiments", "experiments"), encoding="utf-8")
    STORED.with_suffix(".csv").write_text(to_csv(experiment_rows(made)), encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), blocks(made)), encoding="utf-8")
    print(f"drawn: {', '.join(draw(made, Path(options.dir)))}")


if __name__ == "__main__":
    main()
