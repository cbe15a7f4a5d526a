"""Quantities of token representations against WordNet (SPEC R1 – R7, S3)."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import estimate, relations, seeds
from geometric_invariants.geometry.chains import chain_decay
from geometric_invariants.geometry.estimate import Estimate, Sampling, exact
from geometric_invariants.geometry.relations import Alignment
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.experiments import relations as experiment
from geometric_invariants.invariants.experiments import relations_exhibits as exhibits
from geometric_invariants.invariants.experiments import stability as over_seeds
from geometric_invariants.invariants.experiments.relations import Words
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.reports.exhibits import Figure

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
    bare = Finding(estimate.mean(cosines), _design(model, words))
    if model.is_twin:
        return bare
    order = torch.randperm(len(words), generator=sampling.generator("words shuffled"))
    unit = words.unit
    shuffled = (unit["static"][order] * unit["encoder"]).sum(1)
    return replace(
        bare,
        controls=(Named("words shuffled", estimate.mean(shuffled), "rows of other words"),),
        related=(
            Named("std over words", exact(cosines.std(correction=0).item()), "of the cosine"),
            Named("words", exact(len(words)), "encoded"),
        ),
        tables=(exhibits.norms(words), exhibits.throughput(words)),
        figures=(
            drawn.histogram(
                "cosine of static and encoder",
                {"paired": cosines, "words shuffled": shuffled},
                x_label="cosine of a word's row and its definition",
            ),
        ),
    )


def relational_alignment(model: Model, sampling: Sampling) -> Finding:
    """Pearson of path similarity with the cosine of encoded definitions, over random pairs."""
    words = experiment.words_of(model, sampling)
    design = f"{_design(model, words)}, pairs of at most {experiment.ALIGNED_WORDS}"
    if model.is_twin:
        return Finding(experiment.encoder_alignment(model, sampling), design)
    found = experiment.align(model, sampling)
    kinds = (
        ("encoder", found.encoder),
        ("static", found.static),
        ("shuffled", found.shuffled),
        ("shuffled within part of speech", found.shuffled_within),
    )
    within = found.shuffled_within.pearson
    return Finding(
        estimate=found.encoder.pearson,
        design=design,
        controls=(
            Named("synsets shuffled", found.shuffled.pearson, "dealt to the words at random"),
            Named("shuffled within part of speech", within, "parts of speech kept"),
        ),
        related=(
            Named("lift over static", found.lift.pearson, "Pearson of encoder less that of static"),
            Named("lift over static, Spearman", found.lift.spearman, "the same of ranks"),
            *(named for name, aligned in kinds for named in _described(name, aligned)),
            Named("pairs", exact(len(found.pairs)), f"of {found.words} words, with a similarity"),
        ),
        tables=(exhibits.by_band(found),),
        figures=(
            Figure(
                "mean cosine by band of path similarity",
                "lines",
                tuple(map(str, relations.BANDS)),
                {name: _band_means(aligned) for name, aligned in kinds},
                x_label="path similarity",
                y_label="mean cosine of two words",
            ),
            exhibits.by_similarity(found, sampling.generator("pairs shuffled")),
        ),
    )


def encoder_relational_lift(model: Model, sampling: Sampling) -> Finding:
    """Pearson of path similarity with encoder cosine less that with static cosine, by seed."""
    found = over_seeds.stability(model, sampling)
    lifts = found.values["lift"]
    bare = Finding(
        seeds.mean_over(lifts),
        f"{_design(model, found.words)}, {over_seeds.DESIGN}",
        parts=_by_seed(lifts),
    )
    if model.is_twin:
        return bare
    null = found.shuffled["lift"]
    return replace(
        bare,
        controls=(Named("synsets shuffled", seeds.least(null), "least of as many seeds"),),
        related=(Named("synsets shuffled, mean", seeds.mean_over(null), "among the same words"),),
        part_noise=found.lift_noise,
        notes=_without(lifts),
    )


def hypernym_decay(model: Model, sampling: Sampling) -> Finding:
    """Mean encoder cosine at the first matched ancestor less that at the fifth, by seed."""
    words = experiment.words_of(model, sampling)
    long = int((words.chains[:, 5] >= 0).sum())
    decay = chain_decay(words.unit["encoder"], words.chains)
    if long < _FEWEST_LONG_CHAINS or not math.isfinite(decay.half_width):
        raise NotApplicableError(
            f"of {len(words)} words {long} begin a chain of five matched hypernyms: too few"
        )
    found = over_seeds.stability(model, sampling)
    decays = found.values["encoder decay"]
    bare = Finding(
        seeds.mean_over(_finite(decays)),
        f"{_design(model, words)}, {over_seeds.DESIGN}",
        parts=_by_seed(decays),
    )
    if model.is_twin:
        return bare
    null = _finite(found.shuffled["encoder decay"])
    order = torch.randperm(len(words), generator=sampling.generator("chains shuffled"))
    table, figure = exhibits.by_depth(words, order)
    return replace(
        bare,
        controls=(Named("words shuffled", seeds.least(null), "least of as many seeds"),),
        related=(
            Named("words shuffled, mean", seeds.mean_over(null), "among the synsets"),
            Named("all chains", decay, "at once"),
            Named("chains", exact(len(words.chains)), f"{long} of them reach a fifth"),
        ),
        part_noise=found.decay_noise,
        notes=_without(decays),
        tables=(table,),
        figures=(figure,),
    )


def stability_over_seeds(model: Model, sampling: Sampling) -> Finding:
    """std/mean over seeds of the pentachoron CV of encoded words; of all others beside it."""
    found = over_seeds.stability(model, sampling)
    bare = Finding(
        seeds.relative_std(found.values["encoder cv"]),
        f"{_design(model, found.words)}, {over_seeds.DESIGN}",
    )
    if model.is_twin:
        return bare
    pentachora = experiment.pentachora(model, sampling)
    count = over_seeds.SEEDS
    nulls = {
        name: seeds.relative_std_of_cv(volumes, over_seeds.SIMPLICES, count)
        for name, volumes in (("static", pentachora.first), ("encoder", pentachora.second))
    }
    meaning = f"what {over_seeds.SIMPLICES} simplices a seed show of it, in closed form"
    return replace(
        bare,
        controls=(Named("one unchanging cloud", nulls["encoder"], meaning),),
        related=(
            Named("static CV", seeds.relative_std(found.values["static cv"]), "std over mean"),
            Named("static, one unchanging cloud", nulls["static"], meaning),
            Named("Pearson", seeds.relative_std(found.values["encoder pearson"]), "std over mean"),
        ),
        tables=(exhibits.over_seeds(found), exhibits.cost(found)),
        notes=_dropped(found.dropped),
    )


def paired_volume_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of the volumes of the same pentachora of words, static and encoded."""
    volumes = experiment.pentachora(model, sampling)
    static, encoder = volumes.first, volumes.second
    bare = Finding(_fisher(static, encoder), _design(model, experiment.words_of(model, sampling)))
    if model.is_twin:
        return bare
    order = torch.randperm(len(static), generator=sampling.generator("pentachora shuffled"))
    table, figure = exhibits.volumes(volumes, order)
    return replace(
        bare,
        controls=(Named("simplices shuffled", _fisher(static[order], encoder), "other words'"),),
        related=(
            Named("static CV", estimate.coefficient_of_variation(static), "of the volumes"),
            Named("encoder CV", estimate.coefficient_of_variation(encoder), "of the volumes"),
        ),
        tables=(table,),
        figures=(figure,),
        notes=_dropped(volumes.dropped),
    )


def lexicographer_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean over lexicographer categories of the cosine inside one, encoded definitions."""
    words = experiment.words_of(model, sampling)
    members, unit = words.categories, words.unit
    if len(members) < 2:
        raise NotApplicableError("fewer than two categories have ten matched words")
    encoder = relations.intra_cosines(unit["encoder"], members)
    bare = Finding(_mean_of(encoder), f"{_design(model, words)}, categories of ten or more")
    if model.is_twin:
        return bare
    order = torch.randperm(len(words), generator=sampling.generator("categories shuffled"))
    static = relations.intra_cosines(unit["static"], members)
    shuffled = relations.intra_cosines(unit["encoder"][order], members)
    table, figure = exhibits.by_category(
        members, {"static": static, "encoder": encoder, "shuffled": shuffled}
    )
    return replace(
        bare,
        controls=(Named("words shuffled", _mean_of(shuffled), "among the categories"),),
        related=(
            Named("static", _mean_of(static), "the same of embedding rows"),
            Named("categories", exact(len(members)), "of ten or more matched words"),
        ),
        tables=(table,),
        figures=(figure,),
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
