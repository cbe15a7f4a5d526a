"""Quantities of token representations against WordNet (SPEC R1 – R7, S3)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fixtures.model import Model
from geometry import estimate, relations, seeds
from geometry.estimate import Estimate, Sampling, exact
from geometry.relations import Alignment
from invariants.experiments import relations as experiment
from invariants.experiments import stability as over_seeds
from invariants.experiments.relations import Words
from invariants.finding import Finding, Named, NotApplicableError
from reports.exhibits import Figure

_FEWEST_LONG_CHAINS = 10


def wordnet_matched(model: Model) -> Finding:
    """Entries of WordNet whose lemma is one token of this vocabulary."""
    matched = experiment.matched_words(model)
    parts = [experiment.wordnet().parts_of_speech[s] for s in matched.synsets.tolist()]
    return Finding(
        estimate=exact(len(matched)),
        design=f"WordNet {experiment.wordnet().version}",
        related=(
            Named("distinct synsets", exact(matched.distinct_synsets()), "of the entries"),
            *(
                Named(name, exact(parts.count(name)), "entries of this part of speech")
                for name in sorted(set(parts))
            ),
        ),
    )


def static_encoder_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine of a word's embedding row with the encoding of its definition."""
    words = experiment.words_of(model, sampling)
    cosines = experiment.agreement(words)
    order = torch.randperm(len(words), generator=sampling.generator("words shuffled"))
    unit = words.unit
    shuffled = (unit["static"][order] * unit["encoder"]).sum(1)
    norms = torch.linalg.vector_norm(words.encoder, dim=1, dtype=torch.float64)
    return Finding(
        estimate=estimate.mean(cosines),
        design=_design(model, words),
        controls=(Named("words shuffled", estimate.mean(shuffled), "rows of other words"),),
        related=(
            Named("std over words", exact(cosines.std(correction=0).item()), "of the cosine"),
            Named("encoding norm", estimate.mean(norms), "mean over words"),
            Named("words", exact(len(words)), "encoded"),
        ),
    )


def relational_alignment(model: Model, sampling: Sampling) -> Finding:
    """Pearson of path similarity with the cosine of encoded definitions, over random pairs."""
    found = experiment.align(model, sampling)
    within = found.shuffled_within.pearson
    kinds = (
        ("encoder", found.encoder),
        ("static", found.static),
        ("shuffled", found.shuffled),
        ("shuffled within part of speech", found.shuffled_within),
    )
    return Finding(
        estimate=found.encoder.pearson,
        design=f"{_design(model, experiment.words_of(model, sampling))}, pairs of at most"
        f" {experiment.ALIGNED_WORDS}",
        controls=(
            Named("synsets shuffled", found.shuffled.pearson, "dealt to the words at random"),
            Named("shuffled within part of speech", within, "parts of speech kept"),
        ),
        related=(
            Named("lift over static", found.lift, "Pearson of encoder less that of static"),
            *(named for name, aligned in kinds for named in _described(name, aligned)),
            Named("pairs", exact(found.pairs), f"of {found.words} words, with a similarity"),
        ),
        figures=(
            Figure(
                "mean cosine by band of path similarity",
                "lines",
                tuple(map(str, relations.BANDS)),
                {name: _band_means(aligned) for name, aligned in kinds},
            ),
        ),
    )


def encoder_relational_lift(model: Model, sampling: Sampling) -> Finding:
    """Pearson of path similarity with encoder cosine less that with static cosine, by seed."""
    found = over_seeds.stability(model, sampling)
    null = found.shuffled["lift"]
    return Finding(
        estimate=seeds.mean_over(found.values["lift"]),
        design=f"{_design(model, found.words)}, {over_seeds.DESIGN}",
        controls=(Named("synsets shuffled", seeds.least(null), "least of as many seeds"),),
        related=(
            Named("synsets shuffled, mean", seeds.mean_over(null), "among the same words"),
            *_ranges(found.values, "static pearson", "encoder pearson", "lift"),
        ),
        parts=_by_seed(found.values["lift"]),
        part_noise=found.lift_noise,
        notes=_without(found.values["lift"]),
    )


def hypernym_decay(model: Model, sampling: Sampling) -> Finding:
    """Mean encoder cosine at the first matched ancestor less that at the fifth, by seed."""
    words = experiment.words_of(model, sampling)
    long = int((words.chains[:, 5] >= 0).sum())
    decay = relations.chain_decay(words.unit["encoder"], words.chains)
    if long < _FEWEST_LONG_CHAINS or not math.isfinite(decay.half_width):
        raise NotApplicableError(
            f"of {len(words)} words {long} begin a chain of five matched hypernyms: too few"
        )
    found = over_seeds.stability(model, sampling)
    null = found.shuffled["encoder decay"]
    return Finding(
        estimate=seeds.mean_over(_finite(found.values["encoder decay"])),
        design=f"{_design(model, words)}, {over_seeds.DESIGN}",
        controls=(Named("words shuffled", seeds.least(_finite(null)), "least of as many seeds"),),
        related=(
            Named("words shuffled, mean", seeds.mean_over(_finite(null)), "among the synsets"),
            Named("all chains", decay, "at once"),
            Named("chains", exact(len(words.chains)), f"{long} of them reach a fifth"),
            *_ranges(found.values, "static decay", "encoder decay"),
        ),
        parts=_by_seed(found.values["encoder decay"]),
        part_noise=found.decay_noise,
        notes=_without(found.values["encoder decay"]),
        figures=(
            Figure(
                "mean cosine to the start, by matched ancestor",
                "lines",
                tuple(float(p) for p in range(1, 8)),
                experiment.cosines_by_ancestor(words),
            ),
        ),
    )


def stability_over_seeds(model: Model, sampling: Sampling) -> Finding:
    """std/mean over seeds of the pentachoron CV of encoded words; of all others beside it."""
    found = over_seeds.stability(model, sampling)
    drawn = experiment.pentachora(model, sampling).second
    null = seeds.relative_std_of_cv(drawn, over_seeds.SIMPLICES, over_seeds.SEEDS)
    return Finding(
        estimate=seeds.relative_std(found.values["encoder cv"]),
        design=f"{_design(model, found.words)}, {over_seeds.DESIGN}",
        controls=(
            Named(
                "one unchanging cloud",
                null,
                f"what {over_seeds.SIMPLICES} simplices a seed show of it, in closed form",
            ),
        ),
        related=(
            *(
                Named(f"{name}: std/mean", seeds.relative_std(values), "over seeds")
                for name, values in found.values.items()
                if values.isfinite().all()
            ),
            *_ranges(found.values, *found.values),
            *_ranges(found.shuffled, *found.shuffled, prefix="shuffled "),
        ),
        notes=_dropped(found.dropped),
    )


def paired_volume_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of the volumes of the same pentachora of words, static and encoded."""
    volumes = experiment.pentachora(model, sampling)
    static, encoder = volumes.first, volumes.second
    order = torch.randperm(len(static), generator=sampling.generator("pentachora shuffled"))
    return Finding(
        estimate=_fisher(static, encoder),
        design=_design(model, experiment.words_of(model, sampling)),
        controls=(Named("simplices shuffled", _fisher(static[order], encoder), "other words'"),),
        related=(
            Named("static CV", estimate.coefficient_of_variation(static), "of the volumes"),
            Named("encoder CV", estimate.coefficient_of_variation(encoder), "of the volumes"),
            Named("static volume", estimate.mean(static), "mean"),
            Named("encoder volume", estimate.mean(encoder), "mean"),
        ),
        notes=_dropped(volumes.dropped),
    )


def lexicographer_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean over lexicographer categories of the cosine inside one, encoded definitions."""
    words = experiment.words_of(model, sampling)
    categories = words.categories
    if len(categories) < 2:
        raise NotApplicableError("fewer than two categories have ten matched words")
    inside = {name: relations.intra_cosines(u, categories) for name, u in words.unit.items()}
    order = torch.randperm(len(words), generator=sampling.generator("categories shuffled"))
    shuffled = relations.intra_cosines(words.unit["encoder"][order], categories)
    return Finding(
        estimate=_mean_of(inside["encoder"]),
        design=f"{_design(model, words)}, categories of ten or more",
        controls=(Named("words shuffled", _mean_of(shuffled), "among the categories"),),
        related=(
            Named("static", _mean_of(inside["static"]), "the same of embedding rows"),
            Named("categories", exact(len(categories)), "of ten or more matched words"),
        ),
        figures=(
            Figure(
                "cosine inside a category",
                "heatmap",
                tuple(categories),
                {name: tuple(values.values()) for name, values in inside.items()},
            ),
        ),
    )


def _described(name: str, aligned: Alignment) -> tuple[Named, ...]:
    """What the pairs give; without close pairs, say, there is no gradient."""
    found = (
        Named(f"{name}: Pearson", aligned.pearson, "with path similarity"),
        Named(f"{name}: Spearman", aligned.spearman, "with path similarity"),
        Named(f"{name}: gradient", aligned.gradient, "mean cosine at ≥ 0.25 less that at < 0.10"),
    )
    return tuple(named for named in found if math.isfinite(named.estimate.half_width))


def _band_means(aligned: Alignment) -> tuple[float | None, ...]:
    return tuple(mean if count else None for count, mean in aligned.bands)


def _design(model: Model, words: Words) -> str:
    """How words are encoded, and which."""
    prompt = experiment.prompt_of(model)
    return f"{f'prompt {prompt.strip()!r}' if prompt else 'no prompt'}, {words.drawn}"


def _finite(values: Tensor) -> Tensor:
    return values[values.isfinite()]


def _without(values: Tensor) -> tuple[str, ...]:
    """How many seeds have no value, if any."""
    missing = int((~values.isfinite()).sum())
    return (f"{missing} of {len(values)} seeds drew nothing to measure",) if missing else ()


def _by_seed(values: Tensor) -> dict[str, float]:
    """The value of each seed that has one."""
    return {f"seed {seed}": v for seed, v in enumerate(values.tolist()) if math.isfinite(v)}


def _ranges(found: Mapping[str, Tensor], *names: str, prefix: str = "") -> tuple[Named, ...]:
    """Mean, with the least and the greatest over seeds as the interval."""
    return tuple(
        Named(
            f"{prefix}{name}, least to greatest",
            Estimate(v.mean().item(), v.min().item(), v.max().item(), len(v), "range over seeds"),
            "over seeds",
        )
        for name in names
        for v in (_finite(found[name]),)
        if len(v)
    )


def _dropped(count: int) -> tuple[str, ...]:
    return (f"{count} simplices with V² ≤ 0 in one of the two dropped",) if count else ()


def _fisher(x: Tensor, y: Tensor) -> Estimate:
    """Correlation of independent draws with Fisher's interval."""
    value = relations.pearson(x, y)
    centre = torch.tensor(value, dtype=torch.float64).atanh()
    reach = estimate.Z95 / (len(x) - 3) ** 0.5
    low, high = (centre - reach).tanh().item(), (centre + reach).tanh().item()
    return Estimate(value, low, high, len(x), "Fisher's z")


def _mean_of(values: dict[str, float]) -> Estimate:
    return estimate.mean(torch.tensor(list(values.values())))
