"""From what IR says of an operation (a name stack, a traceback, a location string) to its Origin; memoised, never guessed."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from types import CodeType

from ltc_ir.files import project_root
from ltc_ir.ir.op import JVP, REMAT, TRANSPOSE, Frame

FLAG_OF = {"jvp": JVP, "linearize": JVP, "transpose": TRANSPOSE}
REMAT_SCOPE = "rematted_computation"
CALL_WRAPPERS = frozenset({"jit", "pjit", "xla_call", "shard_map", "pmap_call"})
TRANSFORM_WRAPPERS = frozenset({*FLAG_OF, "vmap", "pmap", "batch"})
_JAX_LIBRARIES = (
    *(f"jax/_src/{part}" for part in ("numpy/", "nn/", "scipy/", "image/", "random.py", "ops/")),
    *(f"jax/{part}/" for part in ("experimental", "nn", "numpy", "scipy", "example_libraries")),
)
"""What JAX ships as a library of functions rather than as machinery: frames worth naming when library frames are asked for."""
_HERE = str(Path(__file__).resolve().parents[1]) + "/"
_LAB = _HERE + "lab/"


def flags_of(transforms: Iterable[str], scopes: Iterable[str]) -> int:
    """The bits that decide a phase, of transform names and scope names kept apart."""
    flags = 0
    for transform in transforms:
        flags |= FLAG_OF.get(transform, 0)
    return flags | (REMAT if REMAT_SCOPE in scopes else 0)


class Ownership:
    """Whose a source file is, and what it is called: ``user`` unless it is JAX's, a library's or this tool's.

    Args:
        own: top-level packages below site-packages that count as the user's: the inspected target's own.

    ``outside`` are the frames an inspection was called through: not the program's.
    """

    def __init__(self, own: Collection[str] = ()) -> None:
        self._own = frozenset(own)
        self._root = str(project_root()) + "/"
        stdlib = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
        self._stdlib = tuple(path + "/" for path in stdlib)
        self.outside: frozenset[tuple[str, int, str]] = frozenset()
        self._frames: dict[tuple[str, int, str], Frame] = {}
        self._files: dict[str, tuple[str, str]] = {}
        self._codes: dict[int, tuple[str, str, str, CodeType]] = {}

    def file(self, path: str) -> tuple[str, str]:
        """The name a file goes by (project-relative, else below its import root) and its owner."""
        known = self._files.get(path)
        if known is None:
            known = self._files[path] = self._classify(path)
        return known

    def code(self, code: CodeType) -> tuple[str, str, str, CodeType]:
        """The file's name, the owner, the function's name, and the code object itself, kept so that its identity stays its own."""
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = (*self.file(code.co_filename), code.co_qualname, code)
        return known

    def frame(self, path: str, line: int, function: str) -> Frame:
        """A frame as IR text names it."""
        key = (path, line, function)
        known = self._frames.get(key)
        if known is None:
            name, owner = self.file(path)
            known = self._frames[key] = Frame(name, line, function, "tool" if key in self.outside else owner)
        return known

    def chosen(
        self, frames: list[Frame], *, library: bool, whole: bool
    ) -> tuple[Frame | None, tuple[Frame, ...]]:
        """Of frames as IR text has them, outermost first: the source, and the shown stack where the whole is wanted.

        What lies outside the innermost of this tool's frames is cut; XLA repeats outer frames where it inlines calls, and
        JAX where it nests them: repetitions are dropped.
        """
        inner: list[Frame] = []
        for frame in reversed(frames):
            if frame.owner == "tool":
                break
            inner.append(frame)
        inner.reverse()
        shown = [frame for frame in inner if frame.owner == "user" or (library and frame.owner == "library")]
        fallback = [frame for frame in inner if frame.owner == "library"]
        source = shown[-1] if shown else (fallback[-1] if fallback else None)
        return source, without_repeats(shown) if whole else ()

    def _classify(self, path: str) -> tuple[str, str]:
        if path.startswith(_HERE) and not path.startswith(_LAB):
            return "ltc_ir/" + path.removeprefix(_HERE), "tool"
        for folder in ("/site-packages/", "/dist-packages/"):
            if folder in path:
                below = path.rpartition(folder)[2]
                return below, self._package_owner(below)
        if path.startswith(("<frozen", "frozen ")) or path.startswith(self._stdlib):
            return path.rpartition("/")[2], "library"
        return self._shortened(path), "user"

    def _package_owner(self, below: str) -> str:
        package = below.split("/")[0].removesuffix(".py")
        if package in self._own or package == "ltc_ir":
            return "user"
        if package == "ltc_ir_cli":
            return "tool"
        if package not in {"jax", "jaxlib"} or below.startswith(_JAX_LIBRARIES):
            return "library"
        return "jax"

    def _shortened(self, path: str) -> str:
        if path.startswith(self._root):
            return path.removeprefix(self._root)
        roots = [entry.rstrip("/") + "/" for entry in sys.path if entry and path.startswith(entry.rstrip("/") + "/")]
        return path.removeprefix(max(roots, key=len)) if roots else path


def without_repeats(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """A stack in which no frame follows itself."""
    return tuple(frame for position, frame in enumerate(frames) if not position or frame != frames[position - 1])


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
    stands_for: dict[str, str] = {}
    for number, scope in enumerate(sorted(masked, key=lambda name: (-len(name), name))):
        token = f"\0{number}\0"
        stands_for[token] = scope
        path = path.replace(scope, token)
    elements: list[Element] = []
    for component in _components(path):
        wrappers, inner = _unwrap(component)
        if not trusted and "transpose" in wrappers and "jvp" not in wrappers:
            wrappers, inner = [], component
        elements += [(True, wrapper) for wrapper in wrappers]
        if inner:
            elements.append((False, stands_for.get(inner, inner)))
    return tuple(elements)


def digest(elements: Iterable[Element]) -> tuple[int, tuple[str, ...], str]:
    """The phase flags, the transforms and the scope of name-stack elements; ``jit(...)`` is a call, not a scope."""
    transforms = tuple(name for is_transform, name in elements if is_transform)
    scopes = [name for is_transform, name in elements if not is_transform and not _is_call(name)]
    return flags_of(transforms, scopes), transforms, "/".join(scopes)


def _is_call(component: str) -> bool:
    return component.endswith(")") and component.partition("(")[0] in CALL_WRAPPERS


def looks_like_transform(scope: str) -> bool:
    """Whether a scope is spelled like something a transform would write, so that text alone cannot tell."""
    return any(f"{wrapper}(" in scope for wrapper in TRANSFORM_WRAPPERS)


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
    """A function's stable name, ``package.module:qualname``, without the parts that Python 3.11 and 3.12 spell differently."""
    module = frame.file.removesuffix(".py").replace("/", ".")
    parts = [part for part in frame.function.split(".") if part != "<locals>"]
    while len(parts) > 1 and parts[-1] in {"<listcomp>", "<dictcomp>", "<setcomp>"}:
        parts.pop()
    return f"{module}:{'.'.join(parts)}"
