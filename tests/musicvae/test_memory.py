"""Sections to begin from: written on plans of real ones, drawn by mode, metre and density, varied."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from therapy_gen.music.tokens import VoiceNote, notes_to_tokens
from therapy_gen.musicvae.config import Config
from therapy_gen.musicvae.model import load_model
from therapy_gen.musicvae.prior.section_memory import PREFIX, SectionMemory
from therapy_gen.musicvae.training.memory.critic import log_odds_of_real
from therapy_gen.musicvae.training.memory.memory_fit import fit_memory
from therapy_gen.musicvae.training.memory.section_pairs import (
    MemoryMaterial,
    Pairs,
    dissonance,
    most_real,
    written_pairs,
)
from therapy_gen.musicvae.training.memory.section_variations import MOVES, fit_progressions, moved_classes, varied
from therapy_gen.musicvae.weights import load_weights, save_weights


def section(seed: int) -> np.ndarray:
    """Return sixteen bars: a chord a bar, with a melody of quarters; bars 9 to 12 are bars 1 to 4."""
    rng = np.random.default_rng(seed)
    roots = rng.integers(0, 7, size=16)
    roots[8:12] = roots[:4]
    tunes = rng.integers(0, 7, size=(16, 4))
    tunes[8:12] = tunes[:4]
    scale = (0, 2, 4, 5, 7, 9, 11)
    notes = []
    for bar, (root, tune) in enumerate(zip(roots, tunes, strict=True)):
        notes.append(VoiceNote(16 * bar, 16 * bar + 16, 48 + scale[root], 2))
        notes.append(VoiceNote(16 * bar, 16 * bar + 16, 60 + scale[(root + 2) % 7], 1))
        notes += [VoiceNote(16 * bar + 4 * n, 16 * bar + 4 * n + 4, 72 + scale[d], 0) for n, d in enumerate(tune)]
    return notes_to_tokens(notes)


@pytest.fixture(scope="module")
def sections() -> np.ndarray:
    return np.stack([section(seed) for seed in range(24)])


def memory(n: int = 12) -> SectionMemory:
    rng = np.random.default_rng(0)
    arrays = {
        "sections": rng.integers(-127, 128, size=(n, 2, 64)).astype(np.int8),
        "scale": np.full(4, 0.01, dtype=np.float32),
        "minor": (np.arange(n) % 2).astype(np.uint8),
        "metre": np.where(np.arange(n) < n // 2, 4, 3).astype(np.uint8),
        "density": np.linspace(4.0, 12.0, n).astype(np.float32),
        "source": (np.arange(n) // 4).astype(np.uint16),
    }
    return SectionMemory({PREFIX + name: array for name, array in arrays.items()}, 4)


@pytest.mark.parametrize(
    ("minor", "moved", "notes", "become"),
    [
        (False, 3, (60, 64, 67), (65, 69, 72)),
        (False, -2, (60, 64, 67), (57, 60, 64)),
        (False, 1, (61, 66), (63, 68)),
        (True, 2, (60, 63, 67), (63, 67, 70)),
    ],
)
def test_notes_move_along_the_scale(minor: bool, moved: int, notes: tuple[int, ...], become: tuple[int, ...]) -> None:
    table = moved_classes(minor)[moved - MOVES[0]]
    assert [int(table[note - 19]) + 19 for note in notes] == list(become)


def test_a_variation_keeps_rhythm_and_what_returns(sections: np.ndarray) -> None:
    progressions = fit_progressions(sections, np.zeros(len(sections), dtype=bool))
    for seed, plan in enumerate(sections[:6]):
        written, moves = varied(plan, False, progressions, np.random.default_rng(seed))
        assert np.array_equal(written > 1, plan > 1)
        assert np.array_equal(moves[8:12], moves[:4])
        assert not np.array_equal(written, plan)
        again, _ = varied(plan, False, progressions, np.random.default_rng(seed))
        assert np.array_equal(written, again)


def test_no_section_holds_two_bars_of_what_was_learned(sections: np.ndarray) -> None:
    count = len(sections)
    material = MemoryMaterial(
        sections, np.zeros(count, dtype=bool), np.full(count, 4, dtype=np.int8), np.arange(count, dtype=np.int32)
    )
    pairs = written_pairs(material, sections)
    # Tunes of chance are dissonant: some are left out.
    assert len(pairs.plan) > count // 3
    assert all(dissonance(written) <= 0.2 for pair in pairs.tokens for written in pair)
    known = {
        part.tobytes() for plan in sections for part in np.lib.stride_tricks.sliding_window_view(plan, (32, 3))[::16, 0]
    }
    for theme, other in pairs.tokens:
        assert np.array_equal(theme[:64], other[:64])
        assert not np.array_equal(theme, other)
        for written in (theme, other):
            assert not any(written[start : start + 32].tobytes() in known for start in range(0, 225, 16))


@pytest.mark.long
def test_a_critic_tells_bars_turned_round_from_real_ones() -> None:
    real = np.stack([section(seed) for seed in range(100, 140)])
    reversed_bars = real[:20].reshape(20, 16, 16, 3)[:, :, ::-1].reshape(20, 256, 3)
    written = np.concatenate([np.stack([section(seed) for seed in range(200, 220)]), reversed_bars])
    odds = log_odds_of_real(written, np.arange(40), real, np.arange(40, 80))
    assert odds is not None
    assert np.mean(odds[:20, None] > odds[None, 20:]) > 0.9
    assert log_odds_of_real(written[:9], np.arange(9), real, np.arange(40, 80)) is None
    assert log_odds_of_real(written[:, :32], np.arange(40), real[:, :32], np.arange(40, 80)) is None


@pytest.mark.parametrize(
    ("count", "share"), [(24, 1.0), pytest.param(64, 0.5, marks=pytest.mark.long)], ids=["few", "enough for a critic"]
)
def test_plans_are_kept_once_each(count: int, share: float) -> None:
    sections = np.stack([section(seed) for seed in range(count)])
    material = MemoryMaterial(
        sections, np.zeros(count, dtype=bool), np.full(count, 4, dtype=np.int8), np.arange(count, dtype=np.int32)
    )
    draws = [written_pairs(material, sections, seed) for seed in (0, 1)]
    candidates = Pairs(*(np.concatenate(part) for part in zip(*draws, strict=True)))
    kept = most_real(candidates, material)
    plans = set(candidates.plan.tolist())
    assert len(kept.plan) == len(set(kept.plan.tolist())) == int(share * len(plans))
    written = {pair.tobytes() for pair in candidates.tokens}
    assert all(pair.tobytes() in written for pair in kept.tokens)


def test_where_nothing_may_be_kept_there_is_no_memory(sections: np.ndarray) -> None:
    clashing = sections[:4].copy()
    # A second between the lower voices all the time.
    clashing[:, :, 1:] = 1
    clashing[:, ::16, 1:] = (41, 42)
    material = MemoryMaterial(
        clashing, np.zeros(4, dtype=bool), np.full(4, 4, dtype=np.int8), np.arange(4, dtype=np.int32)
    )
    assert written_pairs(material, clashing).tokens.shape == (0, 2, 256, 3)
    assert fit_memory(Config(), {}, load_model().encode, material, clashing) == {}


def test_sections_are_drawn_by_mode_metre_and_density() -> None:
    held = memory(40)
    rng = np.random.default_rng(1)
    drawn = held.draw(8, rng, "minor", metre=3)
    assert len(set(drawn.tolist())) == 8
    assert (drawn >= 20).all()
    assert (drawn % 2 == 1).all()
    assert abs(held.density[held.draw(1, rng, density=5.0)[0]] - 5.0) < 2.5
    assert len(held.draw(50, rng)) == 50
    others = held.draw(2, rng, "minor", metre=3, without=drawn.tolist())
    assert not set(others.tolist()) & set(drawn.tolist())
    assert len(held.draw(4, rng, "minor", metre=3, without=range(40))) == 4


def test_kin_is_of_the_same_origin_and_a_second_variation_shares_half() -> None:
    held = memory()
    rng = np.random.default_rng(2)
    assert held.kin(0, rng) == 2
    assert held.kin(0, rng, without={2}) != 2
    theme, varied_once, varied_again = held.z([3])[0], held.variation(3, 1), held.variation(3, 2)
    assert not np.array_equal(theme[:32], varied_once[:32])
    assert np.array_equal(theme[:32], varied_again[:32])
    assert np.array_equal(varied_once[32:], varied_again[32:])
    assert held.nearest(theme + 1e-4) == 3


def test_whole_numbers_stay_whole_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_weights(path, {"memory/sections": np.array([[-127, 5]], dtype=np.int8), "a": np.ones(2)}, Config(), {})
    stored = load_weights(path)
    assert stored.arrays.stored["memory/sections"].dtype == np.int8  # type: ignore[union-attr]
    assert stored.arrays.stored["a"].dtype == np.float16  # type: ignore[union-attr]


def test_the_embedded_model_has_sections_to_begin_from() -> None:
    model = load_model()
    assert model.memory is not None
    assert set(model.memory.metres) == set(model.metres)
    z = model.memory.z(model.memory.draw(3, np.random.default_rng(1), "minor", metre=3))
    assert z.shape == (3, model.config.z_size)
    assert (model.decode(z, temperature=0.0) > 1).any(axis=(1, 2)).all()
