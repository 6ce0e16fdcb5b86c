"""Public checkpoints of the configurations that are read here, with the addresses where Magenta publishes them.

From the tables in `magenta/models/music_vae/README.md` (magenta/magenta) and `music/checkpoints/README.md`
(magenta/magenta-js); the flat models of sixteen bars from Magenta's notebook "MusicVAE" (its folder `colab2`).
"""

from __future__ import annotations

from dataclasses import dataclass

from therapy_gen.errors import InputError

_PUBLIC = "https://storage.googleapis.com/magentadata"
_NOTEBOOK = "https://storage.googleapis.com/download.magenta.tensorflow.org/models/music_vae/colab2/checkpoints"
PREFIX = ".ckpt"
# The files of a checkpoint that is published as a prefix.
PARTS = (".data-00000-of-00001", ".index")


@dataclass(frozen=True)
class PublicCheckpoint:
    """A checkpoint that anyone can get: its name, its configuration, what it writes, and where it is.

    Magenta publishes no digests. `sha256` is that of a public copy, where one is known; None elsewhere.
    """

    name: str
    config: str
    about: str
    address: str
    sha256: str | None = None

    @property
    def is_downloadable(self) -> bool:
        """Whether `model import` can download it: the address is that of a tar or of a prefix, not of a folder."""
        return self.address.endswith((".tar", PREFIX))


PUBLIC: tuple[PublicCheckpoint, ...] = (
    PublicCheckpoint(
        "cat-mel_2bar_big",
        "cat-mel_2bar_big",
        "melodies of two bars",
        f"{_PUBLIC}/models/music_vae/checkpoints/cat-mel_2bar_big.tar",
    ),
    PublicCheckpoint(
        "flat-mel_16bar",
        "flat-mel_16bar",
        "melodies of sixteen bars, without a conductor",
        f"{_NOTEBOOK}/mel_16bar_flat{PREFIX}",
    ),
    PublicCheckpoint(
        "hierdec-mel_16bar",
        "hierdec-mel_16bar",
        "melodies of sixteen bars",
        f"{_PUBLIC}/models/music_vae/checkpoints/hierdec-mel_16bar.tar",
        # By the Git LFS pointer `src/hierdec-mel_16bar.tar` (704,249,856 bytes) of the GitHub repository
        # lucaspbastos/Audio-Based-Melody-Generation at its commit 76c917c.
        "6f568ca26b79dbe83001beb6f33804e1faa86be6f0130726b8b19f216fa3b1ed",
    ),
    PublicCheckpoint(
        "flat-trio_16bar",
        "flat-trio_16bar",
        "melody, bass and drums of sixteen bars, without a conductor",
        f"{_NOTEBOOK}/trio_16bar_flat{PREFIX}",
    ),
    PublicCheckpoint(
        "hierdec-trio_16bar",
        "hierdec-trio_16bar",
        "melody, bass and drums of sixteen bars",
        f"{_PUBLIC}/models/music_vae/checkpoints/hierdec-trio_16bar.tar",
    ),
    PublicCheckpoint(
        "mel_2bar_small",
        "cat-mel_2bar_small",
        "melodies of two bars (a folder in TensorFlow.js layout)",
        f"{_PUBLIC}/js/checkpoints/music_vae/mel_2bar_small",
    ),
)


def find_public(name: str) -> PublicCheckpoint:
    """Return a public checkpoint by name; InputError names those that can be downloaded."""
    for checkpoint in PUBLIC:
        if checkpoint.name == name and checkpoint.is_downloadable:
            return checkpoint
    known = ", ".join(checkpoint.name for checkpoint in PUBLIC if checkpoint.is_downloadable)
    raise InputError(f"no public checkpoint {name!r} is known; give a file, or one of: {known}")


def known_digest(address: str) -> str | None:
    """Return the SHA-256 that a public copy of what lies at an address has; None where none is known.

    >>> known_digest("https://example.org/other.tar") is None
    True
    """
    return next((one.sha256 for one in PUBLIC if one.address == address), None)
