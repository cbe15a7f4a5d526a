"""From a finding to its verdict: worst parts, numbers that are none, twins that fail."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.claims import Claim
from geometric_invariants.invariants.finding import Finding, Named
from geometric_invariants.invariants.verdicts import Settings, evaluate, failure_line, judge
from geometric_invariants.reports.files import read_results, write_results
from geometric_invariants.reports.results import Measurement, Results, Tolerance, Value, latest
from tests.measuring import CLAIMS, local, measure


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    folder = tmp_path_factory.mktemp("bert")
    tiny_models.save_bert(folder)
    model = Model("mine", folder)
    yield model
    model.release()


EVERY_PART = Claim(
    "dead_neurons", 1, "A", "Is.", "S1", Tolerance(reason="why"), (0.4, 0.6), "why", "every part"
)


def judged(finding: Finding, model: Model, claim: Claim = EVERY_PART, **fields: Any) -> Measurement:
    return judge(claim, model, finding, Settings(**{"twins": 0, "universal": True, **fields}), 0.0)


def test_a_claim_about_every_part_is_judged_by_the_worst(bert: Model) -> None:
    """Layers at 0.5 and 0.7 have a mean inside the band, and one of them is not."""
    finding = Finding(exact(0.6), "", parts={"layer 0": 0.5, "layer 1": 0.7}, part_noise=0.01)
    cell = judged(finding, bert)
    assert (cell.verdict, cell.worst_part) == ("violated", "layer 1")
    assert cell.value == Value(0.7, 0.69, 0.71, 0, "worst of 2 parts")
    assert cell.related[0].value.value == 0.6
    assert judged(dataclasses.replace(finding, parts={"layer 0": 0.5}), bert).verdict == "holds"
    assert judged(finding, bert, dataclasses.replace(EVERY_PART, of="value")).verdict == "holds"


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (Finding(exact(0.5), "", parts={"a": 0.5, "b": math.nan}), "the value is not a number (b)"),
        (Finding(exact(0.5), "", parts={"a": 0.5, "b": math.inf}), "the value is not a number (b)"),
    ],
)
def test_a_part_that_is_no_number_is_the_worst(bert: Model, finding: Finding, message: str) -> None:
    cell = judged(finding, bert)
    assert (cell.verdict, cell.value, cell.message) == ("error", None, message)
    assert failure_line(cell) == f"dead_neurons [mine]: {message}"


def test_what_stands_beside_a_value_may_be_no_number(bert: Model) -> None:
    """A NaN among the related values lost results, page and baseline of every model."""
    beside = Named("cosine over two draws", exact(math.nan), "")
    finding = Finding(exact(0.5), "", (beside,), (beside,), {"a": 0.5})
    cell = judged(finding, bert)
    assert (cell.verdict, cell.controls, cell.related[1:], cell.random) == ("holds", (), (), None)
    assert "control cosine over two draws is not a number" in cell.notes
    lost = judged(
        Finding(exact(math.nan), "", parts={}), bert, dataclasses.replace(EVERY_PART, of="value")
    )
    assert (lost.verdict, lost.message, lost.notes) == ("error", "the value is not a number", ())


class Unmeasurable(Model):
    """A model whose twins can be made, and not measured."""

    def twins(self, count: int) -> list[Model]:
        return [_Headless(self.id, self.checkpoint.location, twin_of=self)] * count


class _Headless(Model):
    @property
    def survey(self) -> Any:
        raise CheckpointError("config.json: no count of heads")


def test_twins_that_cannot_be_measured_cost_the_comparison_alone(bert: Model) -> None:
    model = Unmeasurable("mine", bert.checkpoint.location)
    for claim in ("q_sparsity", "cross_layer_correlation"):
        cell = evaluate(CLAIMS[claim], model, Settings(twins=2))
        assert cell.verdict in {"measured", "holds"}
        assert cell.random == cell.controls[0]
        assert cell.notes.count("no random twins: config.json: no count of heads") == 1
    model.release()


class Sided(Model):
    """A model whose twins' worst layers lie on either side of the band."""

    def twins(self, count: int) -> list[Model]:
        return [self] * count


def test_twins_beyond_either_edge_do_not_average_to_the_middle(
    bert: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    worst = iter((0.29, 0.72, 0.28, 0.71))
    drawn = Finding(exact(0.5), "", parts={"layer 0": 0.5})

    def one(model: Model, sampling: Any) -> Finding:
        del model, sampling
        return dataclasses.replace(drawn, parts={"layer 0": next(worst)})

    monkeypatch.setattr("geometric_invariants.invariants.verdicts.quantity", lambda _claim: one)
    model = Sided("mine", bert.checkpoint.location)
    cell = judged(dataclasses.replace(drawn, parts={"layer 0": 0.75}), model, twins=4)
    assert cell.random is not None
    assert cell.random.value.value == pytest.approx((0.71 + 0.72 + 0.72 + 0.71) / 4)
    assert cell.standing == "outside"
    model.release()


def test_random_weights_show_no_share_above_one(bert: Model) -> None:
    """Five twins at 0.99999 … 1 predict a little more than all: cut, they lie in the band."""
    share = dataclasses.replace(EVERY_PART, of="value", band=(0.9, 1.0), within=(0.0, 1.0))
    null = Named("null", dataclasses.replace(exact(1.0), low=0.99, high=1.01), "")
    cell = judged(Finding(exact(0.95), "", (null,)), bert, share)
    assert cell.random is not None
    assert (cell.random.value.high, cell.standing) == (1.0, "holds, random too")


def test_twins_of_an_unknown_class_cost_the_comparison_alone(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["MineForNothing"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = measure(local(tmp_path), Settings(twins=2), "q_sparsity", "cross_layer_correlation")
    for cell in found.values():
        assert cell.verdict in {"measured", "holds"}
        assert cell.random == cell.controls[0]
        remarks = cell.provenance.remarks
        assert any("no random twins" in said and "MineForNothing" in said for said in remarks)


def test_every_measurement_says_the_share_of_parameters_measured(bert: Model) -> None:
    cell = evaluate(CLAIMS["q_sparsity"], bert, Settings(twins=0))
    assert cell.provenance.parameters == bert.account.parameters > 0
    assert Results((cell,)).measured_share("mine") == bert.account.share


def test_two_samples_give_results_that_can_be_written(tmp_path: Path) -> None:
    entry = select_models(["minilm_l6"])["minilm_l6"]
    cells = measure(entry, Settings(samples=2, twins=0))
    results = latest(cells.values())
    write_results(results, tmp_path / "r.json")
    assert read_results(tmp_path / "r.json") == results
