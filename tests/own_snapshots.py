"""The project's own snapshots on every pinned JAX: ``python -m tests.own_snapshots check`` or ``update [OPTIONS]``.

Builds one small environment per JAX below ``.versions/`` (kept between runs), unless that of `tests.run_versions` is there, and
runs ``ltc-ir snapshot`` in it on this working tree. Options after ``update`` are passed on, as ``--accept-growth "why"``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.run_versions import FOLDER, PINNED, ROOT, interpreter

NEEDED = ("msgspec", "rich", "typer")
"""What the command needs besides JAX; what is imported only for frames and plots is left out."""


def environment(jax: str, python: str) -> Path:
    """The Python of a small environment with that JAX, made where it is not there yet."""
    if (FOLDER / f"jax-{jax}" / "complete").exists():
        return FOLDER / f"jax-{jax}" / "bin" / "python"
    folder = FOLDER / f"own-{jax}"
    executable = folder / "bin" / "python"
    if not (folder / "whole").exists():
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        pins = [f"jax=={jax}", f"jaxlib=={jax}"]
        # compiling every module takes longer than all else here; Python compiles those that are imported
        install = [str(executable), "-m", "pip", "install", "-q", "--no-compile", *pins, *NEEDED]
        subprocess.run(install, check=True)
        (folder / "whole").touch()
    return executable


def run(jax: str, version: str, words: list[str]) -> int | None:
    """Run ``ltc-ir snapshot`` with these words under one JAX; ``None`` where there is no such Python."""
    python = interpreter(version)
    if python is None:
        return None
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    command = [str(environment(jax, python)), "-m", "ltc_ir_cli", "snapshot", *words]
    return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


def main(words: list[str]) -> int:
    """Run the same words under every pinned JAX; 0 where all went well."""
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    codes = []
    for jax, version in PINNED:
        print(f"== JAX {jax}", file=sys.stderr, flush=True)
        code = run(jax, version, words)
        if code is None:
            print(f"no Python {version}: left out", file=sys.stderr)
        codes.append(code or 0)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
