"""A name to a target: modules, files, dotted names, projects, and the arguments that stand beside a function."""

from __future__ import annotations

import sys

import jax
import pytest

import ltc_ir
from ltc_ir import Target, TargetError, UsageError
from ltc_ir.records.request import Options
from ltc_ir.targets.find import find, known
from tests.targets.conftest import Project

pytestmark = pytest.mark.versions

SQUARE = "def square(x):\n    return x * x\nsquare_args = (3.0,)\n"


def text(target: Target, program: str = "forward") -> str:
    return ltc_ir.lower(target, program=program, form="jaxpr").decode()


@pytest.mark.parametrize("name", ["mine:square", "mine.py:square", "./mine.py:square", "{folder}/mine.py:square"])
def test_a_function_by_module_or_file(name: str, project: Project) -> None:
    name = name.format(folder=project(mine=SQUARE))
    target = find(name)
    assert (target.name, target.args, target.kwargs) == (name, (3.0,), {})
    assert "mul" in text(target)


def test_the_current_folder_is_importable_and_so_are_packages_in_it(project: Project) -> None:
    project({"pack/inner/deep.py": SQUARE})
    assert find("pack.inner.deep:square").args == (3.0,)


def test_dotted_names(project: Project) -> None:
    project(
        mine="class Outer:\n    class Inner:\n        @staticmethod\n        def f(x): return x + 1\n        f_args = (2.0,)\n"
    )
    assert find("mine:Outer.Inner.f").args == (2.0,)
    assert find("mine.py:Outer.Inner.f").fn(1) == 2


def test_a_callable_object_and_a_partial(project: Project) -> None:
    project(
        mine="from functools import partial\nclass Net:\n    def __call__(self, x): return x * 2\n"
        "net = Net()\nnet_args = (1.0,)\nhalf = partial(lambda k, x: k * x, 0.5)\nhalf_args = (1.0,)\n"
    )
    assert "mul" in text(find("mine:net"))
    assert "mul" in text(find("mine:half"))


def test_a_jitted_function(project: Project) -> None:
    project(mine="import jax\n@jax.jit\ndef f(x): return x * 2\nf_args = (1.0,)\n")
    assert ltc_ir.lower(find("mine:f")).decode() == ltc_ir.lower("mine:f").decode()


def test_a_file_in_another_folder_imports_its_neighbours(project: Project) -> None:
    project(
        {
            "far/helper_a.py": "def twice(x): return x + x\n",
            "far/train.py": "from helper_a import twice\ndef f(x): return twice(x)\nf_args = (1.0,)\n",
        }
    )
    assert "add" in text(find("far/train.py:f"))


def test_relative_imports_of_neighbours(project: Project) -> None:
    project(
        {
            "pack/__init__.py": "",
            "pack/near.py": "def twice(x): return x + x\n",
            "pack/sub/__init__.py": "",
            "pack/sub/other.py": "K = 3.0\n",
            "pack/sub/train.py": "from ..near import twice\nfrom . import other\n"
            "def f(x): return twice(x) * other.K\nf_args = (1.0,)\n",
        }
    )
    assert "add" in text(find("pack/sub/train.py:f"))
    assert find("pack/sub/train.py:f").fn.__module__ == "pack.sub.train"
    assert find("pack.sub.train:f").fn is find("pack/sub/train.py:f").fn


def test_a_relative_import_without_a_package_says_what_is_missing(project: Project) -> None:
    project(lone="from . import other\ndef f(): return 1.0\n")
    with pytest.raises(TargetError, match="attempted relative import") as caught:
        find("lone.py:f")
    assert "__init__.py" in str(caught.value.hint)


def test_a_file_called_like_a_module_in_use(project: Project) -> None:
    project({"json.py": SQUARE, "far/json.py": SQUARE.replace("3.0", "4.0")})
    import json

    assert find("json.py:square").args == (3.0,)
    assert find("far/json.py:square").args == (4.0,)
    assert sys.modules["json"] is json
    assert json.dumps(1) == "1"


def test_a_file_whose_folder_is_a_package_called_like_one_in_use(project: Project) -> None:
    project({"tests/__init__.py": "", "tests/step.py": SQUARE})
    assert find("tests/step.py:square").args == (3.0,)


def test_a_module_that_fails_is_not_kept(project: Project) -> None:
    folder = project(mine="raise ValueError\n")
    with pytest.raises(TargetError, match="ValueError"):
        find("mine.py:square")
    (folder / "mine.py").write_text(SQUARE + "# mended\n")
    assert find("mine.py:square").args == (3.0,)


ARGUMENTS = {
    "value": "f_args = (1.0, 2.0)\n",
    "callable": "def f_args(): return (1.0, 2.0)\n",
    "pair": "f_args = ((1.0,), {'y': 2.0})\n",
    "callable giving a pair": "def f_args(): return (), {'x': 1.0, 'y': 2.0}\n",
    "shapes": "import jax\nf_args = (jax.ShapeDtypeStruct((), 'float32'), jax.ShapeDtypeStruct((), 'float32'))\n",
    "arrays": "import jax.numpy as jnp\nf_args = (jnp.ones(()), jnp.ones(()))\n",
    "numpy arrays": "import numpy as np\nf_args = (np.ones((), 'float32'), np.ones((), 'float32'))\n",
}


@pytest.mark.parametrize("how", ARGUMENTS)
def test_arguments_beside_the_function(how: str, project: Project) -> None:
    project(mine="def f(x, y):\n    return x - y\n" + ARGUMENTS[how])
    target = find("mine:f")
    bound = dict(zip("xy", target.args, strict=False)) | dict(target.kwargs)
    assert set(bound) == {"x", "y"}
    assert "sub" in text(target)
    if how == "shapes":
        assert isinstance(target.args[0], jax.ShapeDtypeStruct)


def test_a_tuple_and_a_dict_may_be_two_arguments(project: Project) -> None:
    project(mine="def f(state, params):\n    return state[0] * params['w']\nf_args = ((1.0, 2.0), {'w': 3.0})\n")
    target = find("mine:f")
    assert target.args == ((1.0, 2.0), {"w": 3.0})
    assert "mul" in text(target)


TREES = """
import dataclasses, jax
import jax.numpy as jnp

@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Params:
    w: jax.Array
    b: jax.Array

def f(params, batch):
    x, (y,) = batch["x"], batch["rest"]
    return ((x @ params.w + params.b - y) ** 2).mean()

f_args = (Params(jnp.ones((3, 2)), jnp.ones(2)), {"x": jnp.ones((5, 3)), "rest": [jax.ShapeDtypeStruct((5, 2), "float32")]})
"""


def test_trees_and_dataclasses_as_arguments(project: Project) -> None:
    project(mine=TREES)
    made = ltc_ir.count("mine:f", levels=["jaxpr"])
    assert made.programs["grad"]["jaxpr"].tally.ops["dot_general"] == 2


def test_arguments_given_instead(project: Project) -> None:
    project(mine=SQUARE + "def other():\n    return (), {'x': 7.0}\nthird = (8.0,)\n")
    assert find("mine:square", Options(args="f32[2,3]")).args[0].shape == (2, 3)
    assert find("mine:square", Options(args="mine:other")).kwargs == {"x": 7.0}
    assert find("mine:square", Options(args="mine.py:third")).args == (8.0,)


def test_a_function_without_parameters_needs_no_arguments(project: Project) -> None:
    project(mine="import jax.numpy as jnp\ndef f(): return jnp.ones(3)\ndef g(x=1.0): return x\n")
    assert find("mine:f").args == ()
    with pytest.raises(UsageError, match="g has no example arguments"):
        find("mine:g")


def test_a_target_built_in_code_and_options_over_it(project: Project) -> None:
    project(mine="import ltc_ir\nT = ltc_ir.Target(lambda x, y: (x * y).sum(), (1.0, 2.0), argnums=1)\n")
    target = find("mine:T")
    assert (target.name, target.argnums) == ("mine:T", 1)
    changed = find("mine:T", Options(args="f32[2] f32[2]", argnums=(0, 1), loss="mean", has_aux=False))
    assert (changed.args[0].shape, changed.argnums, changed.loss) == ((2,), (0, 1), "mean")


def test_options_that_would_change_nothing_are_refused() -> None:
    for option in (Options(loss="sum"), Options(args="f32[184]"), Options(argnums=(0,))):
        with pytest.raises(UsageError, match="brings its own"):
            find("ltc", option)


def test_what_is_offered_is_the_modules_own(project: Project) -> None:
    project(mine="from functools import partial\nimport ltc_ir\n" + SQUARE + "T = ltc_ir.Target(square, (1.0,))\n")
    with pytest.raises(UsageError) as caught:
        find("mine:nope")
    assert caught.value.hint == "it has T, square"


def test_the_projects_own_targets(project: Project) -> None:
    project(
        mine=SQUARE,
        pyproject_toml='[tool.ltc-ir.targets]\nplain = "mine:square"\n'
        'given = {target = "mine.py:square", args = "f32[4]", loss = "sum", argnums = [0]}\n',
    )
    assert find("plain").name == "plain"
    given = find("given")
    assert (given.args[0].shape, given.loss, given.argnums) == ((4,), "sum", 0)
    assert find("given", Options(loss="mean")).loss == "mean"
    assert list(known())[:2] == ["plain", "given"]
    assert ltc_ir.count("given", levels=["jaxpr"]).programs.keys() == {"forward", "loss", "grad"}


def test_the_projects_own_targets_from_a_folder_below(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(
        mine=SQUARE,
        pyproject_toml='[tool.ltc-ir.targets]\nfile = "mine.py:square"\nmodule = "mine:square"\n'
        'given = {target = "mine:square", args = "mine.py:square_args", loss = "mine.py:square"}\n',
    )
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    for name in ("file", "module", "given"):
        assert find(name).args == (3.0,), name


def test_a_projects_target_may_be_called_like_one_of_ours(project: Project) -> None:
    project(mine=SQUARE, pyproject_toml='[tool.ltc-ir.targets]\nltc = "mine:square"\n')
    assert find("ltc").args == (3.0,)


def test_losses(project: Project) -> None:
    project(
        mine=SQUARE + "def total(y): return y.sum() + 1\nsquare_args = ((lambda: __import__('jax').numpy.ones(3))(),)\n"
    )
    for loss, op in (("sum", "reduce_sum"), ("mean", "div"), ("mine:total", "add")):
        assert op in text(find("mine:square", Options(loss=loss)), "loss")
    for loss in ("max", "mine", "mine:square_args", "mine:nope", "nosuch:total"):
        with pytest.raises(UsageError):
            find("mine:square", Options(loss=loss))


def test_a_projects_target_says_what_it_is_lowered_for(project: Project) -> None:
    project(
        pyproject_toml='[tool.ltc-ir.targets.far]\ntarget = "mine:f"\nargs = "f32[3]"\nplatform = "tpu"\n',
        mine="def f(x): return x * 2\n",
    )
    assert find("far").platform == "tpu"
    assert ltc_ir.count("far", programs=["forward"], levels=["stablehlo"]).environment.platform == "tpu"
    assert ltc_ir.count("far", programs=["forward"], platform="cpu").environment.platform == "cpu"
