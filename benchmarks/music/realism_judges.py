"""Two judges that share nothing: boosted trees over features of sections, and a network with attention over tokens.

Each tries to tell made sections from real ones. Sections of one piece are never on both sides of a fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from therapy_gen.music.tokens import FIRST_PITCH_CLASS, NOTE_OFF, Tokens
from therapy_gen.musicvae.features import sounding
from therapy_gen.musicvae.training.memory.section_features import PITCH_CLASS_MARK, section_features

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Judge = Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp], int], FloatArray]

FOLDS = 5
_EPOCHS = 14
_BATCH = 32
_CLASSES = 90
_VOICES = 3


@dataclass(frozen=True)
class Features:
    """Features of sections (n, features) by name."""

    names: list[str]
    values: FloatArray

    @classmethod
    def of(cls, tokens: Tokens, libraries: bool) -> Features:
        """Measure sections; with `libraries` also what other libraries say of them."""
        names, values = section_features(list(tokens))
        if libraries:
            from realism_libraries import library_features

            more, others = library_features(list(tokens))
            names, values = names + more, np.concatenate([values, others], axis=1)
        return cls(names, values)

    def without_pitch_classes(self) -> Features:
        """Leave out what depends on the scale."""
        kept = [n for n, name in enumerate(self.names) if not name.startswith(PITCH_CLASS_MARK)]
        return Features([self.names[n] for n in kept], self.values[:, kept])


def area(judge: Judge, labels: IntArray, groups: IntArray, seeds: Sequence[int]) -> FloatArray:
    """Return the area under the ROC curve for each seed, over all sections, each judged by a fold without its piece."""
    areas = []
    for seed in seeds:
        scores = np.zeros(len(labels))
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        for train, test in folds.split(labels, labels, groups):
            scores[test] = judge(train, test, seed)
        areas.append(roc_auc_score(labels, scores))
    return np.array(areas)


def boosting(features: Features, labels: IntArray) -> Judge:
    """Return the judge of features."""

    def judge(train: npt.NDArray[np.intp], test: npt.NDArray[np.intp], seed: int) -> FloatArray:
        trees = HistGradientBoostingClassifier(
            max_iter=80,
            learning_rate=0.1,
            max_leaf_nodes=8,
            max_bins=48,
            min_samples_leaf=8,
            l2_regularization=1.0,
            max_features=0.2,
            early_stopping=False,
            random_state=seed,
        )
        trees.fit(features.values[train], labels[train])
        scores: FloatArray = trees.decision_function(features.values[test])
        return scores

    return judge


def attention(tokens: Tokens, labels: IntArray, *, pitch_classes: bool) -> Judge:
    """Return the judge of tokens; without `pitch_classes` it sees heights in steps of a seventh of an octave.

    Those steps are laid anew, by up to half an octave, whenever a section is seen, so that no scale is left in them.
    """
    heard = sounding(tokens).astype(np.int64)
    begun = tokens > NOTE_OFF

    def rows(chosen: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.int32]:
        heights = heard[chosen]
        if not pitch_classes:
            shift = rng.integers(-6, 6, size=(len(chosen), 1, 1))
            coarse = np.rint((heights - FIRST_PITCH_CLASS + 12 + shift) * 7 / 12).astype(np.int64)
            heights = np.where(heights >= FIRST_PITCH_CLASS, coarse.clip(1, _CLASSES - 1), 0)
        places = np.arange(_VOICES) * 2 * _CLASSES
        return (heights + _CLASSES * begun[chosen] + places).astype(np.int32)

    def judge(train: npt.NDArray[np.intp], test: npt.NDArray[np.intp], seed: int) -> FloatArray:
        import keras

        keras.utils.set_random_seed(seed)
        rng = np.random.default_rng(seed)
        network = _network()
        steps = _EPOCHS * (len(train) // _BATCH)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        network.compile(
            keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0),
            keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05),
        )
        for _ in range(_EPOCHS):
            order = rng.permutation(train)
            for start in range(0, len(order) - _BATCH + 1, _BATCH):
                batch = order[start : start + _BATCH]
                network.train_on_batch(rows(batch, rng), labels[batch].astype(np.float32))
        looks = 1 if pitch_classes else 3
        scores = [np.asarray(network.predict_on_batch(rows(test, rng)))[:, 0] for _ in range(looks)]
        return np.asarray(np.mean(scores, axis=0), dtype=np.float64)

    return judge


def _network() -> object:
    """Return a network that reads sixteenths, gathers them to quarters, and lets quarters look at each other."""
    import keras
    from keras import layers

    steps = keras.Input((256, _VOICES), dtype="int32")
    x = layers.Embedding(2 * _CLASSES * _VOICES, 16)(steps)
    x = layers.Reshape((256, _VOICES * 16))(x)
    x = layers.SpatialDropout1D(0.1)(x)
    x = layers.Conv1D(48, 8, strides=4, padding="same", activation="gelu")(x)
    x = layers.LayerNormalization()(x + layers.Embedding(64, 48)(keras.ops.arange(64)))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 12, dropout=0.1)(x, x))
    x = layers.LayerNormalization()(x + layers.Conv1D(48, 3, padding="same", activation="gelu")(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])
    x = layers.Dropout(0.3)(x)
    return keras.Model(steps, layers.Dense(1)(x))
