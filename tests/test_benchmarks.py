"""Benchmarks run, note what they must, and print how near they come to the machine's limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTED = {"device", "torch", "bytes", "flops", "floor_seconds", "share"}


def test_a_group_prints_its_shares_and_notes_its_work(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    command = [sys.executable, "-m", "pytest", "geometry/benchmarks/bench_attention.py"]
    options = ["-k", "cpu-384-6", "--benchmark-only", f"--benchmark-json={record}"]
    alone = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    command += [*options, "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    _, shares = done.stdout.split("floor / time")
    assert "signed masses of 6 heads, d = 384, cpu" in shares
    assert shares.index("test_small_problems") < shares.index("test_forms")
    benchmarks = json.loads(record.read_text())["benchmarks"]
    assert len(benchmarks) == 2
    for benchmark in benchmarks:
        noted = benchmark["extra_info"]
        assert noted.keys() >= NOTED
        assert 0 < noted["share"] <= 1
        assert noted["floor_seconds"] / noted["share"] > 0.9 * benchmark["stats"]["min"]
