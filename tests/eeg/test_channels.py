"""Names of channels: what a headset or file format calls them, and what they are."""

from __future__ import annotations

import pytest

from eeg.io.channels import CENTRAL, Channel, among_others, group_of, kind_of, position_of, site_of
from eeg.io.units import to_volts
from eeg.simulation.simulate import PLACES


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("EEG Fp1", "FP1"), ("Fc5.", "FC5"), ("Oz..", "OZ"), ("F4-A1", "F4"), ("CZ-A2", "CZ"),
        ("EEG C3-REF", "C3"), ("EEG_TP9", "TP9"), ("EEG.AF3", "AF3"), ("Fp1 - A2", "FP1"), ("FP2-AVE", "FP2"),
        ("EEG", None),
        ("EEG Cz-LE", "CZ"), ("T3", "T7"), ("T6", "P8"), ("POz", "POZ"), ("EEG 001", None), ("P3-O1", None),
        ("A1", None),
        ("sine 1 Hz", None), ("E65", None), ("", None),
    ],
)  # fmt: skip
def test_site_of(name: str, site: str | None) -> None:
    assert site_of(name) == site


@pytest.mark.parametrize(
    ("name", "file_kind", "kind"),
    [
        ("Cz", "eeg", "eeg"), ("EEG 001", "eeg", "eeg"), ("ECG ECG", "eeg", "ECG"), ("Ekg1", "misc", "ECG"),
        ("EOG1", "eeg", "EOG"), ("Eog", "misc", "EOG"), ("EEG A2-A1", "eeg", "reference"), ("M1", "eeg", "reference"),
        ("EXG8", "eeg", "not EEG"), ("Status", "eeg", "stim"), ("tRigGer", "stim", "stim"),
        ("AccX", "eeg", "not EEG"), ("Ergo-Left", "eeg", "not EEG"), ("Fp1", "mag", "not EEG"),
        ("EMG chin", "eeg", "EMG"), ("Right AUX", "eeg", "not EEG"), ("Accel Channel 0", "eeg", "not EEG"),
        ("EXG Channel 0", "eeg", "eeg"), ("Gyro X", "eeg", "not EEG"), ("MOT.AccX", "eeg", "not EEG"),
        ("INTERPOLATED", "eeg", "not EEG"), ("Resp nasal", "eeg", "not EEG"), ("SaO2", "eeg", "not EEG"),
        ("LOC", "eeg", "EOG"), ("TP9", "eeg", "eeg"), ("EEG 1", "eeg", "eeg"), ("Channel 1", "eeg", "eeg"),
        ("BDF Annotations", "eeg", "not EEG"), ("Time Stamp", "eeg", "not EEG"), ("DIN1", "eeg", "stim"),
    ],
)  # fmt: skip
def test_kind_of(name: str, file_kind: str, kind: str) -> None:
    assert kind_of(name, file_kind) == kind


def test_every_usual_place_has_a_group_and_lies_on_the_head() -> None:
    for name in PLACES:
        site = site_of(name)
        assert site is not None, name
        assert group_of(site) is not None, name
        position = position_of(site)
        assert position is not None
        assert position[0] ** 2 + position[1] ** 2 <= 1.0 + 1e-9
    assert position_of("CZ") == (0.0, 0.0)


def test_left_and_right_mirror() -> None:
    for left, right in (("C3", "C4"), ("FP1", "FP2"), ("PO7", "PO8"), ("FT9", "FT10")):
        one, two = position_of(left), position_of(right)
        assert one is not None
        assert two is not None
        assert one == pytest.approx((-two[0], two[1]))
        assert one[0] < 0


def test_central_preset_lies_around_the_vertex() -> None:
    for site in CENTRAL:
        x, y = position_of(site) or (9.0, 9.0)
        assert x * x + y * y <= 0.45**2


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Effort THO", "not EEG"), ("BVP", "not EEG"), ("PTAF", "not EEG"), ("audio1", "not EEG"), ("x", "not EEG"),
     ("REFERENCE", "not EEG"), ("POW.AF3.Theta", "not EEG"), ("Alpha_TP9", "not EEG"), ("EX1", "not EEG"),
     ("FFC1h", "eeg"), ("C3'", "eeg"), ("Fz-LM", "eeg"), ("C3-P3", "eeg"), ("EEG 021", "eeg"), ("CH_9", "eeg"),
     ("LA7", "eeg"), ("IED_AF3", "eeg")],
)  # fmt: skip
def test_beside_electrodes_called_by_places_other_names_are_none(name: str, kind: str) -> None:
    beside = tuple(Channel(each, site_of(each), kind_of(each)) for each in ("Fz", "Cz", "Pz", name))
    assert among_others(beside)[3].kind == kind
    # Where no place is named, nothing is known of any.
    alone = Channel("Belt", None, "eeg")
    assert among_others((alone, *beside[:2])) == (alone, *beside[:2])


@pytest.mark.parametrize(
    ("unit", "volts"), [("[uV]", 1e-6), ("'mV'", 1e-3), ("uV\0", 1e-6), ("micro-V", 1e-6), ("pV", 1e-12), ("V/m", None)]
)
def test_units_in_brackets_quotes_and_parts(unit: str, volts: float | None) -> None:
    assert to_volts(unit) == volts
