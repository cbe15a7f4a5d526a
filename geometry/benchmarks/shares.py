"""pytest plugin: under the table of benchmarks, how near each comes to what the machine can do."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

Groups = list[tuple[str | None, list[dict[str, Any]]]]
_GROUPS = pytest.StashKey[Groups]()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_benchmark_group_stats(config: pytest.Config) -> Generator[None, Groups, Groups]:
    groups = yield
    config.stash[_GROUPS] = groups
    return groups


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None]:
    yield
    groups = [
        (group, [b for b in benchmarks if "share" in b.get("extra_info", {})])
        for group, benchmarks in config.stash.get(_GROUPS, [])
    ]
    if not any(shown for _, shown in groups):
        return
    terminalreporter.section("floor / time: 1 is what this machine can do")
    for group, shown in groups:
        terminalreporter.write_line(str(group))
        for b in sorted(shown, key=lambda b: -b["extra_info"]["share"]):
            info = b["extra_info"]
            terminalreporter.write_line(
                f"  {info['share']:8.4f}  {b['name']}  ({info['bound']}, at least "
                f"{1e3 * info['floor_seconds']:.3g} ms)"
            )
