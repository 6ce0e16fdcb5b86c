"""From an EEG recording to band power of every piece that played, and to a ranking with its uncertainty.

In: recordings, and what is known of the pieces that played. Out: dB against the silence baseline, rankings, a report.
Arrows: recording -> timeline -> epochs -> band power -> play scores -> ranking. The package knows neither database nor
command line; MNE-Python is imported when a recording is opened, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from therapy_gen.lazy import public_names

if TYPE_CHECKING:
    from eeg.io.recording import open_recording
    from eeg.ranking.observations import observations
    from eeg.ranking.rank import rank
    from eeg.ranking.thompson import thompson
    from eeg.report.report import write_report
    from eeg.scoring import plan_recording, score_recording
    from eeg.settings import Settings

__all__ = [
    "Settings",
    "observations",
    "open_recording",
    "plan_recording",
    "rank",
    "score_recording",
    "thompson",
    "write_report",
]

__getattr__, __dir__ = public_names(
    __name__,
    {
        "Settings": "eeg.settings",
        "observations": "eeg.ranking.observations",
        "open_recording": "eeg.io.recording",
        "plan_recording": "eeg.scoring",
        "rank": "eeg.ranking.rank",
        "score_recording": "eeg.scoring",
        "thompson": "eeg.ranking.thompson",
        "write_report": "eeg.report.report",
    },
)
