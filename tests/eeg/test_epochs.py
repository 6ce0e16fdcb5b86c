"""Cutting windows: inside a span, outside everything bad, as many as fit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eeg.bandpower.epochs import Span, bad_samples, cut
from eeg.io.recording import Annotation

spans = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 1500)), min_size=1, max_size=5)
bads = st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5)), max_size=6)


@settings(max_examples=200, deadline=None)
@given(spans, bads, st.sampled_from([50, 100]), st.integers(1000, 4000))
def test_every_window_lies_in_its_span_and_touches_nothing_bad(
    raw_spans: list[tuple[int, int]], raw_bads: list[tuple[float, float]], hop: int, n_samples: int
) -> None:
    length, sfreq = 100, 100.0
    owners_of = [Span(start, start + size) for start, size in raw_spans]
    bad = bad_samples([Annotation(onset, duration, "BAD_x") for onset, duration in raw_bads], sfreq)
    starts, owners = cut(owners_of, bad, n_samples, length, hop)
    for start, owner in zip(starts, owners, strict=True):
        span = owners_of[owner]
        assert span.start <= start
        assert start + length <= min(span.stop, n_samples)
        assert not any(b_start < start + length and b_stop > start for b_start, b_stop in bad)


def test_windows_begin_again_after_a_bad_span() -> None:
    starts, _ = cut([Span(0, 1000)], [(350, 360)], 1000, 100, 100)
    assert list(starts) == [0, 100, 200, 360, 460, 560, 660, 760, 860]


def test_a_seam_without_duration_is_not_crossed() -> None:
    bad = bad_samples(
        [Annotation(4.5, 0.0, "BAD boundary"), Annotation(7.0, 0.0, "boundary"), Annotation(8.0, 1.0, "piece/bad")],
        100.0,
    )
    starts, _ = cut([Span(0, 1000)], bad, 1000, 100, 100)
    assert [(a, b) for a, b in bad] == [(450, 451), (700, 701)]
    assert not any(start <= seam < start + 100 for start in starts for seam in (450, 700))


def test_nothing_fits() -> None:
    starts, owners = cut([Span(0, 99)], [], 1000, 100, 100)
    assert len(starts) == len(owners) == 0
    assert starts.dtype == np.int64
