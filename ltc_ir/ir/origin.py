"""Where operations come from: the origins in name stacks, tracebacks and locations, and how far names can be believed."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType

from ltc_ir.files import project_above, project_root
from ltc_ir.ir.cells import NOTEBOOK, is_cell, typed_file
from ltc_ir.ir.op import FLAG_OF, REMAT, REMAT_SCOPE, Frame
from ltc_ir.records.vocabulary import Phase

_HIDDEN_OWNERS = frozenset({"jax", "ir"})
"""Owners whose frames are never shown: JAX's machinery, and IR text that was parsed (its lines made nothing)."""
CALL_WRAPPERS = frozenset({"jit", "pjit", "xla_call", "shard_map", "pmap_call"})
TRANSFORM_WRAPPERS = frozenset({*FLAG_OF, "vmap", "pmap", "batch"})
_JAX_LIBRARIES = (
    *(f"jax/_src/{part}/" for part in ("nn", "scipy", "image")),
    *(f"jax/{part}/" for part in ("experimental", "nn", "scipy", "example_libraries")),
)
"""The parts of JAX that count as a library and are shown with library frames. Not ``jax.numpy``: it is the innermost
frame of nearly everything, and would hide the library that called it."""
_HERE = str(Path(__file__).resolve().parents[1]) + "/"
ROOMS = frozenset({
    "api", "compare", "compat", "execution", "integrations", "ir", "plots", "records", "render", "rules", "snapshots", "tables",
    "targets", "timing", "workers",
})  # fmt: skip
"""This tool's rooms. Any other folder of the package is a user of it, such as the one of the built-in targets."""


def flags_of(transforms: Iterable[str], scopes: Iterable[str]) -> int:
    """The bits that decide a phase, from transform names and scope names."""
    flags = 0
    for transform in transforms:
        flags |= FLAG_OF.get(transform, 0)
    return flags | (REMAT if REMAT_SCOPE in scopes else 0)


def _is_ours(below: str) -> bool:
    """Whether a file of the package, named by its path below it, is the tool's: at the top or in one of its rooms."""
    room, slash, _ = below.partition("/")
    return not slash or room in ROOMS


class Ownership:
    """The owner and the short name of source files: ``user`` unless a file is JAX's, a library's or this tool's.

    Args:
        own: top-level packages below site-packages that count as the user's: the inspected target's own.

    ``outside`` are the frames through which the inspection was called: they do not belong to the program.
    """

    def __init__(self, own: Collection[str] = ()) -> None:
        self._own = frozenset(own)
        self._root = str(project_root()) + "/"
        stdlib = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
        self._stdlib = tuple(path + "/" for path in stdlib)
        self.outside: frozenset[tuple[str, int, str]] = frozenset()
        self._frames: dict[tuple[str, int, str], Frame] = {}
        self._files: dict[str, tuple[str, str]] = {}
        self.codes: dict[int, tuple[str, str, str, CodeType]] = {}

    def file(self, path: str) -> tuple[str, str]:
        """The short name of a file (project-relative, else below its import root) and its owner."""
        entry = self._files.get(path)
        if entry is None:
            entry = self._files[path] = self._classify(path)
        return entry

    def code(self, code: CodeType) -> tuple[str, str, str, CodeType]:
        """The file's name, the owner, the function's name, and the code object, kept so that its identity stays its own."""
        entry = self.codes.get(id(code))
        if entry is None:
            entry = self.codes[id(code)] = (*self.file(code.co_filename), code.co_qualname, code)
        return entry

    def frame(self, path: str, line: int, function: str) -> Frame:
        """A frame as IR text names it."""
        key = (path, line, function)
        frame = self._frames.get(key)
        if frame is None:
            name, owner = self.file(path)
            frame = self._frames[key] = Frame(name, line, function, "tool" if key in self.outside else owner)
        return frame

    def source_and_stack(
        self, raw: Sequence[tuple[str, int, str]], *, library: bool, whole: bool
    ) -> tuple[Frame | None, tuple[Frame, ...]]:
        """Of frames as IR text has them, outermost first: the source, and the shown stack where the whole is wanted.

        Frames outside the innermost frame of this tool are cut. XLA repeats outer frames where it inlines calls, and JAX
        where it nests them: repetitions are dropped.
        """
        source: Frame | None = None
        stack: list[Frame] = []
        for place in reversed(raw):
            frame = self.frame(*place)
            if frame.owner == "tool":
                break
            if frame.owner in _HIDDEN_OWNERS:
                continue
            visible = library or frame.owner == "user"
            if source is None or (visible and source.owner != "user" and not library):
                source = frame
            if visible and not whole:
                break
            if visible:
                stack.append(frame)
        return source, without_repeats(stack[::-1])

    def _classify(self, path: str) -> tuple[str, str]:
        if path.startswith(_HERE) and _is_ours(below := path.removeprefix(_HERE)):
            return f"ltc_ir/{below}", "tool"
        for folder in ("/site-packages/", "/dist-packages/"):
            if folder in path:
                below = path.rpartition(folder)[2]
                return below, self._package_owner(below)
        if typed := typed_file(path):
            return typed, "user"
        if path in {"-", "<stdin>"} or path.endswith((".mlir", ".mlirbc")):
            return path, "ir"
        if path.startswith(("<frozen", "frozen ")) or path.startswith(self._stdlib):
            return path.rpartition("/")[2], "library"
        return self._shortened(path), "user"

    def _package_owner(self, below: str) -> str:
        package = below.split("/", maxsplit=1)[0].removesuffix(".py")
        if package in self._own or package == "ltc_ir":
            return "user"
        if package == "ltc_ir_cli":
            return "tool"
        if package not in {"jax", "jaxlib"} or below.startswith(_JAX_LIBRARIES):
            return "library"
        return "jax"

    def _shortened(self, path: str) -> str:
        if "\0" in path:
            return path  # no file system has such a name
        if built := _EDITABLE.match(path):
            return path[built.end() :]
        if path.startswith(self._root):
            return path.removeprefix(self._root)
        if own := project_above(str(Path(path).parent)):  # so a function is called alike from any folder
            return path.removeprefix(f"{own}/")
        roots = [entry.rstrip("/") + "/" for entry in sys.path if entry and path.startswith(entry.rstrip("/") + "/")]
        return path.removeprefix(max(roots, key=len)) if roots else _of_module(path) or path


_EDITABLE = re.compile(r".*/__editable__\.[^/]+/", re.S)
"""The folder of links that a strict editable install builds."""


def _of_module(path: str) -> str | None:
    """The name of a file outside all import roots, by the module loaded from it; ``None`` for a script."""
    last = path.rpartition("/")[2]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(file, str) and file.endswith(last) and name != "__main__" and _is_same(file, path):
            return name.replace(".", "/") + ("/__init__.py" if last == "__init__.py" else ".py")
    return None


def _is_same(file: str, other: str) -> bool:
    return file == other or os.path.realpath(file) == os.path.realpath(other)


def without_repeats(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """A stack, outermost first, in which no frame or series of frames follows itself and no comprehension its function.

    Where JAX or XLA puts one stack into another, the inner one can begin with the frames outside it: ``f, g, f, g, h``.
    Up to Python 3.11 a comprehension is a separate function, called where it is written; from 3.12 on it is part of its
    function, whose line is then the one inside.
    """
    stack: list[Frame] = []
    for frame in frames:
        if frame.function.endswith(_COMPREHENSIONS):
            function = frame.function.rpartition(".")[0].removesuffix(".<locals>") or "<module>"
            if stack and (stack[-1].file, stack[-1].function) == (frame.file, function):
                stack.pop()
            frame = frame._replace(function=function)  # noqa: PLW2901 - the frame as 3.12 would have it
        if not stack or frame != stack[-1]:
            stack.append(frame)
    return tuple(stack if len(set(stack)) == len(stack) else _without_repeated_series(stack))


def _without_repeated_series(frames: Sequence[Frame]) -> list[Frame]:
    stack: list[Frame] = []
    for frame in frames:
        stack.append(frame)
        for length in range(2, min(_LONGEST_SERIES, len(stack) // 2) + 1):
            if stack[-1 - length] == frame and stack[-length:] == stack[-2 * length : -length]:
                del stack[-length:]
                break
    return stack


_LONGEST_SERIES = 100
"""Frames of a series that can be found repeated."""
_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")


Element = tuple[bool, str]
"""One element of a name stack: whether it is a transform, and its name."""


def parse_name(path: str, masked: frozenset[str] = frozenset(), trusted: bool = True) -> tuple[Element, ...]:
    """The elements, outermost first, of a location name such as ``jit(f)/transpose(jvp(layer))/dot_general``.

    The last one is the primitive. ``masked`` are names of the user's own scopes that are spelled like transforms; where
    the text alone must be believed (``trusted`` false), a ``transpose`` counts only around a ``jvp``, as AD writes it.
    """
    return _parse_name(path, masked, trusted)


@lru_cache(maxsize=65536)
def _parse_name(path: str, masked: frozenset[str], trusted: bool) -> tuple[Element, ...]:
    stands_for = {f"\0{number}\0": scope for number, scope in enumerate(sorted(masked))}
    if masked:
        tokens = {scope: token for token, scope in stands_for.items()}
        path = _any_of(masked).sub(lambda match: tokens[match[0]], path)
    elements: list[Element] = []
    for component in _components(path):
        wrappers, inner = _unwrap(component)
        if not trusted and "transpose" in wrappers and "jvp" not in wrappers:
            wrappers, inner = [], component
        elements += [(True, wrapper) for wrapper in wrappers]
        if inner:
            elements.append((False, stands_for.get(inner, inner)))
    return tuple(elements)


@lru_cache(maxsize=64)
def _any_of(scopes: frozenset[str]) -> re.Pattern[str]:
    """Finds any of the scopes as a whole, the longest one where several begin at a place."""
    either = "|".join(re.escape(scope) for scope in sorted(scopes, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?<![^/(])(?:{either})(?![^/)])")


def digest(elements: Iterable[Element]) -> tuple[int, tuple[str, ...], str]:
    """The phase flags, the transforms and the scope of name-stack elements; ``jit(...)`` is a call, not a scope."""
    transforms = tuple(name for is_transform, name in elements if is_transform)
    scopes = [name for is_transform, name in elements if not is_transform and not is_call(name)]
    return flags_of(transforms, scopes), transforms, "/".join(scopes)


def is_call(component: str) -> bool:
    """Whether a component of a name is that of a call, ``jit(f)``: the first one of every complete name is."""
    return component.endswith(")") and component.partition("(")[0] in CALL_WRAPPERS


def looks_like_transform(scope: str) -> bool:
    """Whether a scope could be the name of a transform, or a part of it, so that the text alone is ambiguous."""
    return "(" in scope or ")" in scope


_LOWERINGS = frozenset(
    {
        *("while", "body", "cond", "scan", "checkpoint", REMAT_SCOPE, "remat", "closed_call", "core_call"),
        *("custom_jvp_call", "custom_vjp_call", "shard_map"),
    }
)
"""Scopes that JAX itself puts into names, around which AD writes transforms as it does around a user's."""


def ambiguous(masked: Collection[str], scopes: Collection[str]) -> frozenset[str]:
    """Of a program's scopes spelled like transforms, those that AD may have written as well.

    AD writes ``jvp(layer)`` around a scope ``layer`` and ``jvp()`` around none: a user's scope of that spelling is
    ambiguous where there is a ``layer`` too. ``transpose(x)`` in a program without a scope ``x`` is the user's.
    """
    parts = {part for scope in scopes for part in (scope, *scope.split("/"))} | _LOWERINGS | {""}
    return frozenset(
        scope
        for scope in masked
        if any(core in parts or is_call(core) for component in _components(scope) for core in _cores(component))
    )


def _cores(component: str) -> Iterable[str]:
    """The rest of a component without its outermost transform, without the two outermost, and so on."""
    wrappers, _ = _unwrap(component)
    for wrapper in wrappers:
        component = component[len(wrapper) + 1 : -1]
        yield component


def breaks_names(scope: str) -> bool:
    """Whether a scope holds half of a transform's name, as ``jvp(`` does: then no name in its program can be read."""
    depth = lowest = 0
    for character in scope:
        depth += (character == "(") - (character == ")")
        lowest = min(lowest, depth)
    return (depth != 0 or lowest < 0) and any(f"{wrapper}(" in scope for wrapper in TRANSFORM_WRAPPERS)


def hidden_flags(elements: Iterable[Element], doubtful: Collection[str]) -> int:
    """The phase flags that the doubtful scopes among some elements would have, were they AD's."""
    scopes = [name for is_transform, name in elements if not is_transform and name in doubtful]
    words = [word for name in scopes for component in _components(name) for word in _unwrap(component)[0]]
    return flags_of(words, ())


def _components(path: str) -> list[str]:
    """``path`` split at the slashes outside parentheses; at every slash where the parentheses do not balance."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(path):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "/" and depth == 0:
            parts.append(path[start:position])
            start = position + 1
    return [*parts, path[start:]] if depth == 0 else path.split("/")


def _unwrap(component: str) -> tuple[list[str], str]:
    """The transforms around a component, outermost first, and what they wrap (nothing for ``jvp()``)."""
    wrappers: list[str] = []
    while component.endswith(")"):
        word, paren, rest = component.partition("(")
        if not paren or word not in TRANSFORM_WRAPPERS:
            break
        wrappers.append(word)
        component = rest[:-1]
    return wrappers, component


def function_key(frame: Frame) -> str:
    """A function's stable name, ``package.module:qualname``, without the parts that Python 3.11 and 3.12 spell differently.

    A file of no project, import root or module gives its own name only: its folder differs between machines. A cell gives
    that of all cells.
    """
    if is_cell(frame.file):
        frame = frame._replace(file=NOTEBOOK)
    file = frame.file.rpartition("/")[2] if frame.file.startswith("/") else frame.file
    module = file.removesuffix(".py").replace("/", ".")
    parts = [part for part in frame.function.split(".") if part != "<locals>" and part not in _COMPREHENSIONS]
    return f"{module}:{'.'.join(parts) or '<module>'}"


@dataclass(frozen=True)
class Evidence:
    """How far the names in a module can be trusted.

    ``masked`` are the user's scopes spelled like transforms, ``ambiguous`` those of them that AD may have written as well
    (where one breaks the names that contain it, all are ``garbled``); ``lowered`` means that they are known, as this process
    lowered the program. A transform may be lost on the way to a name where JAX 0.6.x wrote a file (its names start
    ``jit(f)/jit(main)`` in every function): there the absence of one proves nothing. ``phases`` are those of the program's
    jaxpr, where that is available: other phases are unattributed. ``doubtful`` names belong to several phases.
    ``sources`` is false for a text without debug information: its locations are its own lines, so none is read.
    """

    masked: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    garbled: bool = False
    lowered: bool = False
    sources: bool = True
    doubtful: frozenset[str] = frozenset()
    phases: frozenset[Phase] | None = None

    @classmethod
    def of_program(cls, scopes: Collection[str], phases: frozenset[Phase]) -> Evidence:
        """The evidence from a program's own jaxpr about the names in the IR that this process lowers it to."""
        masked = frozenset(filter(looks_like_transform, scopes))
        garbled = any(map(breaks_names, masked))
        return cls(masked, ambiguous(masked, scopes), garbled, lowered=True, phases=phases)

    def knows(self, elements: Collection[Element], flags: int) -> bool:
        """Whether these elements can have lost no flag to a scope of the user's that looks like one."""
        if self.pure or not self.masked:
            return True
        return bool(flags) if self.garbled else not hidden_flags(elements, self.ambiguous) & ~flags

    @property
    def pure(self) -> bool:
        """Whether nothing was differentiated: then whatever was lowered is primal, named or not."""
        return self.phases == frozenset({Phase.PRIMAL})

    def believed(self, flags: int) -> int:
        """The flags of a name without what the program does not do: no recomputation where its jaxpr has none."""
        return flags if self.phases is None or Phase.RECOMPUTE in self.phases else flags & ~REMAT

    def marks(self, flags: int, name: str) -> bool:
        """Whether a name without these flags would prove its operation primal.

        A constant is made at its first use and may have no transform at all (from 0.7 on), so it proves nothing. The same
        holds for every name in a program whose jaxpr has no primal equation and, without a jaxpr, for the operation that
        returns a program's results: its name is that of the program.
        """
        if flags or self.pure:
            return True
        silent = {"constant"} if self.lowered else {"constant", "return"}
        return name.rpartition(".")[2] not in silent and (self.phases is None or Phase.PRIMAL in self.phases)
