"""Bands round printed numbers, and what is judged part by part over a few draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from geometric_invariants.geometry.estimate import Z95, Estimate

Z_ALL = 3.0233414397391534  # four normal numbers at once lie within it 99 times of 100


@dataclass(frozen=True, slots=True)
class Printed:
    """A number as its source prints it, off by up to half a `digit`.

    `spread` is the standard deviation that one draw of the source's own sample size leaves in it;
    it is held against the mean of `draws` such draws.
    """

    value: float
    digit: float
    spread: float
    draws: int

    @property
    def reach(self) -> float:
        """How far a faithful copy's mean may lie from the print.

        Half the last digit, and the noise of the source's one draw and of ours together: so much
        that all parts of a claim, up to four, lie inside 99 times of 100.
        """
        return self.digit / 2 + Z_ALL * self.spread * math.sqrt(1 + 1 / self.draws)

    def place(self, x: Tensor) -> Tensor:
        """Where numbers [n] lie in the band round the print: −1 and 1 are its edges."""
        return (x - self.value) / self.reach

    @property
    def noise(self) -> float:
        """`spread` in units of the band."""
        return self.spread / self.reach


@dataclass(frozen=True, slots=True)
class Way:
    """A place on the way from one number (0) to another (1), that noise may carry past an end.

    `source` and `ours` are the standard deviations of the place in one draw, the source's and one
    of our `draws`.
    """

    source: float
    ours: float
    draws: int

    @property
    def beyond(self) -> float:
        """How far past an end the mean over draws may lie; as `Printed.reach`."""
        return Z_ALL * math.hypot(self.source, self.ours / math.sqrt(self.draws))

    def place(self, x: Tensor) -> Tensor:
        """Places [n] on the way lengthened at both ends, that is again 0 … 1."""
        return (x + self.beyond) / (1 + 2 * self.beyond)

    @property
    def noise(self) -> float:
        """`ours` in units of the lengthened way."""
        return self.ours / (1 + 2 * self.beyond)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a claim about every part is judged by: numbers by part, [draws] float64 each.

    `spread` is what is known of the standard deviation of one draw; a few draws may by chance lie
    closer together than that, and the greater of the two counts.
    """

    draws: Mapping[str, Tensor]
    spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def means(self) -> dict[str, float]:
        return {name: x.mean().item() for name, x in self.draws.items()}

    @property
    def noise(self) -> float:
        """95 % half-width of the noisiest part's mean."""
        return max(over_draws(x, self.spread.get(n, 0.0)).half_width for n, x in self.draws.items())

    @property
    def estimate(self) -> Estimate:
        """The mean over parts."""
        found = self.means.values()
        value = sum(found) / len(found)
        return _around(value, self.noise, self._count, "mean over parts")

    def worst(self, low: float, high: float) -> Estimate:
        """The part that lies deepest outside of, or least deep inside a band."""
        value = min(self.means.values(), key=lambda x: min(x - low, high - x))
        return _around(value, self.noise, self._count, f"worst of {len(self.draws)} parts")

    @property
    def _count(self) -> int:
        return max(map(len, self.draws.values()))


def over_draws(x: Tensor, spread: float = 0.0) -> Estimate:
    """Mean of a few independent draws [n]; the standard deviation of one is at least `spread`."""
    own = x.std().item() if len(x) > 1 else 0.0
    reach = Z95 * max(own, spread) / math.sqrt(len(x))
    return _around(x.mean().item(), reach, len(x), "mean over draws")


def _around(value: float, reach: float, samples: int, method: str) -> Estimate:
    return Estimate(value, value - reach, value + reach, samples, method)
