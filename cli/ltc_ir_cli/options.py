"""The options that several commands share, spelled once, and what turns their strings into words of the library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from ltc_ir.errors import UsageError
from ltc_ir.records.request import Options
from ltc_ir.records.vocabulary import PLATFORMS
from ltc_ir.render import formats
from ltc_ir.render.formats import Renderer, formats_in_words
from ltc_ir.writing import check_writable
from ltc_ir_cli.completion import complete_target
from ltc_ir_cli.console import TALK, say
from ltc_ir_cli.parameters import Argument, Option


def _version(_flag: str, value: bool) -> None:
    if value:
        import typer

        from ltc_ir import __version__

        typer.echo(f"ltc-ir {__version__}")
        raise typer.Exit


def _quiet(_flag: str, value: bool) -> bool:
    TALK.quiet = value
    return value


def _verbose(_flag: str, value: bool) -> bool:
    TALK.verbose = value
    return value


def _raw_csv(_flag: str, value: bool) -> bool:
    TALK.raw_csv = value
    return value


def _in_process(_flag: str, value: bool) -> bool:
    if value:
        say("note: the target's code runs in the tool's own process, and can end it")
    return value


def _no_color(_flag: str, value: bool) -> bool:
    TALK.color = not value
    return value


def _target(value: str) -> str:
    """Refuse a Python file without a name in it, which would be taken for a stored file."""
    if value.endswith(".py"):
        raise UsageError(f"{value} is a Python file, and no function is named", f"name one in it, as in {value}:NAME")
    return value


def _writable(_flag: str, value: str | None) -> str | None:
    """Refuse a file that cannot be written before the work, not after it."""
    if value is not None and not value.strip():
        raise UsageError("--output: no file name given", "give one, or leave --output out")
    if value is not None and value != "-":
        check_writable(value)
    return value


MOST_SECONDS = 1e9
"""Seconds that can be asked for: more than thirty years; a system counts no more than it can hold."""


def seconds(flag: str, value: float | None) -> float | None:
    """Refuse what is no duration: NaN would switch a limit off, and infinity is not counted down."""
    if value is not None and not 0 < value <= MOST_SECONDS:
        raise UsageError(f"{flag}: {value:g} is no time that a limit could be", f"give seconds, as in {flag} 900")
    return value


def given(flag: str, value: Any) -> Any:
    """Refuse an option that was given and holds no word: an empty variable of a script would look like no option."""
    if any(not words(text) for text in ([value] if isinstance(value, str) else value or ())):
        raise UsageError(f"{flag}: nothing given", f"give a value, or leave {flag} out")
    return value


_TARGETS = "ltc, ctrnn, node, a project's own name, module:name, file.py:name"


def _target_argument(help: str) -> Any:
    return Argument(
        metavar="[TARGET]",
        help=help,
        autocompletion=complete_target,
        callback=lambda _, value: _target(value),
        show_default=False,
    )


TargetArgument = Annotated[str, _target_argument(f"{_TARGETS}, or a stored IR file (- is standard input)")]
TracedArgument = Annotated[str, _target_argument(_TARGETS)]
OtherTarget = Annotated[
    str | None,
    Argument(
        metavar="[B]",
        help="What to compare A with; A's own gradient without it",
        autocompletion=complete_target,
        callback=lambda _, value: value and _target(value),
        show_default=False,
    ),
]


def format_option(kind: str, more: Mapping[str, str] | None = None, note: str = "") -> Option:
    """The ``--format`` of a command that shows this kind of record; its help lists the formats in the registry.

    Args:
        kind: the kind of record.
        more: other kinds that the command can show, by the option that asks for them.
        note: what else the help says.
    """
    help = formats_in_words(kind, more) + note
    return Option("--format", "-f", metavar="FORMAT", envvar="LTC_IR_FORMAT", help=help)


def renderer(kind: str, format: str) -> Renderer:
    """The renderer of a format of a kind of record.

    Raises:
        UsageError: the kind has no such format, or --raw-csv is given with another format than CSV.
    """
    if TALK.raw_csv and format != "csv":
        raise UsageError(f"--raw-csv only applies to CSV, not to {format}", "add --format csv, or leave out --raw-csv")
    return formats.renderer(kind, format)


ListingFormat = Annotated[str, format_option("listing")]
Output = Annotated[
    str | None,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        callback=_writable,
        help="Write output to FILE (atomically)",
        show_default=False,
    ),
]
RawCsv = Annotated[
    bool,
    Option(
        "--raw-csv", callback=_raw_csv, help="CSV cells exactly as they are: no escapes, no apostrophe before formulas"
    ),
]
Platform = Annotated[
    str | None,
    Option(
        "--platform",
        metavar="|".join(PLATFORMS),
        envvar="LTC_IR_PLATFORM",
        help="Lower for this platform",
        show_default=False,
    ),
]
X64 = Annotated[
    bool | None, Option("--x64/--no-x64", envvar="LTC_IR_X64", help="64-bit types on or off", show_default=False)
]
Quiet = Annotated[bool, Option("--quiet", "-q", envvar="LTC_IR_QUIET", callback=_quiet, help="Only print errors")]
Verbose = Annotated[
    bool,
    Option("--verbose", "-v", envvar="LTC_IR_VERBOSE", callback=_verbose, help="Show tracebacks of a target's failure"),
]
NoColor = Annotated[bool, Option("--no-color", envvar="LTC_IR_NO_COLOR", callback=_no_color, help="No colour")]
Version = Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Print the version and exit")]
Args = Annotated[
    str | None,
    Option(
        "--args", metavar="TYPES", help='Example arguments: "f32[8,128] i32[]", or module:callable', show_default=False
    ),
]
Loss = Annotated[
    str | None,
    Option(
        "--loss", metavar="sum|mean|module:fn", help="Make a scalar of the output for the gradient", show_default=False
    ),
]
Argnums = Annotated[
    str | None,
    Option(
        "--argnums",
        metavar="N,…",
        help="Arguments the gradient is taken with respect to",
        callback=given,
        show_default=False,
    ),
]
HasAux = Annotated[
    bool | None, Option("--has-aux", help="The function returns (output, auxiliary)", show_default=False)
]
StaticArgnums = Annotated[
    str | None,
    Option("--static-argnums", metavar="N,…", help="Static positions", callback=given, show_default=False),
]
StaticArgnames = Annotated[
    str | None,
    Option("--static-argnames", metavar="NAME,…", help="Static keywords", callback=given, show_default=False),
]


@dataclass(frozen=True)
class TargetOptions:
    """What is said of a target that is found by name."""

    args: Args = None
    loss: Loss = None
    argnums: Argnums = None
    has_aux: HasAux = None
    static_argnums: StaticArgnums = None
    static_argnames: StaticArgnames = None

    def parse(self) -> Options:
        """The Options these words spell."""
        return Options(
            args=self.args,
            loss=self.loss,
            argnums=numbers(self.argnums, "--argnums"),
            has_aux=self.has_aux,
            static_argnums=numbers(self.static_argnums, "--static-argnums"),
            static_argnames=words(self.static_argnames) if self.static_argnames else None,
        )

    def of_one(self, targets: Sequence[str]) -> Options | None:
        """The Options of the one target they are about; ``None`` where none were given."""
        options = self.parse()
        flags = [f"--{key.replace('_', '-')}" for key, value in vars(options).items() if value is not None]
        if not flags:
            return None
        if len(targets) != 1:
            raise UsageError(
                f"{flags[0]} is about one target, not {len(targets) or 'all'}", "name the one target it is about"
            )
        refuse_for_file(targets[0], options)
        return options


@dataclass(frozen=True)
class Machine:
    """What programs are lowered for."""

    platform: Platform = None
    x64: X64 = None


@dataclass(frozen=True)
class Talk:
    """What every command understands; each speaks through its callback."""

    quiet: Quiet = False
    verbose: Verbose = False
    no_color: NoColor = False
    version: Version = False


TARGET_OPTIONS, MACHINE, TALKS = TargetOptions(), Machine(), Talk()
"""The groups where nothing was given."""

Programs = Annotated[
    list[str] | None,
    Option(
        "--program",
        "-p",
        metavar="PROGRAM",
        help="forward, loss, grad or train_step (repeatable)",
        callback=given,
        show_default=False,
    ),
]
OneProgram = Annotated[
    str | None,
    Option(
        "--program", "-p", metavar="PROGRAM", help="Which program (default forward)", callback=given, show_default=False
    ),
]
Grad = Annotated[bool, Option("--grad", help="The gradient (beside the forward program, in a count)")]
Levels = Annotated[
    str | None,
    Option(
        "--level",
        "-l",
        metavar="LEVEL,…",
        help="jaxpr, stablehlo, hlo (default jaxpr,stablehlo)",
        callback=given,
        show_default=False,
    ),
]
By = Annotated[
    list[str] | None,
    Option(
        "--by",
        metavar="KEY,…",
        help="Group by source, function, scope, stack, region or transforms",
        callback=given,
        show_default=False,
    ),
]
Ops = Annotated[
    list[str] | None,
    Option("--op", metavar="NAME", help="Only these operations (repeatable)", callback=given, show_default=False),
]
Phases = Annotated[
    list[str] | None,
    Option("--phase", metavar="PHASE", help="Only these phases (repeatable)", callback=given, show_default=False),
]
Top = Annotated[
    int | None, Option("--top", metavar="N", min=0, help="Only the N largest rows of a table", show_default=False)
]
Executed = Annotated[
    bool, Option("--executed", help="Count how often each operation runs, by running the program if need be")
]
Fill = Annotated[
    str | None,
    Option(
        "--fill",
        metavar="zeros|normal:SEED",
        help="Values for arguments that are only shapes, to run with",
        show_default=False,
    ),
]
Sweep = Annotated[
    str | None,
    Option(
        "--sweep",
        metavar="SIZE=N,N,…",
        help="Over these sizes, and how fast each figure grows: hidden=8,16,32; x.0=8,16 (a dimension of argument x)",
        callback=given,
        show_default=False,
    ),
]
Library = Annotated[
    bool, Option("--library", help="Let library frames count as sources, so that a library's cost can be named")
]

ManyTargets = Annotated[
    list[str] | None,
    Argument(
        metavar="[TARGET]...",
        help="ltc, ctrnn, node, a project's own name, module:name or file.py:name; several may stand here",
        autocompletion=complete_target,
        callback=lambda _, value: [_target(one) for one in value or ()],
        show_default=False,
    ),
]
Rules = Annotated[
    list[str] | None,
    Option(
        "--rule",
        metavar="RULE",
        help='Hold this too: "while = 0", "grad/total +5%" (repeatable)',
        callback=given,
        show_default=False,
    ),
]
Directory = Annotated[
    str | None,
    Option(
        "--dir", metavar="DIR", help="Where the snapshots are (default snapshots)", callback=given, show_default=False
    ),
]
KeepHlo = Annotated[bool, Option("--hlo", help="Facts of optimised HLO too; compiles")]


Jobs = Annotated[
    int | None,
    Option(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        help="Worker processes at a time (default: as many as cores)",
        show_default=False,
    ),
]
Timeout = Annotated[
    float,
    Option("--timeout", metavar="SECONDS", callback=seconds, help="What hangs in a program is ended after that"),
]
InProcess = Annotated[
    bool,
    Option(
        "--in-process",
        callback=_in_process,
        help="Run targets in this process, for a debugger: one that ends it ends all",
    ),
]


@dataclass(frozen=True)
class Process:
    """Where the code of one target runs; it acts by its callback, and before by `ltc_ir_cli.guard`."""

    in_process: InProcess = False


PROCESS = Process()
"""In the child that does the work."""


@dataclass(frozen=True)
class Workers:
    """Where the code of targets runs."""

    jobs: Jobs = None
    timeout: Timeout = 900.0
    in_process: InProcess = False

    def asked(self) -> dict[str, Any]:
        """How the verbs of the guard take it."""
        from ltc_ir.snapshots.batches import usable_cores

        return {"jobs": None if self.in_process else self.jobs or usable_cores(), "timeout_s": self.timeout}


WORKERS = Workers()
"""As many workers as there are cores."""


def one_line(flag: str, value: str | None) -> str | None:
    """Refuse a reason that says nothing, or that would not fit on the line it is kept on."""
    if value is None:
        return None
    if not value.strip():
        raise UsageError(f"{flag}: no reason given", f'say why: {flag} "heads are computed twice now"')
    if not value.isprintable():
        raise UsageError(f"{flag}: the reason is more than one line", "say it in one line of plain text")
    return value.strip()


def words(values: str | Iterable[str] | None) -> tuple[str, ...]:
    """The words of a comma-separated or repeated option."""
    listed = [values] if isinstance(values, str) else list(values or ())
    return tuple(word for value in listed for word in value.replace(" ", "").split(",") if word)


def numbers(values: str | None, option: str) -> tuple[int, ...] | None:
    """The integers of a comma-separated option; ``None`` where it was not given."""
    if values is None:
        return None
    if not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words(values)):
        written = f"{option}8,16" if option.endswith("=") else f"{option} 0,2"
        raise UsageError(f"{option}: {values!r} is no list of integers", f"write {written}")
    return tuple(map(int, words(values)))


def sizes(sweep: str) -> tuple[str, tuple[int, ...]]:
    """The size and the numbers of ``--sweep``."""
    name, equals, listed = sweep.replace(" ", "").partition("=")
    if not (name and equals and listed):
        raise UsageError(f"--sweep: {sweep!r} names no size with numbers", "write --sweep hidden=8,16,32")
    return name, numbers(listed, f"--sweep {name}=") or ()


def refuse_for_file(target: str, options: Any, more: Mapping[str, object] | None = None) -> None:
    """Refuse what would say something of a function where a stored file stands; ``more`` are further such options."""
    from ltc_ir.files import names_stored_file

    flags = [f"--{key.replace('_', '-')}" for key, value in vars(options).items() if value is not None]
    flags += [option for option, value in (more or {}).items() if value]
    if flags and names_stored_file(target):
        raise UsageError(f"{flags[0]} says nothing of a stored file, and {target} is one", f"leave {flags[0]} out")
