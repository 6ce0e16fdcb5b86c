"""Public checkpoints of the supported configurations, with the addresses where Magenta publishes them.

From the tables in `magenta/models/music_vae/README.md` (magenta/magenta) and `music/checkpoints/README.md`
(magenta/magenta-js); the flat models of sixteen bars from Magenta's notebook "MusicVAE" (its folder `colab2`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from therapy_gen.errors import InputError
from therapy_gen.musicvae.magenta.checkpoint_files import weights_sha256

_PUBLIC = "https://storage.googleapis.com/magentadata"
_NOTEBOOK = "https://storage.googleapis.com/download.magenta.tensorflow.org/models/music_vae/colab2/checkpoints"
PREFIX = ".ckpt"
# The files of a checkpoint that is published as a prefix.
PARTS = (".data-00000-of-00001", ".index")


@dataclass(frozen=True)
class PublicCheckpoint:
    """A public checkpoint: its name, configuration, kind of music and address.

    Magenta publishes no digests. `sha256` is that of a public copy, where one is known, and `weights_sha256` that of a
    public copy of the data file in its tar; None elsewhere.
    """

    name: str
    config: str
    about: str
    address: str
    sha256: str | None = None
    weights_sha256: str | None = None

    @property
    def is_downloadable(self) -> bool:
        """Whether `model import` can download it: its address is a tar or a prefix, not a folder."""
        return self.address.endswith((".tar", PREFIX))


PUBLIC: tuple[PublicCheckpoint, ...] = (
    PublicCheckpoint(
        "cat-mel_2bar_big",
        "cat-mel_2bar_big",
        "melodies of two bars",
        f"{_PUBLIC}/models/music_vae/checkpoints/cat-mel_2bar_big.tar",
        # By the Git LFS pointer of its data file (1,614,853,192 bytes) in the folder `cat-mel_2bar_big` of the GitHub
        # repository luckydeignan/audioFloInterpolationGenerator at its commit ca35b95.
        weights_sha256="5d022cd7a6e73711f5c99a2dec9c036dcd7ccc52c2fd8da1181dab1fcdbcc82e",
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


def check_weights(path: Path, address: str) -> None:
    """Raise InputError where a tar that was downloaded holds other weights than the public copy that is known."""
    wanted = next((one.weights_sha256 for one in PUBLIC if one.address == address), None)
    if wanted is None:
        return
    found = weights_sha256(path)
    if found != wanted:
        raise InputError(
            f"{path} from {address} holds weights that hash to {found}, and those of a public copy hash to {wanted}: "
            "give the SHA-256 of the tar if you trust the server (sha256)"
        )


def known_digest(address: str) -> str | None:
    """Return the SHA-256 of a public copy of an address's file; None where none is known.

    >>> known_digest("https://example.org/other.tar") is None
    True
    """
    return next((one.sha256 for one in PUBLIC if one.address == address), None)
