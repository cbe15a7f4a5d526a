"""A model of a hub measured by one command: killed half way, run again, then without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.fixtures.tests.hub_server import Repository, files_of, serving

ROOT = Path(__file__).parent.parent
RUN = (
    *(sys.executable, "-m", "pytest", "invariants", "-q", "-p", "no:cacheprovider"),
    *("--model", "mine=owner/name", "-k", "manifest", "--twins", "0"),
)


def environment(address: str, cache: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
    own = {"HF_ENDPOINT": address, "HF_HOME": str(cache), "NO_PROXY": "127.0.0.1"}
    return kept | own | {"OMP_NUM_THREADS": "1"}


def run(*options: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, env=env
    )


def test_a_download_that_was_killed_is_taken_up_and_serves_without_a_network(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    served = tmp_path_factory.mktemp("served")
    tiny_models.save_bert(served, layers=1)
    results, weights = tmp_path / "results.json", "model.safetensors"
    with serving({"owner/name": Repository(files_of(served), faults={weights: "stuck"})}) as hub:
        variables = environment(hub.address, tmp_path / "cache")
        first = subprocess.Popen([*RUN, "--download"], cwd=ROOT, env=variables, stderr=-1)
        assert hub.stuck.wait(60)
        first.kill()
        shown = first.communicate()[1].decode()
        assert "owner/name at " in shown
        assert f"2/2 {weights}, 0.7 MB" in shown
        halfway = run("--require-models=mine", env=variables)
        assert halfway.returncode == 1
        assert "owner/name is not in the hub's cache" in halfway.stdout
        assert "pytest invariants --model mine=owner/name --download" in halfway.stdout
        second = run("--download", "--require-models=mine", env=variables)
        assert second.returncode == 0, second.stdout
    nowhere = environment("http://127.0.0.1:9", tmp_path / "cache")
    third = run("--require-models=mine", "--results", str(results), env=nowhere)
    assert third.returncode == 0, third.stdout
    (measured,) = json.loads(results.read_text())["measurements"]
    assert measured["value"]["value"] == 1.0
