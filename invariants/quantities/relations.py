"""Quantities of token representations against WordNet (SPEC R1 – R7, S3)."""

from __future__ import annotations

import torch
from torch import Tensor

from fixtures.model import Model
from geometry import estimate, relations
from geometry.estimate import Estimate, Sampling, exact
from geometry.relations import Alignment
from invariants.experiments import relations as experiment
from invariants.finding import Finding, Named, NotApplicableError
from reports.results import Figure


def wordnet_matched(model: Model, sampling: Sampling) -> Finding:
    """Entries of WordNet whose lemma is one token of this vocabulary."""
    del sampling
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
        design=f"{len(words)} words",
        controls=(Named("words shuffled", estimate.mean(shuffled), "rows of other words"),),
        related=(
            Named("std over words", exact(cosines.std(correction=0).item()), "of the cosine"),
            Named("encoding norm", estimate.mean(norms), "mean over words"),
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
        design=f"{found.words} words",
        controls=(
            Named("synsets shuffled", found.shuffled.pearson, "dealt to the words at random"),
            Named("shuffled within part of speech", within, "parts of speech kept"),
        ),
        related=(
            Named("lift over static", found.lift, "Pearson of encoder less that of static"),
            *(named for name, aligned in kinds for named in _described(name, aligned)),
        ),
        figures=(
            Figure(
                "mean cosine by band of path similarity",
                "lines",
                tuple(f"{low:g} – {high:g}" for low, high in relations.BANDS),
                {name: _band_means(aligned) for name, aligned in kinds},
            ),
        ),
    )


def encoder_relational_lift(model: Model, sampling: Sampling) -> Finding:
    """Pearson of path similarity with encoder cosine less that with static cosine, over seeds."""
    found = experiment.stability(model, sampling)
    return Finding(
        estimate=_over_seeds(found["lift"]),
        design=_seeds(found),
        controls=(
            Named("synsets shuffled", _over_seeds(found["shuffled lift"]), "among the same words"),
        ),
        related=_ranges(found, "static pearson", "encoder pearson", "lift"),
    )


def hypernym_decay(model: Model, sampling: Sampling) -> Finding:
    """Mean encoder cosine at the first matched ancestor less that at the fifth, over seeds."""
    words = experiment.words_of(model, sampling)
    if int((words.chains[:, 5] >= 0).sum()) < 10:
        raise NotApplicableError("too few chains of matched hypernyms reach a fifth")
    found = experiment.stability(model, sampling)
    by_position = experiment.decay_by_position(words)
    return Finding(
        estimate=_over_seeds(found["encoder decay"]),
        design=f"{len(words.chains)} chains, {_seeds(found)}",
        controls=(
            Named(
                "words shuffled", _over_seeds(found["shuffled encoder decay"]), "among the synsets"
            ),
        ),
        related=_ranges(found, "static decay", "encoder decay"),
        figures=(
            Figure(
                "mean cosine to the start, by matched ancestor",
                "lines",
                tuple(float(p) for p in range(1, 8)),
                {name: tuple(values.tolist()) for name, values in by_position.items()},
            ),
        ),
    )


def stability_over_seeds(model: Model, sampling: Sampling) -> Finding:
    """std/mean over seeds of the pentachoron CV of encoded words; of all others beside it."""
    found = experiment.stability(model, sampling)
    return Finding(
        estimate=_with_chi(found["encoder cv"]),
        design=_seeds(found),
        related=(
            *(
                Named(f"{name}: std/mean", exact(_relative_std(values)), "over seeds")
                for name, values in found.items()
                if not name.startswith("shuffled")
            ),
            *_ranges(found, *found),
        ),
    )


def paired_volume_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of the volumes of the same pentachora of words, static and encoded."""
    volumes = experiment.pentachora(model, sampling)
    static, encoder = volumes["static"], volumes["encoder"]
    order = torch.randperm(len(static), generator=sampling.generator("pentachora shuffled"))
    return Finding(
        estimate=_fisher(static, encoder),
        design="words of one vocabulary",
        controls=(Named("simplices shuffled", _fisher(static[order], encoder), "other words'"),),
        related=(
            Named("static CV", estimate.coefficient_of_variation(static), "of the volumes"),
            Named("encoder CV", estimate.coefficient_of_variation(encoder), "of the volumes"),
        ),
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
        design=f"{len(categories)} categories",
        controls=(Named("words shuffled", _mean_of(shuffled), "among the categories"),),
        related=(Named("static", _mean_of(inside["static"]), "the same of embedding rows"),),
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
    return (
        Named(f"{name}: Pearson", aligned.pearson, "with path similarity"),
        Named(f"{name}: Spearman", aligned.spearman, "with path similarity"),
        Named(f"{name}: gradient", aligned.gradient, "mean cosine at ≥ 0.25 less that at < 0.10"),
    )


def _band_means(aligned: Alignment) -> tuple[float | None, ...]:
    return tuple(mean if count else None for count, mean in aligned.bands)


def _over_seeds(values: Tensor) -> Estimate:
    return estimate.quantile_interval(values, values.mean().item(), "over seeds")


def _ranges(found: dict[str, Tensor], *names: str) -> tuple[Named, ...]:
    """Mean, with the least and the greatest over seeds as the interval."""
    return tuple(
        Named(
            f"{name}, least to greatest",
            Estimate(v.mean().item(), v.min().item(), v.max().item(), len(v), "range over seeds"),
            "over seeds",
        )
        for name in names
        for v in (found[name],)
    )


def _with_chi(values: Tensor) -> Estimate:
    """std/mean over seeds; a std over n seeds is known to about 1/√(2(n − 1)) of itself."""
    value = _relative_std(values)
    error = value / (2 * (len(values) - 1)) ** 0.5
    return estimate.normal(value, error, len(values), "normal draws")


def _relative_std(values: Tensor) -> float:
    return (values.std() / values.mean().abs()).item()


def _seeds(found: dict[str, Tensor]) -> str:
    return f"{len(found['lift'])} seeds"


def _fisher(x: Tensor, y: Tensor) -> Estimate:
    """Correlation of independent draws with Fisher's interval."""
    value = relations.pearson(x, y)
    centre = torch.tensor(value, dtype=torch.float64).atanh()
    reach = estimate.Z95 / (len(x) - 3) ** 0.5
    low, high = (centre - reach).tanh().item(), (centre + reach).tanh().item()
    return Estimate(value, low, high, len(x), "Fisher's z")


def _mean_of(values: dict[str, float]) -> Estimate:
    return estimate.mean(torch.tensor(list(values.values())))
