"""What is requested of a session, and the usual tempi of an arc."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sessions.errors import PlanError
from sessions.planning.arcs import TargetCurve
from sessions.planning.calm_levels import TEMPO
from therapy_gen.music.metre import FOUR_FOUR, METRES
from therapy_gen.music.tonality import parse_key
from therapy_gen.musicvae.latent.attribute_kinds import ATTRIBUTES

# 24 minutes did about as well as 36, both better than 12 (Mullen & Russo, PLOS Mental Health, n = 144).
DEFAULT_MINUTES = 24.0
MINUTES = (1.0, 600.0)
# Slower than the 60 to 80 BPM of convention: note density and arousal go together (Bernardi 2006, Heart 92:445).
DEFAULT_TEMPO = (54.0, 72.0)
TEMPI = (30.0, 140.0)
# Where no tempo is requested: of a session of hardly more than a minute, and of a session whose plays have a given
# length.
SHORT_TEMPO = (54.0, 80.0)
STUDY_TEMPO = (48.0, 80.0)
BASELINE_S = (0.0, 1800.0)
REPEATS = (1, 20)
GAP_S = (1.0, 300.0)
# Seconds between two plays: usual, and fixed where pieces are repeated to be compared.
USUAL_GAP_S = 8.0
# A shorter play leaves too little clean EEG.
LEAST_PLAY_S = 60.0
PLAY_S = (LEAST_PLAY_S, 900.0)

DurationOf = Callable[[int, float], float]


@dataclass(frozen=True)
class SessionRequest:
    """What is requested of a session.

    Attributes
    ----------
    minutes : float
    arc : str
        One of `sessions.planning.arcs.ARCS`.
    arousal : float or None
        The listener's arousal when it begins, 0 (calm) to 1; None leaves the start to the arc.
    tempo : (float, float)
        Slowest and fastest, in quarter notes a minute.
    key : str or None
        Such as ``"Am"``; None chooses a key for each piece, near that of its neighbour; three in ten are minor.
    baseline_s : float
        Silence before and after the music, in seconds.
    repeats : int
        How often each piece is played. Where that is more than once, no play is shorter than `LEAST_PLAY_S`.
    attributes : mapping of str to (float, float)
        Lowest and highest value of attributes that the music is led by, such as ``{"density": (5.0, 8.0)}``; each is
        one of `therapy_gen.musicvae.latent.attribute_kinds.ATTRIBUTES`.
    gap_s : float or None
        Silence between two plays, in seconds; None: `USUAL_GAP_S` with repeats; without them, whatever fills the time,
        as a rule 6 to 10 s.
    play_s : float or None
        About how long each play is, in seconds; None leaves that open.
    metre : str
        Of the new pieces, one of `METRES`.
    tempo_requested : bool
        Whether `tempo` is a request: then no piece is faster or slower, however short the session.

    Raises
    ------
    PlanError
        Where a value is out of its range.

    Examples
    --------
    >>> import sessions
    >>> sessions.SessionRequest(minutes=12.0, arc="flat").minutes
    12.0
    """

    minutes: float = DEFAULT_MINUTES
    arc: str = "calm"
    tempo: tuple[float, float] = DEFAULT_TEMPO
    key: str | None = None
    baseline_s: float = 0.0
    repeats: int = 1
    attributes: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    arousal: float | None = None
    gap_s: float | None = None
    play_s: float | None = None
    metre: str = FOUR_FOUR.name
    tempo_requested: bool = False

    def __post_init__(self) -> None:
        _check("minutes", self.minutes, MINUTES)
        TargetCurve.of(self.arc, self.arousal)
        for value in self.tempo:
            _check("tempo", value, TEMPI, " BPM")
        if self.tempo[0] > self.tempo[1]:
            raise PlanError(f"tempo {self.tempo[0]:g}:{self.tempo[1]:g} is upside down; give the slower one first")
        _check("baseline", self.baseline_s, BASELINE_S, " seconds")
        _check("repeats", self.repeats, REPEATS)
        if self.gap_s is not None:
            _check("gap", self.gap_s, GAP_S, " seconds")
        if self.play_s is not None:
            _check("play length", self.play_s, PLAY_S, " seconds")
        for name, pair in self.attributes.items():
            if name not in ATTRIBUTES:
                raise PlanError(f"attribute {name!r} is not known; give one of: {', '.join(ATTRIBUTES)}")
            for value in pair:
                _check(name, value, ATTRIBUTES[name].limits, f" {ATTRIBUTES[name].unit}")
            if pair[0] > pair[1]:
                raise PlanError(f"{name} {pair[0]:g} to {pair[1]:g} is upside down; give the smaller one first")
        if self.metre not in METRES:
            raise PlanError(f"metre {self.metre!r} is not known; give one of: {', '.join(METRES)}")
        if self.key is not None:
            parse_key(self.key)

    @cached_property
    def target(self) -> TargetCurve:
        """The target curve of its arc."""
        return TargetCurve.of(self.arc, self.arousal)

    @property
    def fixed_gap_s(self) -> float | None:
        """The silence between two plays; None where it may vary to fill the time."""
        return USUAL_GAP_S if self.gap_s is None and self.repeats > 1 else self.gap_s

    @property
    def least_play_s(self) -> float:
        """The least length of a play: plays to be compared are not short."""
        return LEAST_PLAY_S if self.repeats > 1 or self.play_s is not None else 0.0

    @property
    def parameters(self) -> dict[str, object]:
        """What was requested, as it is stored with a session; without what was left open."""
        left_open = {"from": self.arousal, "gap_s": self.gap_s, "play_s": self.play_s}
        return {
            "minutes": self.minutes,
            "tempo": list(self.tempo),
            "key": self.key or "auto",
            "baseline_s": self.baseline_s,
            "repeats": self.repeats,
            **({"metre": self.metre} if self.metre != FOUR_FOUR.name else {}),
            **{name: value for name, value in left_open.items() if value is not None},
        }

    @property
    def conditions(self) -> str:
        """Words for what takes time beside the minutes, such as "with 2 repeats"; empty without any."""
        parts = [f"a baseline of {self.baseline_s:g} s"] if self.baseline_s else []
        parts += [f"{self.repeats} repeats"] if self.repeats > 1 else []
        parts += [f"gaps of {self.fixed_gap_s:g} s"] if self.fixed_gap_s is not None else []
        parts += [f"plays of {self.play_s:g} s"] if self.play_s is not None else []
        return f"with {' and '.join(parts)} " if parts else ""

    def tempo_share(self, place: float) -> float:
        """Return the arc's place in the range of tempi (0 slowest, 1 fastest) at a place in the music, 0 to 1."""
        low, high = usual_tempo(self.arc, self.arousal)
        return min(max((TEMPO.at(self.target.at(place)) - low) / (high - low), 0.0), 1.0)


def usual_tempo(arc: str, arousal: float | None = None, play_s: float | None = None) -> tuple[float, float]:
    """Return the slowest and the fastest tempo of an arc, and of plays of a length, where nobody asks for one."""
    low, high = DEFAULT_TEMPO if play_s is None else STUDY_TEMPO
    return low, max(high, float(round(TEMPO.at(TargetCurve.of(arc, arousal).start))))


def _check(name: str, value: float, limits: tuple[float, float], unit: str = "") -> None:
    low, high = limits
    if not low <= value <= high:
        raise PlanError(f"{name} {value:g} is out of range; give {low:g} to {high:g}{unit}")
