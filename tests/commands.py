"""pytest and `python -m`, started in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Nothing of the surrounding run may reach the inner one.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}


QUICK = ("--samples", 5000, "--twins", 0)


def run(*arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def claims(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run("pytest", "invariants", "-p", "no:cacheprovider", *QUICK, *arguments)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.rstrip().splitlines()[-1]
