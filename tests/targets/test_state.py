"""What user code may change for all that runs after it: each is seen and named, and what libraries do themselves is not."""

from __future__ import annotations

import decimal
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax.extend.core.primitives import sin_p

from ltc_ir.compat.rules import primitives, rule_tables
from ltc_ir.targets.generators import generators
from ltc_ir.targets.importing import module_of
from ltc_ir.targets.state import Watch

pytestmark = pytest.mark.versions

TABLES = dict(rule_tables())
SETTINGS = """
from types import SimpleNamespace
from functools import cached_property

DEEP = True
LARGE = list(range(1000))
LAYERS = [object(), object()]
NESTED = {"model": {"depth": 2, "names": ["a"]}}
CACHE = {}
SPACE = SimpleNamespace(depth=2)
PAIR = ({"depth": 2}, 1)

class Config:
    depth = 2
    sizes = [1]

    def call(self):
        return 1

    @cached_property
    def width(self):
        return 8

CONFIG = Config()
"""
LIBRARY = """
FLAG = False
_ready = False
_lazy = None

class Layer:
    def call(self):
        return 1

def set_flag():
    global FLAG
    FLAG = True

def begin():
    global _ready, _lazy
    _ready, _lazy = True, object()
"""


@pytest.fixture
def watch() -> Watch:
    return Watch()


def changes(watch: Watch, **how: bool) -> tuple[str, ...]:
    """What changed, but for the variable in which pytest says what runs."""
    return tuple(change for change in watch.changes(**how) if "PYTEST" not in change)


def _table(name: str) -> Any:
    return next(table for label, table in TABLES.items() if label.endswith(name))


@pytest.mark.parametrize("name", ["mlir._lowerings", "ad.primitive_jvps", "batching.fancy_primitive_batchers"])
def test_a_rule_that_is_replaced_is_named_and_one_that_is_added_is_not(
    name: str, watch: Watch, monkeypatch: Any
) -> None:
    table = _table(name)
    watched = next(iter(table))
    monkeypatch.setitem(table, jax.extend.core.Primitive("own"), lambda: None)
    assert changes(watch) == ()
    monkeypatch.setitem(table, watched, lambda: None)
    assert changes(watch) == (f"jax's {name}[{watched}] (replaced)",)
    assert changes(watch) == ()


def test_a_lowering_for_this_platform_takes_the_place_of_the_one_for_all(watch: Watch, monkeypatch: Any) -> None:
    table = _table("lowerings for cpu")
    assert sin_p not in table
    monkeypatch.setitem(table, sin_p, lambda: None)
    assert changes(watch) == ("jax's lowerings for cpu[sin] (replaced)",)


@pytest.mark.parametrize("name", ["bind", "impl", "abstract_eval"])
def test_what_a_primitive_does_is_watched(name: str, watch: Watch, monkeypatch: Any) -> None:
    assert sin_p in primitives(list(TABLES.items()))
    monkeypatch.setattr(sin_p, name, lambda *_: None)
    assert changes(watch) == (f"jax's primitive sin.{name} (replaced)",)


def test_the_classes_of_primitives_are_watched(watch: Watch, monkeypatch: Any) -> None:
    monkeypatch.setattr(jax.extend.core.Primitive, "bind", lambda *_: None)
    assert changes(watch) == ("jax._src.core.Primitive.bind (replaced)",)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: Any) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watched_settings.py").write_text(SETTINGS)
    yield module_of("watched_settings")
    sys.modules.pop("watched_settings")
    from ltc_ir.targets import importing

    importing._user_folders.loaded.pop("watched_settings")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("s.DEEP = False", "DEEP"),
        ("s.LARGE[500] = -1", "LARGE"),
        ("s.LAYERS.append(object())", "LAYERS"),
        ("s.NESTED['model']['depth'] = 3", "NESTED"),
        ("s.NESTED['model']['names'].append('b')", "NESTED"),
        ("s.NESTED['other'] = True", "NESTED"),
        ("s.SPACE.depth = 3", "SPACE"),
        ("s.PAIR[0]['depth'] = 3", "PAIR"),
        ("s.Config.depth = 3", "Config"),
        ("s.Config.sizes.append(2)", "Config"),
        ("s.Config.call = lambda self: 2", "Config"),
        ("s.CONFIG.depth = 3", "CONFIG"),
        ("del s.DEEP", "DEEP"),
        ("s.CACHE[1] = object()", None),
        ("s.CONFIG.width", None),
        ("s.OTHER = 1", None),
    ],
)
def test_a_users_module_is_looked_into(code: str, name: str | None, settings: Any) -> None:
    watch = Watch()
    exec(code, {"s": settings})
    found = [change for change in changes(watch) if change.startswith("watched_settings.")]
    how = "removed" if code.startswith("del") else "replaced"
    assert found == ([] if name is None else [f"watched_settings.{name} ({how})"])


def test_a_container_without_end_is_looked_at_in_bounds(settings: Any) -> None:
    watch = Watch()
    settings.NESTED["self"] = settings.NESTED
    assert changes(watch) == ("watched_settings.NESTED (replaced)",)
    assert changes(watch) == ()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: Any) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "watched_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("watched_library", "watched_user"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("watched_library.FLAG = True", "FLAG"),
        ("watched_library.set_flag()", "FLAG"),
        ("watched_library.set_flag = len", "set_flag"),
        ("watched_library.Layer.call = len", "Layer.call"),
        ("watched_library.begin()", None),
        ("watched_library.other = 1", None),
    ],
)
@pytest.mark.parametrize("when", ["import", "trace"])
def test_what_a_user_sets_in_a_library_is_named(code: str, name: str | None, when: str, library: Path) -> None:
    """While it is imported too, though the library is imported there for the first time."""
    at_import, at_trace = (code, "pass") if when == "import" else ("pass", code)
    (library / "watched_user.py").write_text(f"import watched_library\n{at_import}\ndef f():\n    {at_trace}\n")
    watch = Watch()
    user = module_of("watched_user")
    imported = changes(watch, whole=False)
    user.f()
    traced = changes(watch)
    expected = () if name is None else (f"watched_library.{name} (replaced)",)
    assert (imported, traced) == ((expected, ()) if when == "import" else ((), expected))


def test_how_numpy_decimal_and_warnings_act_is_watched(watch: Watch) -> None:
    with np.errstate(all="raise"):
        assert changes(watch) == ("numpy's handling of errors (numpy.seterr)",)
    changes(watch)
    with decimal.localcontext() as context:
        context.prec = 3
        assert changes(watch) == ("the context of decimal",)
    changes(watch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert changes(watch) == ()
        warnings.simplefilter("error")
        assert changes(watch) == ("warnings that are raised as errors",)
    assert changes(watch) == ("warnings that are raised as errors",)


def test_random_generators_go_on_from_where_they_were() -> None:
    before = generators()
    drawn = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    before.restore()
    assert (random.random(), np.random.rand()) == drawn
