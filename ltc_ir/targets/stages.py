"""The stages a program passes: trace, lower, compile. Each starts from cleared caches, so no result depends on the past."""

from __future__ import annotations

import copy
import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import jax

from ltc_ir import border, compat
from ltc_ir.errors import LtcIrError, TargetError, UsageError, kind_of
from ltc_ir.escape import MESSAGE, capped
from ltc_ir.records.environment import Environment
from ltc_ir.records.request import check_platform
from ltc_ir.targets.target import Program

_HERE = Path(__file__).resolve().parents[1]
_OURS = (
    "targets", "tables", "timing", "execution", "api", "compat", "snapshots", "integrations",
)  # fmt: skip
for _part in _OURS:
    compat.exclude_from_tracebacks(str(_HERE / _part))


class Staged:
    """One program on its way through the stages; each is done once, when first asked for.

    Args:
        program: what is traced.
        label: how messages call it, e.g. ``ltc grad``.
        platform: what it is lowered for; the default backend where ``None``.
        clear: whether to clear JAX's caches before tracing, so that nothing depends on what was traced before.
    """

    def __init__(self, program: Program, label: str, platform: str | None = None, clear: bool = True) -> None:
        check_platform(platform)
        self.program = program
        self.label = label
        self.platform = platform
        self.clear = clear
        self.outside = _frames_outside()
        self.unmarked: Staged | None = None

    @property
    def function_name(self) -> str:
        """The name of the program's function, by which JAX calls what it lowers."""
        return str(getattr(self.program.fn, "__name__", ""))

    def with_marks(self, jaxpr: Any) -> Staged | None:
        """The same program on its way from another, marked jaxpr; ``None`` where this JAX does not lower one that is given.

        What is lowered from it differs in its names only. Where a stage fails, the stage of the unmarked program stands in for
        it, so that no error has a mark in its text.
        """
        traced = compat.with_jaxpr(self.traced, jaxpr)
        if traced is None:
            return None
        staged = copy.copy(self)
        for stage in ("lowered", "compiled"):
            vars(staged).pop(stage, None)
        vars(staged).update(traced=traced, unmarked=self)
        return staged

    def _or_unmarked(self, stage: str, make: Callable[[], Any]) -> Any:
        """The result of a stage; where it fails for a marked program, that of the unmarked one."""
        if self.unmarked is None:
            return make()
        with suppress(TargetError):
            return make()
        return getattr(self.unmarked, stage)

    @cached_property
    def traced(self) -> Any:
        """The ``jax.stages.Traced`` of the program, from cleared caches unless told otherwise.

        Raises:
            TargetError: the user's function failed.
        """
        if self.clear:
            clear_caches()
        self.outside |= _frames_outside()
        program = self.program
        with users_failure(self.label, "trace", program.explain):
            return jitted(program).trace(*program.args, **program.kwargs)

    @cached_property
    def lowered(self) -> Any:
        """The ``jax.stages.Lowered``, for the platform asked for.

        Raises:
            TargetError: JAX cannot lower the program.
        """
        self.outside |= _frames_outside()
        return self._or_unmarked("lowered", self._lower)

    def _lower(self) -> Any:
        platforms = None if self.platform is None else (_backend_name(self.platform),)
        traced = self.traced
        with users_failure(self.label, "lower"), compat.whole_names():
            return traced.lower() if platforms is None else traced.lower(lowering_platforms=platforms)

    @cached_property
    def compiled(self) -> Any:
        """The ``jax.stages.Compiled`` on this machine's own backend, compiled without JAX's persistent cache.

        A program from that cache can have the names of another one, from which it differs in names only.

        Raises:
            LtcIrError: see `compile`.
        """
        return self._or_unmarked("compiled", self.compile)

    def compile(self, options: Mapping[str, Any] | None = None) -> Any:
        """Compile the program on this machine's own backend, a marked one as it is.

        Args:
            options: XLA's options besides those of the process.

        Raises:
            UsageError: the platform asked for is not this machine's; what XLA made there would be another program.
            TargetError: XLA cannot compile the program.
        """
        backend = platform_here()
        if self.platform not in (None, backend):
            raise UsageError(
                f"optimised HLO for {self.platform} needs a {self.platform} device; this machine compiles for {backend}",
                "leave out --platform, or look at --stablehlo, which lowers for any platform",
            )
        lowered = self.lowered
        with users_failure(self.label, "compile"), compat.no_persistent_cache():
            return lowered.compile(compiler_options=dict(options)) if options else lowered.compile()

    def module(self) -> Any:
        """The StableHLO module as JAX holds it; never to be changed, for it is compiled later."""
        return self.lowered.compiler_ir("stablehlo")


def _frames_outside() -> frozenset[tuple[str, int, str]]:
    """The frames this call came through: locations hold them too, and they say nothing of the program."""
    frames = set()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        frames.add((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
        frame = frame.f_back
    return frozenset(frames)


def clear_caches() -> None:
    """Forget what JAX keeps of functions, traces and compiled programs in this process."""
    clear: Callable[[], None] = jax.clear_caches
    clear()


def is_jitted(fn: Any) -> bool:
    """Whether a function is one of `jax.jit`'s."""
    return hasattr(fn, "trace") and hasattr(fn, "lower")


def hashable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or one like it that `jax.jit` can take: callable objects that hold arrays have no hash."""
    try:
        hash(fn)
    except TypeError:
        return functools.partial(fn)
    return fn


def jitted(program: Program, prepared: Callable[[Callable[..., Any]], Callable[..., Any]] = hashable) -> Any:
    """The program under `jax.jit`, its function ``prepared`` for it.

    One that comes jitted is taken as it is: what it may donate or keeps static stands nowhere else.
    """
    fn: Any = program.fn
    if is_jitted(fn) and not (program.static_argnums or program.static_argnames):
        return fn
    return jax.jit(
        prepared(fn), static_argnums=program.static_argnums or None, static_argnames=program.static_argnames or None
    )


def _backend_name(platform: str) -> str:
    return {"gpu": "cuda"}.get(platform, platform)


def wait_until_ready(tree: Any) -> None:
    """Wait until every array of a tree is computed."""
    wait: Callable[[Any], Any] = jax.block_until_ready
    wait(tree)


def platform_here() -> str:
    """The platform this process compiles for, in the words of `PLATFORMS`."""
    try:
        backend = jax.default_backend()
    except (AssertionError, RuntimeError) as error:
        raise _no_platform(error) or error from None
    if backend != "gpu":
        return backend
    version = jax.devices()[0].client.platform_version.lower()
    return "rocm" if "rocm" in version else "cuda"


def environment(platform: str | None = None) -> Environment:
    """What a record of this process, lowered for ``platform``, was made with."""
    import platform as machine

    from jaxlib import version as jaxlib_version

    return Environment(
        jax=jax.__version__,
        jaxlib=jaxlib_version.__version__,
        python=machine.python_version(),
        platform=platform or platform_here(),
        x64=bool(jax.config.values["jax_enable_x64"]),
        devices=jax.device_count(),
    )


@contextmanager
def users_own(label: str) -> Iterator[None]:
    """Turn what a user's own lines raise into such a line, where our code asks their objects something: a name, a signature."""
    with border.crossed(label, "import"):
        try:
            yield
        except LtcIrError:
            raise
        except BaseException as error:
            if border.is_interrupt(error) or (isinstance(error, Exception) and not _is_users(error)):
                raise
            raise explained(error, label, "import", gradient=False) from error


def _is_users(error: BaseException) -> bool:
    """Whether the innermost line of a failure is a user's."""
    from ltc_ir.ir.origin import Ownership

    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and Ownership().code(frames[-1][0].f_code)[1] == "user"


@contextmanager
def users_failure(label: str, stage: str, explain: Callable[[], None] | None = None) -> Iterator[None]:
    """Turn what a user's function raises into one line that says what failed, where, and what helps."""
    try:
        with border.crossed(label, stage):
            yield
    except BaseException as error:
        if border.is_interrupt(error) or (isinstance(error, LtcIrError) and not _is_users(error)):
            raise
        if missing := _no_platform(error):
            raise missing from error
        if explain is not None:
            explain()
        raise explained(error, label, stage, gradient=explain is not None) from error


def blamed(error: Exception) -> LtcIrError | None:
    """What to say of an exception that no border caught, if it is no bug: JAX has no such platform, or the line is a user's."""
    last = border.last_crossed()
    if last is not None and _is_users(error):
        return explained(error, *last, gradient=False)
    return _no_platform(error)


def _no_platform(error: BaseException) -> UsageError | None:
    """That JAX has none of the platforms it was told to use, which it says in words of its own, or in none at all."""
    wordless = isinstance(error, AssertionError) and not text_of(error)
    if not wordless and "Unable to initialize backend" not in text_of(error):
        return None
    platforms = jax.config.values["jax_platforms"]
    try:
        jax.devices()
    except (AssertionError, RuntimeError):
        label, _ = border.last_crossed() or ("", "")
        if label and platforms != os.environ.get("JAX_PLATFORMS"):
            return UsageError(f"{label}: JAX found no platform {platforms!r} here", "its code sets jax_platforms")
        return UsageError(f"JAX found no platform {platforms!r} here", "JAX_PLATFORMS names it: set JAX_PLATFORMS=cpu")
    return None


def explained(error: BaseException, label: str, stage: str, gradient: bool = False) -> TargetError:
    """What a user's code raised in a stage, in one line: its kind, its message and its place; and what helps."""
    place = _place(error)
    message = f"{label} failed to {stage}: {kind_of(error)}: {_said(error)}" + (f" ({place})" if place else "")
    return TargetError(message, _hint(error, stage, gradient), _detail(error))


def _detail(error: BaseException) -> str:
    """The failure as Python prints it, as far as what is a user's code permits."""
    with user_value():
        lines = traceback.format_exception(error) if _is_short(error) else traceback.format_tb(error.__traceback__)
        return capped("".join(lines), _MOST_OF_DETAIL)
    return ""


def _is_short(error: BaseException) -> bool:
    """Whether the causes of a failure are so few that printing them takes no time."""
    one: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        one = one and (one.__cause__ or one.__context__)
    return one is None


_MOST_OF_TEXT, _MOST_OF_DETAIL = MESSAGE * 3 // 4, 100_000
"""The characters of a failure that are kept: of its text, and of its traceback."""
_MOST_CAUSES = 100


@contextmanager
def user_value() -> Iterator[None]:
    """What asks a user's object something, which may raise anything at all, and is then left unanswered."""
    try:
        yield
    except BaseException as error:
        if border.is_interrupt(error):
            raise


def text_of(error: BaseException) -> str:
    """What an exception says; where it fails to say that, for it is a user's code, nothing."""
    with user_value():
        return capped(str(error), _MOST_OF_TEXT)
    return ""


def _said(error: BaseException) -> str:
    """The first line of what an exception says, and those after it while a bracket or a colon is open; no addresses."""
    lines = (text_of(error).strip() or "no message").splitlines()
    ends = (end for end in range(1, len(lines) + 1) if _closed("".join(lines[:end])))
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(" ".join(lines[: next(ends, 1)]).split()))


def _closed(text: str) -> bool:
    brackets = all(text.count(opening) <= text.count(closing) for opening, closing in ("()", "[]", "{}"))
    return brackets and not text.rstrip().endswith(":")


def _place(error: BaseException) -> str | None:
    """The innermost line of the user's in a failure's traceback."""
    from ltc_ir.ir.op import Frame
    from ltc_ir.ir.origin import Ownership

    ownership = Ownership()
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file, owner, function, _ = ownership.code(frame.f_code)
        if owner == "user":
            place = Frame(file, line, function).place
    return place


def _hint(error: BaseException, stage: str, gradient: bool) -> str:
    name, text = kind_of(error), text_of(error)
    hints = (
        (
            name == "SystemExit" and stage in {"import", "run"},
            'keep what parses arguments and exits under: if __name__ == "__main__"',
        ),
        ("attempted relative import" in text, "put an __init__.py beside the file, or give module:name"),
        (stage in {"import", "run"}, _TRACEBACK),
        (name in _NEEDS_VALUE or "unhashable type: 'DynamicJaxprTracer'" in text, _VALUE),
        ("non-array argument" in text, _NO_ARRAY),
        (gradient and name in {"ValueError", "NotImplementedError"} and _tells_of_derivatives(text), _NO_REVERSE),
        ("Non-hashable static" in text, "static arguments must be hashable; arrays and lists are not"),
        ("invalid argnames" in text, "name parameters of the function with --static-argnames"),
        ("has static_argnums" in text, "name positions the function has with --static-argnums"),
        ("ShapeDtypeStruct" in text, _NO_VALUE),
        (name == "TypeError" and "argument" in text, _ARGUMENTS),
        (name in {"TypeError", "ValueError"}, f"check the shapes and types of the example arguments; {_TRACEBACK}"),
    )
    return next((hint for holds, hint in hints if holds), _TRACEBACK)


def _tells_of_derivatives(text: str) -> bool:
    return any(word in text.lower() for word in ("differentiat", "derivative", "jvp"))


_TRACEBACK = "--verbose shows the whole traceback"
_VALUE = (
    "the function uses a traced value as a Python value: use jax.lax.cond, or make it static with --static-argnums or "
    "--static-argnames"
)
_NO_VALUE = "a static argument needs a value: give it through --args module:callable or a Target"
_NO_REVERSE = "this function cannot be differentiated in reverse mode; count it with --program forward"
_NO_ARRAY = "every argument is a tree of arrays, or static: --static-argnums, --static-argnames, or close over it"
_ARGUMENTS = "give the example arguments the function takes: --args, a sibling NAME_args, or a Target"
_NEEDS_VALUE = frozenset({
    "ConcretizationTypeError", "NonConcreteBooleanIndexError",
    "TracerArrayConversionError", "TracerBoolConversionError", "TracerIntegerConversionError",
})  # fmt: skip
"""What JAX raises where Python needs the value of a tracer."""
