"""A memory of sections: latent points from which a model decodes music similar to its training data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

PREFIX = "memory/"
MARK = "memory/sections"
_NAMES = ("sections", "scale", "minor", "metre", "density", "source")

# SD, in notes a bar, of the densities drawn around the requested one.
_NEAR = 1.0
# A variation is composed in units of so many bars.
_PHRASE_BARS = 4
# Largest difference in density between sections of one piece, as a share of the first one's.
_AS_DENSE = 0.5


class SectionMemory:
    """New sections of calm music as z, each with a variation, by mode, metre and density.

    Each follows the plan of a real section (rhythm, repeated bars, contour within bars), with bars moved along the
    scale to another harmony (`therapy_gen.musicvae.training.memory`).

    Parameters
    ----------
    arrays : mapping of str to array
        Those of a model file. ``memory/sections`` (n, 2, bars * bar_z) has each section and its variation in steps of
        ``memory/scale`` (bar_z,); ``minor``, ``metre`` (quarters a bar), ``density`` (notes a bar) and ``source`` (the
        number of the piece that the plan is from) have shape (n,).
    bar_z : int
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]], bar_z: int) -> None:
        found = {name: np.asarray(arrays[PREFIX + name]) for name in _NAMES}
        steps = found["sections"].astype(np.float32)
        scale = found["scale"].astype(np.float32)
        self._z = (steps.reshape(*steps.shape[:2], -1, bar_z) * scale).astype(np.float32)
        self._minor = found["minor"] > 0
        self._metre = found["metre"].astype(np.int64)
        self.density = found["density"].astype(np.float64)
        self._source = found["source"].astype(np.int64)

    def __len__(self) -> int:
        return len(self._z)

    @property
    def metres(self) -> tuple[int, ...]:
        """Quarters a bar of the metres that it has sections of."""
        return tuple(sorted(set(self._metre.tolist()), reverse=True))

    def draw(
        self,
        n: int,
        rng: np.random.Generator,
        kind: str = "major",
        *,
        density: float | None = None,
        metre: int = 4,
        most: float | None = None,
        without: Collection[int] = (),
    ) -> IntArray:
        """Draw the numbers (n,) of sections of a mode and metre, each once while there are enough.

        Parameters
        ----------
        n : int
        rng : Generator
        kind : {"major", "minor"}
        density : float, optional
            Notes a bar of all voices; without it, as calm music has.
        metre : int
            Quarters a bar.
        most : float, optional
            Notes a bar at most, where there are such sections.
        without : collection of int
            Numbers to draw only where there are no others.
        """
        of_metre = self._metre == metre
        if not of_metre.any():
            of_metre[:] = True
        rows = np.flatnonzero(of_metre & (self._minor == (kind == "minor")))
        rows = rows if len(rows) else np.flatnonzero(of_metre)
        if most is not None and (self.density[rows] <= most).any():
            rows = rows[self.density[rows] <= most]
        others = rows[~np.isin(rows, list(without))]
        rows = others if len(others) >= n else rows
        weights = np.ones(len(rows))
        if density is not None:
            away = np.abs(self.density[rows] - density)
            # Relative to the nearest one, so that there is always one.
            weights = np.exp(-0.5 * ((away - away.min()) / _NEAR) ** 2) + 1e-12
        drawn: IntArray = rows[rng.choice(len(rows), n, replace=n > len(rows), p=weights / weights.sum())]
        return drawn

    def kin(self, number: int, rng: np.random.Generator, without: Collection[int] = ()) -> int:
        """Return another section whose plan comes from the same piece; where there is none, one about as dense."""
        alike = (self._metre == self._metre[number]) & (self._minor == self._minor[number])
        alike[[number, *without]] = False
        away = np.abs(self.density - self.density[number])
        of_piece = np.flatnonzero(alike & (self._source == self._source[number]))
        of_piece = of_piece[away[of_piece] <= _AS_DENSE * self.density[number]]
        if len(of_piece):
            return int(rng.choice(of_piece))
        return int(
            self.draw(
                1,
                rng,
                "minor" if self._minor[number] else "major",
                density=float(self.density[number]),
                metre=int(self._metre[number]),
                without=[number, *without],
            )[0]
        )

    def nearest(self, z: FloatArray) -> int:
        """Return the number of the section that is nearest to a point (z_size,)."""
        return int(((self._z[:, 0].reshape(len(self._z), -1) - z) ** 2).sum(axis=1).argmin())

    def z(self, numbers: Sequence[int] | IntArray) -> FloatArray:
        """Return z (n, z_size) of sections."""
        found: FloatArray = self._z[np.asarray(numbers), 0].reshape(len(numbers), -1)
        return found

    def variation(self, number: int, order: int) -> FloatArray:
        """Return z (z_size,) of a variation, which begins alike; of higher order, only its second half differs."""
        theme, other = self._z[number]
        phrase = np.arange(len(theme)) // _PHRASE_BARS
        chosen = (phrase > phrase.max() // 2) | (order % 2 == 1)
        return np.asarray(np.where(chosen[:, None], other, theme).reshape(-1), dtype=np.float32)
