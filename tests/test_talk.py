"""Talking with a small trained model: greedy and sampled, the same again from the same seed."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.fixtures.model import Model
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.commands import prompting
from geometric_invariants.invariants.experiments.modulation import talk
from geometric_invariants.invariants.experiments.modulation.kept import keep
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay, copied
from geometric_invariants.invariants.experiments.modulation.prompts import PROMPTS
from geometric_invariants.invariants.experiments.modulation.talk import Drawing, Said
from tests.measuring import FEW

GREEDY_LIMITS = [Drawing(temperature=1e-4), Drawing(top_p=1e-9), Drawing(1e-4, 1e-9)]


def test_alpha_zero_says_what_the_plain_encoder_says(t5_tiny: Model, laid: Overlay) -> None:
    laid.modulator.fix_alpha(0.0)
    for drawing in (None, Drawing(1.0, 0.9, 3)):
        plain = talk.texts_of(t5_tiny, PROMPTS, drawing=drawing)
        same = talk.texts_of(t5_tiny, PROMPTS, laid.modulator, drawing=drawing)
        for said in talk.held_against(t5_tiny, PROMPTS, plain, same):
            assert said.is_identical
            assert said.plain == said.modulated
        assert any(plain)


def test_texts_are_no_longer_than_asked(t5_tiny: Model) -> None:
    for drawing in (None, Drawing(50.0, 1.0)):
        texts = talk.texts_of(t5_tiny, PROMPTS, tokens=3, drawing=drawing)
        assert max(map(len, texts)) == 3


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 0.9), (0.7, 0.5), (2.0, 1.0)])
def test_texts_are_drawn_as_transformers_draws_them(
    t5_tiny: Model, temperature: float, top_p: float
) -> None:
    """From the same random numbers, token for token."""
    (ids,) = talk.token_ids(t5_tiny, PROMPTS[:1])
    module = t5_tiny.loaded.module
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        drawing = Drawing(temperature, top_p)
        own = talk.drawn(t5_tiny, ids, drawing, generator, tokens=12)
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(seed)
            theirs = module.generate(
                input_ids=torch.tensor([ids]),
                do_sample=True,
                temperature=temperature,
                top_p=top_p,
                top_k=0,
                max_new_tokens=12,
            )[0, 1:].tolist()
        end = module.config.eos_token_id
        assert own == (theirs[: theirs.index(end)] if end in theirs else theirs)


@pytest.mark.parametrize("drawing", GREEDY_LIMITS)
def test_towards_no_temperature_and_no_mass_it_is_greedy(t5_tiny: Model, drawing: Drawing) -> None:
    assert talk.texts_of(t5_tiny, PROMPTS, drawing=drawing, tokens=16) == talk.texts_of(
        t5_tiny, PROMPTS, tokens=16
    )


@pytest.mark.parametrize(("temperature", "top_p"), [(0, 0.9), (-1, 0.9), (1, 0), (1, 1.1)])
def test_the_limits_themselves_are_refused(temperature: float, top_p: float) -> None:
    with pytest.raises(ValueError, match="not"):
        Drawing(temperature, top_p)


@given(
    st.lists(st.floats(-8, 8), min_size=2, max_size=20),
    st.floats(0.1, 5),
    st.floats(0.01, 1),
)
def test_the_nucleus_is_the_fewest_tokens_that_hold_the_mass(
    logits: list[float], temperature: float, top_p: float
) -> None:
    shares = torch.softmax(torch.tensor(logits).double() / temperature, 0)
    kept = talk.nucleus(torch.tensor(logits).double(), Drawing(temperature, top_p))
    inside = kept > 0
    torch.testing.assert_close(kept[inside], shares[inside])
    assert inside.any()
    assert shares[inside].sum() >= top_p - 1e-6
    assert shares[inside].sum() - shares[inside].min() <= top_p + 1e-6
    assert shares[inside].min() >= shares[~inside].max() if (~inside).any() else True


def test_what_a_prompt_draws_depends_on_seed_and_prompt_alone(t5_tiny: Model) -> None:
    drawing = Drawing(1.5, 0.9, seed=4)
    together = talk.texts_of(t5_tiny, PROMPTS, drawing=drawing, tokens=12)
    turned = talk.texts_of(t5_tiny, PROMPTS[::-1], drawing=drawing, tokens=12)
    assert together == turned[::-1]
    assert talk.texts_of(t5_tiny, PROMPTS[2:3], drawing=drawing, tokens=12) == together[2:3]
    assert talk.texts_of(t5_tiny, PROMPTS, drawing=Drawing(1.5, 0.9, 5), tokens=12) != together


def test_tokens_that_only_the_longer_text_has_differ(t5_tiny: Model) -> None:
    found = talk.held_against(t5_tiny, ["a", "b"], [[5, 6], [7]], [[5, 7, 8], [7]])
    assert [(one.differing, one.tokens) for one in found] == [(2, 3), (0, 1)]
    assert [prompting.verdict(one) for one in found] == ["2 of 3 tokens differ", "IDENTICAL"]
    assert prompting.verdict(Said("", "", "", 0, 0)) == "IDENTICAL"


def test_talk_repeats_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = importlib.import_module("geometric_invariants.invariants.commands.talk")
    monkeypatch.setattr(command, "Sampling", lambda: FEW)
    file = tmp_path / "prompts.txt"
    file.write_text("summarize: a large grey animal with a trunk\n\nsummarize: to move fast\n")
    data = tmp_path / "said.json"
    options = ["--prompts", str(file), "--sample", "--top-p", "0.9", "--seed", "0"]
    options += ["--alpha", "0.2", "0.5", "--tokens", "12", "--json", str(data)]
    said = []
    for _ in range(2):
        assert main(["talk", "t5_tiny", *options]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "2 prompts, WordNet's geometry, sampled: temperature 0.7, top-p 0.9, seed 0" in said[0]
    content = json.loads(data.read_text())
    assert [(one["α"], one["prompt"][-4:]) for one in content] == [
        *(("0.2", "runk"), ("0.2", "fast"), ("0.5", "runk"), ("0.5", "fast"))
    ]
    assert all(one["identical"] == (one["plain"] == one["modulated"]) for one in content)


def test_the_sweep_is_the_sources() -> None:
    assert importlib.import_module("geometric_invariants.invariants.commands.talk").ALPHAS == (
        0.01,
        0.05,
        0.1,
        0.2,
        0.5,
    )


def test_a_trained_modulator_talks_at_its_own_alpha(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], t5_tiny: Model, laid: Overlay
) -> None:
    keep(t5_tiny, copied(laid.modulator, 0.2), "α from 0.2", tmp_path / "kept.pt")
    options = ["--load", str(tmp_path / "kept.pt"), "--tokens", "4"]
    assert main(["talk", "t5_tiny", *options]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("7 prompts, trained, α from 0.2, greedy, at most 4 tokens")
    assert "α = 0.2000, 0.2000, 0.2000, 0.2000 as learned" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("t5_tiny --alpha 2", "α must lie in [0, 1], not 2"),
        ("t5_tiny --alpha nan", "α must lie in [0, 1], not nan"),
        ("t5_tiny --prompts nowhere.txt", "nowhere.txt: not a readable file of prompts"),
        ("t5_tiny --prompts EMPTY", "holds no prompt; write one a line"),
        ("t5_tiny --sample --top-p 0", "top-p must lie above 0"),
        ("t5_tiny --sample --temperature 0", "a temperature must be positive, not 0"),
        ("t5_tiny --load nowhere.pt", "nowhere.pt: no such file"),
        ("minilm_l6 hello", "only an encoder–decoder"),
    ],
)
def test_wrong_inputs_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    (tmp_path / "empty").write_text("\n \n")
    given_ = arguments.replace("EMPTY", str(tmp_path / "empty")).split()
    assert main(["talk", *given_]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
