"""The satisfaction survey (SKM): means of the nine elements, the index (IKM) and its band of quality, by Permenpan RB 14/2017."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

ELEMENTS = ("U1", "U2", "U3", "U4", "U5", "U6", "U7", "U8", "U9")
BANDS = (("A", Decimal("88.31")), ("B", Decimal("76.61")), ("C", Decimal("65.00")), ("D", Decimal("25.00")))
"""Each band of quality with the least index that has it."""

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SurveySums:
    """Sums of the scores of `n` answers, one for each element."""

    n: int = 0
    scores: tuple[int, ...] = (0,) * len(ELEMENTS)

    def add(self, n: int, scores: Sequence[int]) -> SurveySums:
        return SurveySums(self.n + n, tuple(one + other for one, other in zip(self.scores, scores, strict=True)))

    def mean(self, element: int) -> Decimal | None:
        """Return the mean score of an element in hundredths, None without answers."""
        return _rounded(Fraction(self.scores[element], self.n)) if self.n else None

    def element_band(self, element: int) -> str | None:
        return band_of(_rounded(Fraction(self.scores[element] * 25, self.n))) if self.n else None

    @property
    def ikm(self) -> Decimal | None:
        """Return the IKM: each element mean weighs a ninth (0,11), times 25, in hundredths."""
        return _rounded(Fraction(sum(self.scores) * 25, self.n * len(ELEMENTS))) if self.n else None

    @property
    def band(self) -> str | None:
        return None if self.ikm is None else band_of(self.ikm)


def band_of(index: Decimal) -> str:
    """Return the band from A to D of an index from 25 to 100."""
    return next((name for name, least in BANDS if index >= least), BANDS[-1][0])


def _rounded(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(_HUNDREDTH, ROUND_HALF_UP)
