"""The fixtures of the command line, for the lab's own command."""

from tests.cli.conftest import command, folder  # noqa: F401
