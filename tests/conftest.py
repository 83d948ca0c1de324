"""Gives the whole session four virtual CPU devices, which JAX reads once, at its first import; no JAX here."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

_FLAG = "--xla_force_host_platform_device_count"

if _FLAG not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}=4".strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# What changes the tool's answers by design; a test that is about one sets it itself.
for _name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
    os.environ.pop(_name, None)

# Who starts the tests in the background may ignore signals, which every process below would then do, too.
for _signal, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist start files in the order of `pytest_collection_modifyitems`, not those with the most tests first."""
    config.option.loadscopereorder = False
    settings.register_profile("house", max_examples=30)
    settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files marked ``early`` first: a long file that starts last leaves the other processes idle."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.fixture(scope="module", autouse=True)
def _set_aside():
    """What is loaded by now is no garbage: looking through it at every collection would take half the time of all tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def quick_compile() -> Iterator[None]:
    """`tests.quick_compile` for a whole file."""
    from tests.quick_compile import quick_compile as quickly

    with quickly():
        yield
