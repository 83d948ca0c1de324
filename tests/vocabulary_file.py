"""The vocabularies that rules are read with: ``python -m tests.vocabulary_file --update`` adds the names that this JAX has.

Each run adds, so that running it on every JAX of `tests.run_versions` makes their union; nothing is ever taken away.
"""

from __future__ import annotations

import gc
import importlib
import json
import pkgutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from ltc_ir.ir.hlo.opcodes import OPERANDS

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "ltc_ir" / "rules" / "vocabularies.json"

MADE_WITH = "made_with"
"""The key of the JAX versions whose names the file has."""

DIALECTS = ("builtin", "func", "stablehlo", "chlo", "sdy", "mhlo", "shape", "tensor", "arith")
"""The dialects that a program JAX lowered can hold."""

SKIPPED = ("jax.experimental.jax2tf", "jax.tools", "jax.collect_profile", "jax._src.test_", "jax._src.internal_test")
"""Modules of JAX that need other packages, or do something when imported."""


def plain(name: str) -> str:
    """A name as rules spell it: without dialect, ``-`` as ``_``."""
    return name.rpartition(".")[2].replace("-", "_")


def found() -> dict[str, set[str]]:
    """The names this JAX has."""
    return {"jaxpr": primitives(), "stablehlo": operations(), "hlo": {plain(name) for name in OPERANDS}}


def primitives() -> set[str]:
    """The names of all primitives that exist once every module of JAX is imported."""
    import jax.extend.core

    every_module(jax)
    kind = jax.extend.core.Primitive
    return {plain(thing.name) for thing in gc.get_objects() if isinstance(thing, kind)}


def every_module(package: ModuleType) -> None:
    """Import what of a package can be imported here; what needs another machine or package has no primitive to find."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in walk(package.__path__, f"{package.__name__}."):
            try:
                importlib.import_module(module)
            except Exception as error:
                print(f"{module} left out: {type(error).__name__}", file=sys.stderr)


def walk(paths: Iterable[str], prefix: str) -> Iterator[str]:
    """The names of a package's modules, at any depth."""
    for module in pkgutil.iter_modules(paths, prefix):
        if any(module.name.startswith(skipped) for skipped in SKIPPED) or module.name.endswith("__main__"):
            continue
        yield module.name
        if module.ispkg:
            folder = module.name.rpartition(".")[2]
            yield from walk([str(Path(path) / folder) for path in paths], f"{module.name}.")


def operations() -> set[str]:
    """The names of all operations of the dialects that a program can hold, as far as this jaxlib has them."""
    names: set[str] = set()
    for dialect in DIALECTS:
        try:
            module = importlib.import_module(f"jaxlib.mlir.dialects.{dialect}")
        except ImportError as error:
            print(f"{dialect} left out: {error}", file=sys.stderr)
            continue
        names |= {
            plain(str(operation.OPERATION_NAME))
            for operation in vars(module).values()
            if isinstance(operation, type) and hasattr(operation, "OPERATION_NAME")
        }
    return names


def held() -> dict[str, list[str]]:
    """What the file has."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.is_file() else {}


def main(arguments: list[str]) -> int:
    """Say what the file lacks of this JAX's names, or add them."""
    import jax

    before = held()
    names = {**found(), MADE_WITH: {jax.__version__}}
    merged = {key: sorted({*before.get(key, ()), *more}) for key, more in names.items()}
    if "--update" in arguments:
        FILE.write_text(json.dumps(merged, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    lacking = [f"{key} {name}" for key in merged for name in merged[key] if name not in before.get(key, ())]
    print("\n".join(lacking) or "the file has every name of this JAX")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
