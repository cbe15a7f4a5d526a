"""The `measure` fixture: the one door from a test to a verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

from geometric_invariants.fixtures import scheduling
from geometric_invariants.invariants import verdicts
from geometric_invariants.invariants.claims import Claim, ClaimsError, load_claims, only
from geometric_invariants.invariants.verdicts import DEFAULT_SAMPLES, Settings
from geometric_invariants.reports.files import to_json
from geometric_invariants.reports.plugin import BASELINE, CLAIM_IDS, MEASUREMENT

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.finding import Finding

Measure = Callable[["Finding"], None]
CLAIMS = pytest.StashKey[dict[str, Claim]]()
SETTINGS = pytest.StashKey[Settings]()


def pytest_configure(config: pytest.Config) -> None:
    try:
        claims = load_claims()
        tolerances = dict(_tolerance(text, claims) for text in config.getoption("--tolerance"))
    except ClaimsError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[CLAIMS] = claims
    config.stash[CLAIM_IDS] = frozenset(claims)
    config.stash[SETTINGS] = Settings(
        seed=config.getoption("--seed"),
        samples=config.getoption("--samples") or DEFAULT_SAMPLES,
        twins=0 if config.getoption("--only") else config.getoption("--twins"),
        universal=config.getoption("--claims") == "universal",
        tolerances=tolerances,
        baseline=config.stash[BASELINE],
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what `--only` names."""
    if config.getoption("--only") is None:
        return
    left = only(config.stash[CLAIMS], config.getoption("--only"))
    chosen = [item for item in items if (claim := _claim_of(item)) and claim.id in left]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give a cell that has no value its verdict and its reason; other tests are pytest's alone."""
    report = yield
    claim, model = _claim_of(item), scheduling.model_of(item)
    error = None if call.excinfo is None else call.excinfo.value
    # pytest's own outcomes (a skip, an exit) are no Exception.
    if claim is None or model is None or not isinstance(error, Exception):
        return report
    if MEASUREMENT in item.stash:
        return report
    measurement = verdicts.without_value(claim, model, error, item.config.stash[SETTINGS])
    item.stash[MEASUREMENT] = to_json(measurement)
    if measurement.fails:
        report.outcome = "failed"
        if verdicts.is_expected(error):
            report.longrepr = verdicts.failure_line(measurement)
    else:
        report.outcome = "skipped"
        path, line, _ = item.location
        report.longrepr = (path, line or 0, f"{measurement.verdict}: {error}")
    return report


@pytest.fixture
def sampling(request: pytest.FixtureRequest, model: Model) -> Sampling:
    """The draws that this test may make on this model, to clear its claim's band if it has one."""
    settings = request.config.stash[SETTINGS]
    return settings.sampling(_claim_of(request.node), model.id)


@pytest.fixture
def measure(request: pytest.FixtureRequest, model: Model) -> Measure:
    """Judge a finding as this test's claim on this model, record it, and fail with one line."""
    start = time.perf_counter()

    def record(finding: Finding) -> None:
        claim, settings = _claim_of(request.node), request.config.stash[SETTINGS]
        if claim is None:
            pytest.fail(
                f"{request.node.name} is named for no claim, so none is judged", pytrace=False
            )
        seconds = time.perf_counter() - start
        measurement = verdicts.judge(claim, model, finding, settings, seconds)
        request.node.stash[MEASUREMENT] = to_json(measurement)
        if measurement.fails:
            pytest.fail(verdicts.failure_line(measurement), pytrace=False)

    return record


def _claim_of(item: pytest.Item) -> Claim | None:
    """The claim that a test is named for: test_q_sparsity asserts q_sparsity, test_mine none."""
    name = getattr(item, "originalname", item.name)
    return item.config.stash[CLAIMS].get(name.removeprefix("test_"))


def _tolerance(text: str, claims: dict[str, Claim]) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError as error:
        raise ClaimsError(f"--tolerance {text}: use CLAIM=NUMBER") from error
    if name not in claims:
        raise ClaimsError(f"--tolerance {text}: no such claim; known: {', '.join(claims)}")
    if not 0 <= number < float("inf"):
        raise ClaimsError(f"--tolerance {text}: must be a finite number, zero or more")
    return name, number
