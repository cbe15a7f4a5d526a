"""What the source prints of modulated encoders, and how far its own sample size blurs it (S9, S10).

Spreads are standard deviations between draws of anchors, pairs and unmatched rows, the greater of
those that the two recorded models show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from geometric_invariants.invariants.experiments.modulation import learning
from geometric_invariants.invariants.experiments.modulation.sweep import DRAWS, HIGH, LOW
from geometric_invariants.invariants.printed import Printed, Way

_CORRELATION_SPREAD = 0.009  # of one draw of 3,000 anchors, where no random rows are mixed in
_FIVE_TEXTS = math.sqrt(0.25 / 5)

PRINTED: Mapping[float, Mapping[str, Printed]] = {
    LOW: {
        "pearson": Printed(0.099, 0.001, _CORRELATION_SPREAD, DRAWS),
        "gradient": Printed(0.022, 0.001, 0.004, DRAWS),
        "preservation": Printed(0.9998, 0.0001, 0.000002, DRAWS),
    },
    HIGH: {
        "pearson": Printed(0.185, 0.001, 0.07, DRAWS),
        "gradient": Printed(0.076, 0.001, 0.035, DRAWS),
        "preservation": Printed(0.176, 0.001, 0.01, DRAWS),
    },
}
WAYS: Mapping[str, Way] = {
    "pearson": Way(0.1, 0.1, DRAWS),
    "gradient": Way(0.15, 0.15, DRAWS),
    "preservation": Way(0.01, 0.01, DRAWS),
    "unchanged": Way(_FIVE_TEXTS, 0.015, DRAWS),
}


def _gain(printed: float, before: float) -> Printed:
    """A gain printed to a hundredth: a quotient, whose spread is that of both over their size."""
    after = before * (1 + printed)
    relative = math.hypot(_CORRELATION_SPREAD / before, _CORRELATION_SPREAD / after)
    return Printed(printed, 0.01, (1 + printed) * relative, learning.DRAWS)


PEARSON_GAIN = _gain(1.52, before=0.099)
SPEARMAN_GAIN = _gain(1.89, before=0.099)  # no Spearman is printed; it spreads as Pearson does
TRAINED_CV = Printed(0.21, 0.1, 0.007, learning.DRAWS)  # 500 simplices
