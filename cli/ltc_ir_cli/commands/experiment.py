"""The ``experiment`` command: what was published of the models, over seeds, beside the published values."""

# Typer reads a command's options from its signature; what only speaks through a callback stays unused.
# ruff: noqa: ARG001, PLR0917

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ltc_ir_cli import options as opt
from ltc_ir_cli.console import say, stdout_is_data
from ltc_ir_cli.emit import emit
from ltc_ir_cli.progress import steps

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="base, switch, transfer, extrapolation, noise, tau, mdl, attractor, or all",
        show_default=False,
    ),
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="How many seeds, counted from 42")]
Epochs = Annotated[int, typer.Option("--epochs", metavar="N", min=1, help="Epochs of each training")]
TrajectorySeeds = Annotated[
    int, typer.Option("--trajectory-seeds", metavar="N", min=0, help="Seeds with Omega along the trajectory (mdl)")
]
Folder = Annotated[
    str, typer.Option("--dir", metavar="DIR", help="Where trainings and results are kept", callback=opt.given)
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", metavar="N", min=1, help="Processes (one a core)", show_default=False)
]


def experiment(
    name: Name,
    seeds: Seeds = 20,
    epochs: Epochs = 300,
    trajectory_seeds: TrajectorySeeds = 5,
    noisy: Annotated[bool, typer.Option("--noisy", help="Train on the noisy copy of the data")] = False,
    directory: Folder = "experiments",
    jobs: Jobs = None,
    format: opt.Format = "table",
    output: opt.Output = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
    no_color: opt.NoColor = False,
    version: opt.Version = False,
) -> None:
    """Run a published experiment over seeds; each also writes NAME.json, NAME.csv and NAME.svg into the folder."""
    from ltc_ir.render.experiment_formats import EXPERIMENT_FORMATS

    render = EXPERIMENT_FORMATS[opt.known_format(format, EXPERIMENT_FORMATS)]
    with stdout_is_data():
        from ltc_ir.lab.experimenting import FIRST_SEED, experiment, keep, names_of
        from ltc_ir.lab.experiments import Setup

        names_of(name)
        setup = Setup(tuple(range(FIRST_SEED, FIRST_SEED + seeds)), epochs, trajectory_seeds, noisy)
        with steps(f"experiment {name}", "trainings") as tell:
            made = experiment(name, setup, Path(directory), jobs, tell)
        for file in keep(made, Path(directory)):
            say(f"wrote {file}")
        emit(render(made), output)
