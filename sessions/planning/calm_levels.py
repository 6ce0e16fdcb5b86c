"""What goes with a calmness score: tempo, register, touch and pad, each as straight lines between a few points.

The one place where music is tied to the score; planning, key paths and the search for densities read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

# The calmness scores that an arc can ask for. Less calm would be another kind of music; calmer pieces have so few notes
# that they sound alike.
LEAST_CALM, MOST_CALM = 0.5, 0.978


@dataclass(frozen=True)
class Knots:
    """A quantity that goes with a calmness score.

    Attributes
    ----------
    points : tuple of (float, float)
        Calmness score and value, by score; straight lines between them, level beyond them.
    """

    points: tuple[tuple[float, float], ...]

    def at(self, calm: float) -> float:
        """Return the value that goes with a calmness score.

        Examples
        --------
        >>> Knots(((0.5, 100.0), (0.9, 60.0))).at(0.7)
        80.0
        """
        for (lower, value), (upper, following) in pairwise(self.points):
            if calm <= upper:
                return value + (following - value) * max(calm - lower, 0.0) / (upper - lower)
        return self.points[-1][1]


# Quarter notes a minute where no tempo is requested. The fastest one is where the embedded model, at its densest,
# comes down to the least calm that an arc can ask for (benchmarks/music/arcs.py).
TEMPO = Knots(((0.5, 132.0), (0.7, 116.0), (0.85, 92.0), (0.92, 74.0), (0.96, 63.0), (0.975, 56.0)))
# The mean pitch of a melody. It falls along an arc: after mode and tempo, register has the largest effect in Eerola,
# Friberg & Bresin 2013 (Front. Psychol. 4:487), and a lower one is less aroused, except for very low ones, which sound
# threatening.
REGISTER = Knots(((0.5, 72.0), (0.92, 69.5), (0.96, 68.5), (0.978, 67.5)))
# Units of velocity above the softest touch.
VELOCITY_OFFSET = Knots(((0.6, 16.0), (0.94, 0.0)))
# The factor of the pad's level beside the instruments that are struck, whose articulation arouses more (Gabrielsson &
# Lindström 2010): three decibels from the beginning of a calm arc to its end, six over an iso arc.
PAD_GAIN = Knots(((0.5, 0.5), (0.92, 0.75), (0.96, 0.85), (0.978, 1.3)))
