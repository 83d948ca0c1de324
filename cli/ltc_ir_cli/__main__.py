"""Lets ``python -m ltc_ir_cli`` do what ``ltc-ir`` does, without the current folder as the first to import from."""

import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is imported later
if not sys.flags.safe_path and sys.path and sys.path[0] != HERE:
    del sys.path[0]

from ltc_ir_cli.guard import run  # noqa: E402

run()
