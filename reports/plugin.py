"""pytest plugin: collects measurements, writes results, page and baseline, and sums up the run."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from geometric_invariants.reports import baseline
from geometric_invariants.reports.files import (
    ResultsError,
    from_json,
    read_results,
    write_atomically,
    write_results,
)
from geometric_invariants.reports.options import output_file
from geometric_invariants.reports.results import Measurement, Results, latest
from geometric_invariants.reports.terminal import text_summary

MEASUREMENT = pytest.StashKey[dict[str, Any]]()
BASELINE = pytest.StashKey[Results | None]()
CLAIM_IDS = pytest.StashKey[frozenset[str]]()  # a lost test named for one of these is a lost cell
OPTION_GROUP = "geometric invariants"
# No claim is marked large or exhaustive, which a run leaves out by default.
_MARKS_OF_ALL = ("", "not large", "not exhaustive", "not large and not exhaustive")
_CELL = re.compile(r".*invariants/test_\w+\.py::test_(?P<claim>\w+)\[(?P<model>[a-z0-9_]+)\]")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(OPTION_GROUP, "geometric invariants of transformer checkpoints")
    group.addoption("--report", type=output_file, metavar="FILE.html", help="write the page there")
    group.addoption("--results", type=output_file, metavar="FILE.json", help="write the data there")
    group.addoption(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="results of an earlier run; a value that moved by more than its tolerance fails, and "
        "so does a model of which nothing could be compared",
    )
    group.addoption(
        "--require-baseline",
        action="store_true",
        help="fail the run unless every value measured was compared with the --baseline",
    )
    group.addoption(
        "--update-baseline",
        action="store_true",
        help="write this run's values into the --baseline file instead of judging by it",
    )
    group.addoption(
        "--update-baseline-new-only",
        action="store_true",
        help="judge by the --baseline file, and add the values that it does not hold yet",
    )


@pytest.hookimpl(tryfirst=True)  # invariants/conftest.py reads the baseline
def pytest_configure(config: pytest.Config) -> None:
    file, update = config.getoption("--baseline"), config.getoption("--update-baseline")
    new_only = config.getoption("--update-baseline-new-only")
    for option in ("--update-baseline", "--update-baseline-new-only", "--require-baseline"):
        if config.getoption(option) and file is None:
            raise pytest.UsageError(f"{option} needs --baseline FILE")
    if update and new_only:
        raise pytest.UsageError("--update-baseline and --update-baseline-new-only exclude another")
    if update and config.getoption("--require-baseline"):
        raise pytest.UsageError("--update-baseline and --require-baseline exclude another")
    stored = None
    if file is not None and (file.exists() or not (update or new_only)):
        try:
            stored = read_results(file)
        except ResultsError as error:
            raise pytest.UsageError(f"--baseline: {error}") from error
    config.stash[BASELINE] = None if update else stored
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collector(config, stored), "measurement-collector")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Carry the measurement on the report, which crosses from worker to controller."""
    report = yield
    if MEASUREMENT in item.stash:
        report.measurement = item.stash[MEASUREMENT]  # type: ignore[attr-defined]
    return report


class Collector:
    """The measurements of a run, on the process that the user started."""

    def __init__(self, config: pytest.Config, stored: Results | None) -> None:
        self.config = config
        self.stored = stored
        self.measurements: list[Measurement] = []
        self.problems: list[str] = []
        self.written: list[str] = []

    @property
    def results(self) -> Results:
        return latest(self.measurements)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        content = getattr(report, "measurement", None)
        if content is not None:
            self.measurements.append(from_json(content))
            return
        cell = _CELL.fullmatch(report.nodeid)
        # Its worker was killed, or something around the test raised.
        if report.failed and cell and cell["claim"] in self.config.stash.get(CLAIM_IDS, ()):
            reason = " ".join(str(report.longrepr).split())[-300:] or "its worker was killed"
            self.measurements.append(
                Measurement(cell["model"], cell["claim"], "error", message=reason)
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        if self.measurements:
            self.problems = self._problems()
            try:
                self._write()
            except ResultsError as error:
                self.problems.append(str(error))
            if self.problems and session.exitstatus in (pytest.ExitCode.OK, 5):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        result = yield
        if self.measurements:
            self._last_line()
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.measurements:
            return
        terminalreporter.section("invariants")
        for line in text_summary(self.results):
            terminalreporter.write_line(line)
        for line in self.written:
            terminalreporter.write_line(line)
        for problem in self.problems:
            terminalreporter.write_line(problem, red=True)

    def _problems(self) -> list[str]:
        """What fails the run though no test did."""
        lines = []
        results = self.results
        stored = self.config.stash[BASELINE]
        if stored is not None:
            lines += self._uncompared()
            if self._is_whole():
                lines += [f"vanished: {line}" for line in baseline.unmeasured(stored, results)]
        required = self.config.getoption("--require-models", None)
        measured = set(results.measured_models())
        wanted = {"all": results.models(), "any": [], None: []}.get(
            required, (required or "").split(",")
        )
        lines += [f"--require-models: {m} was not measured" for m in wanted if m not in measured]
        if required == "any" and not measured:
            lines.append("--require-models any: no model was measured")
        return lines

    def _uncompared(self) -> list[str]:
        """What the baseline says nothing about; values that it takes up now are no such thing."""
        option, results = self.config.option, self.results
        if option.update_baseline_new_only:
            results = Results(tuple(m for m in results.measurements if m.change != "new"))
        lines = baseline.uncompared(results, every=option.require_baseline)
        name = "--require-baseline" if option.require_baseline else "--baseline"
        return [f"{name}: {line}" for line in lines]

    def _is_whole(self) -> bool:
        """Whether every claim of every selected model took part."""
        option = self.config.option
        marked = option.markexpr not in _MARKS_OF_ALL
        only = self.config.getoption("--only", None)
        narrowed = option.keyword or marked or option.deselect or option.maxfail or only
        return not narrowed and not any(".py" in argument for argument in self.config.args)

    def _write(self) -> None:
        option, results = self.config.option, self.results
        if option.results:
            write_results(results, option.results)
            self.written.append(f"results: {option.results.resolve()}")
        if option.report:
            from geometric_invariants.reports import (
                page,  # Jinja2 is not worth loading to collect tests
            )

            write_atomically(option.report, page.render(results))
            self.written.append(f"report: {option.report.resolve()}")
        if option.update_baseline or option.update_baseline_new_only:
            new, lines = baseline.updated(
                self.stored or Results(()), results, new_only=option.update_baseline_new_only
            )
            write_results(new, option.baseline)
            self.written.append(f"baseline: {option.baseline.resolve()}, {len(lines)} values")
            self.written += [f"  {line}" for line in lines]

    def _last_line(self) -> None:
        """What was measured, what was compared, and what of either was not."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        results, stored = self.results, self.config.stash[BASELINE]
        said = [results.coverage(), baseline.summary(results)]
        if stored is not None and self._is_whole():
            absent = baseline.absent_models(stored, results)
            said += [f"in the baseline, but not measured: {', '.join(absent)}"] if absent else []
        reporter.write_line("; ".join(filter(None, said)))
