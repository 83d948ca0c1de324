"""Checks the edits of programs on four devices, in a process that has as many; prints what is wrong."""

import os
import sys
import tempfile
from pathlib import Path

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
os.environ["JAX_PLATFORMS"] = "cpu"

from tests.snapshots.edits import MESH, SHARDED, faults

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        wrong = faults(MESH, SHARDED, Path(folder))
    print("\n".join(wrong))
    sys.exit(bool(wrong))
