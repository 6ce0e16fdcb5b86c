"""A critic of composed sections: gradient-boosted trees that tell them from real ones.

The trees are not trained on the pieces that they judge. Keeping what they take for real is discriminator rejection
sampling (Azadi et al. 2019, arXiv 1810.06758), with the best of a fixed number of tries in place of a rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from therapy_gen.music.tokens import STEPS_PER_SECTION
from therapy_gen.musicvae.training.memory.section_features import section_features

FloatArray = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.integer]

# Least sections of either kind to train on.
_LEAST_SECTIONS = 40
_FOLDS = 4
_REPEATS = 2


def log_odds_of_real(written: Tokens, piece: Ints, real: Tokens, real_piece: Ints, seed: int = 0) -> FloatArray | None:
    """Return the log odds (n,) that composed sections are real, from trees not trained on their pieces.

    Parameters
    ----------
    written : array of uint8, shape (n, steps, voices)
    piece : int array, shape (n,)
        The piece of each section's plan.
    real : array of uint8, shape (m, steps, voices)
    real_piece : int array, shape (m,)
    seed : int
        Of the division of pieces into folds, and of the trees.

    Returns
    -------
    array, shape (n,), or None
        The mean of two divisions into four folds. None where there are fewer than `_LEAST_SECTIONS` of either kind, or
        where sections do not have the sixteen bars that the features need.
    """
    if min(len(written), len(real)) < _LEAST_SECTIONS or written.shape[1] != STEPS_PER_SECTION:
        return None
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    values = section_features([*written, *real])[1]
    is_real = np.arange(len(values)) >= len(written)
    # Both kinds weigh the same.
    weight = np.where(is_real, 0.5 / len(real), 0.5 / len(written)) * len(values)
    pieces = np.concatenate([piece, real_piece]).astype(np.int64)
    known, number = np.unique(pieces, return_inverse=True)
    odds = np.zeros(len(written))
    for repeat in range(_REPEATS):
        fold = np.random.default_rng([seed, repeat]).permutation(len(known))[number] % _FOLDS
        for one in range(_FOLDS):
            judged = (fold == one) & ~is_real
            learned = fold != one
            if not judged.any() or len(set(is_real[learned].tolist())) < 2:
                continue
            trees = HistGradientBoostingClassifier(
                max_iter=100,
                learning_rate=0.1,
                max_leaf_nodes=8,
                max_bins=48,
                min_samples_leaf=8,
                max_features=0.2,
                l2_regularization=1.0,
                early_stopping=False,
                random_state=seed + repeat,
            )
            # Trees refuse a feature that no section has.
            had = np.isfinite(values[learned]).any(axis=0)
            # On a busy machine threads that wait for each other take minutes for a second's work.
            with threadpool_limits(1):
                trees.fit(values[learned][:, had], is_real[learned], sample_weight=weight[learned])
                odds[judged[: len(written)]] += trees.decision_function(values[judged][:, had]) / _REPEATS
    return odds
