"""The ``experiment`` command: runs the published experiments over seeds and compares them with the published values."""

# A command's options are read from its signature; an option that acts through its callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ltc_ir.errors import UsageError
from ltc_ir.lab.layouts import OF_ONE
from ltc_ir.render.formats import Renderer, renderer
from ltc_ir_cli import options as opt
from ltc_ir_cli.console import say, stdout_is_data
from ltc_ir_cli.emit import emit
from ltc_ir_cli.parameters import Argument, Option
from ltc_ir_cli.progress import steps

if TYPE_CHECKING:
    from ltc_ir.lab.experiment_runs import WrittenFile

Name = Annotated[
    str,
    Argument(
        metavar="NAME",
        help="base, switch, transfer, extrapolation, noise, tau, mdl, attractor, or all; figures (of the text), data",
        show_default=False,
    ),
]
Seeds = Annotated[int, Option("--seeds", metavar="N", min=1, help="How many seeds, counted from 42")]
Epochs = Annotated[int, Option("--epochs", metavar="N", min=1, help="Epochs of each training")]
TrajectorySeeds = Annotated[
    int, Option("--trajectory-seeds", metavar="N", min=0, help="Seeds with Omega along the trajectory (mdl)")
]
Folder = Annotated[str, Option("--dir", metavar="DIR", help="Where trainings and results are kept", callback=opt.given)]
Format = Annotated[str, opt.format_option("experiment")]
Jobs = Annotated[int | None, Option("--jobs", metavar="N", min=1, help="Processes (one a core)", show_default=False)]


def experiment(
    name: Name,
    seeds: Seeds = 20,
    epochs: Epochs = 300,
    trajectory_seeds: TrajectorySeeds = 5,
    noisy: Annotated[bool, Option("--noisy", help="Train on the noisy copy of the data")] = False,
    directory: Folder = "experiments",
    jobs: Jobs = None,
    format: Format = "table",
    output: opt.Output = None,
    raw_csv: opt.RawCsv = False,
    talk: opt.Talk = opt.TALKS,
) -> None:
    """Run a published experiment over seeds.

    Its NAME.json, NAME.csv and NAME.svg are written into the folder, and with all the figures of the text too. figures
    draws just these, as figure-NAME.svg; data writes data.npz and data.csv. Both list the files they wrote; data with
    --format csv prints the data.
    """
    render = opt.renderer("experiment", format)
    with stdout_is_data():
        from ltc_ir.lab.experiment_runs import DATA, FIGURES, FIRST_SEED, experiment_names
        from ltc_ir.lab.plans import Settings

        if render.needs == OF_ONE and len(experiment_names(name)) != 1:
            _refuse_picture(name)
        folder = Path(directory)
        settings = Settings(tuple(range(FIRST_SEED, FIRST_SEED + seeds)), epochs, trajectory_seeds, noisy)
        if name == DATA:
            emit(_write_data(folder, format), output)
        elif name == FIGURES:
            emit(_list_files(_draw_figures(settings, folder, jobs), format), output)
        else:
            emit(_run_experiments(name, settings, folder, jobs, render), output)


def _refuse_picture(name: str) -> None:
    why = "all are several" if name == "all" else f"{name} is none"
    raise UsageError(
        f"a picture shows one experiment, and {why}", "name one, such as base; all and figures write theirs into --dir"
    )


def _run_experiments(name: str, settings: Any, folder: Path, jobs: int | None, render: Renderer) -> Any:
    """Run them and write their files; with all of them the figures are drawn too, from the trainings that are kept by then."""
    from ltc_ir.lab.experiment_runs import ALL, draw_figures, run_experiments, write_experiments

    with steps(f"experiment {name}", "trainings") as report:
        experiments = run_experiments(name, settings, folder, jobs, report)
    paths = write_experiments(experiments, folder)
    if name == ALL:
        paths += [figure.file for figure in draw_figures(settings, folder, jobs)]
    for path in paths:
        say(f"wrote {path}")
    return render(experiments)


def _draw_figures(settings: Any, folder: Path, jobs: int | None) -> list[WrittenFile]:
    from ltc_ir.lab.experiment_runs import draw_figures

    with steps("figures", "trainings") as report:
        return draw_figures(settings, folder, jobs, report)


def _write_data(folder: Path, format: str) -> Any:
    from ltc_ir.lab.experiment_runs import write_data

    text, files = write_data(folder)
    return text if format == "csv" else _list_files(files, format)


def _list_files(files: list[WrittenFile], format: str) -> Any:
    from ltc_ir.render.layouts.listing import Listing

    return renderer("listing", format)(Listing("files", [file._asdict() for file in files]))
