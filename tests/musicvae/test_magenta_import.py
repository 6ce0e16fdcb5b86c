"""Checkpoints from elsewhere: TensorFlow.js's layout, hostile and damaged files, downloads."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from therapy_gen.errors import InputError
from therapy_gen.musicvae.load import open_model
from therapy_gen.musicvae.magenta import public_checkpoints
from therapy_gen.musicvae.magenta.bundle import crc32c
from therapy_gen.musicvae.magenta.bundle_writer import write_bundle
from therapy_gen.musicvae.magenta.checkpoint_files import checkpoint
from therapy_gen.musicvae.magenta.configs import CONFIGS, decoder_shapes, variable_shapes
from therapy_gen.musicvae.magenta.download import download, download_known
from therapy_gen.musicvae.magenta.tfjs import read_manifest, read_variable, write_tfjs

Cli = Callable[..., Any]
SMALL = replace(CONFIGS["cat-mel_2bar_small"], z_size=6, encoder_units=(8,), decoder_units=(9, 10))


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in variable_shapes(SMALL).items()}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "small.ckpt", arrays())
    return tmp_path / "small.ckpt"


def test_the_checksum_is_crc32c_however_the_data_comes() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    # RFC 3720, appendix B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E
    data = np.random.default_rng(0).bytes(300_001)
    in_bytes = 0
    for start in range(0, len(data), 4000):
        in_bytes = crc32c(data[start : start + 4000], in_bytes)
    assert crc32c(data) == crc32c(data[70_001:], crc32c(data[:70_001])) == in_bytes


def test_google_s_decoder_samples_melodies_and_says_that_it_cannot_encode(
    google_mel_2bar_small: Path, cli: Cli, home: Path
) -> None:
    done = cli("model", "import", google_mel_2bar_small, "--config", "cat-mel_2bar_small", "--name", "google")
    assert done.status == 0, done.err
    assert "cannot encode" in done.err
    model = open_model("google", home / "models")
    z = model.sample_prior(64, np.random.default_rng(0)) * np.float32(0.3)
    tokens = model.decode(z, temperature=0.5, rng=np.random.default_rng(1))
    assert tokens.shape == (64, 32, 1)
    notes = tokens[tokens > 1].astype(int) - 2 + 21
    # Melodies: in the middle of the keyboard, sparse, most steps from note to note small.
    assert 50 < np.median(notes) < 80
    assert 0.1 < (tokens > 1).mean() < 0.6
    steps = [abs(np.diff(row[row > 1].astype(int))) for row in tokens[:, :, 0]]
    assert np.median(np.concatenate(steps)) <= 5
    with pytest.raises(InputError, match="no complete encoder"):
        model.encode(tokens)


def test_tensorflow_js_shards_and_quantised_weights_are_read(tmp_path: Path, cli: Cli, home: Path) -> None:
    folder = tmp_path / "js"
    write_tfjs(folder, arrays(), {"type": "MelodyConverter", "args": {"numSteps": 32}}, shard_bytes=5000)
    assert len(list(folder.glob("group1-shard*"))) > 3
    assert cli("model", "import", folder, "--config", "cat-mel_2bar_small", "--name", "js").status == 0
    model = open_model("js", home / "models")
    for name, array in arrays().items():
        np.testing.assert_array_equal(model.arrays[name], array)

    # One variable in two bytes a number, as Magenta.js publishes most models.
    manifest = json.loads((folder / "weights_manifest.json").read_text())
    whole = b"".join((folder / name).read_bytes() for name in manifest[0]["paths"])
    first = manifest[0]["weights"][0]
    size = 4 * int(np.prod(first["shape"]))
    values = np.frombuffer(whole[:size], "<f4")
    scale = float(np.ptp(values)) / 65535
    first["quantization"] = {"dtype": "uint16", "scale": scale, "min": float(values.min())}
    packed = np.rint((values - values.min()) / scale).astype("<u2").tobytes()
    manifest[0]["paths"] = ["group1-shard1of1"]
    (folder / "group1-shard1of1").write_bytes(packed + whole[size:])
    (folder / "weights_manifest.json").write_text(json.dumps(manifest))
    assert cli("model", "import", folder, "--config", "cat-mel_2bar_small", "--name", "q2").status == 0
    quantised = open_model("q2", home / "models").arrays
    for name, array in arrays().items():
        np.testing.assert_allclose(quantised[name], array, atol=scale if name == first["name"] else 0)


def test_a_model_for_magenta_js_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "js"
    write_tfjs(folder, arrays(), {}, shard_bytes=5000)
    before = {file: file.read_bytes() for file in folder.iterdir()}

    class Unwritable(dict[str, np.ndarray]):
        def items(self) -> Any:
            yield from list(super().items())[:-1]
            raise OSError("the disk is full")

    with pytest.raises(InputError, match="disk is full"):
        write_tfjs(folder, Unwritable(arrays(1)), {}, shard_bytes=5000)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before

    (folder / "group1-notes").write_text("mine")
    written = write_tfjs(folder, arrays(1), {}, shard_bytes=9000)
    assert {file.name for file in folder.iterdir()} == {"group1-notes", *(file.name for file in written)}
    for name, stored in read_manifest(folder).items():
        np.testing.assert_array_equal(read_variable(stored), arrays(1)[name])


def test_a_checkpoint_of_values_that_are_no_numbers_is_refused(tmp_path: Path, cli: Cli, home: Path) -> None:
    spoilt = arrays()
    name = next(iter(decoder_shapes(SMALL)))
    spoilt[name].flat[0] = np.nan
    write_bundle(tmp_path / "spoilt.ckpt", spoilt)
    done = cli("model", "import", tmp_path / "spoilt.ckpt", "--config", "cat-mel_2bar_small")
    assert done.status == 1
    assert f"spoilt.ckpt holds values that are no numbers ({name})" in done.error_line
    assert not list(home.rglob("*.safetensors"))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", ""])
def test_a_manifest_that_leads_outside_is_refused(name: str, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "js"
    folder.mkdir()
    entries = {variable: {"filename": name, "shape": list(shape)} for variable, shape in decoder_shapes(SMALL).items()}
    (folder / "manifest.json").write_text(json.dumps(entries))
    done = cli("model", "import", folder, "--config", "cat-mel_2bar_small")
    assert done.status == 1
    assert "names a file outside it" in done.error_line


def hostile(kind: str, tar: Path) -> None:
    with tarfile.open(tar, "w") as archive:
        member = tarfile.TarInfo("small.ckpt.index")
        content = b"x" * 10
        if kind == "symlink":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        elif kind == "hard link":
            member.type, member.linkname = tarfile.LNKTYPE, "other"
        elif kind == "device":
            member.type = tarfile.CHRTYPE
        elif kind == "absolute":
            member.name = "/tmp/small.ckpt.index"
        elif kind == "parent":
            member.name = "a/../../small.ckpt.index"
        if member.isreg():
            member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    if kind == "bomb":
        with tarfile.open(tar, "w:gz") as archive:
            member = tarfile.TarInfo("small.ckpt.data-00000-of-00001")
            member.size = 20_000_000
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    if kind == "huge":
        block = bytearray(tar.read_bytes())
        block[124:136] = b"7" * 11 + b"\0"
        block[148:156] = b" " * 8
        block[148:156] = f"{sum(block[:512]):06o}\0 ".encode()
        tar.write_bytes(block)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("symlink", "holds a link"),
        ("hard link", "holds a link"),
        ("device", "no plain file"),
        ("absolute", "leads outside"),
        ("parent", "leads outside"),
        ("huge", "larger than any checkpoint"),
        ("bomb", "unpacks to over 100 times its size"),
    ],
)
def test_a_hostile_tar_is_refused(kind: str, said: str, tmp_path: Path, cli: Cli) -> None:
    tar = tmp_path / "hostile.tar"
    hostile(kind, tar)
    before = sorted(tmp_path.rglob("*"))
    done = cli("model", "import", tar, "--config", "cat-mel_2bar_small")
    assert done.status == 1
    assert said in done.error_line
    assert [path for path in sorted(tmp_path.rglob("*")) if "home" not in path.parts] == before


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2"])
def test_a_compressed_tar_that_is_damaged_is_refused(kind: str, tmp_path: Path, prefix: Path, cli: Cli) -> None:
    path = tmp_path / f"small.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as tar:
        for file in sorted(tmp_path.glob("small.ckpt.*")):
            tar.add(file, file.name)
    whole = path.read_bytes()
    for place in range(100, len(whole), len(whole) // 6):
        path.write_bytes(whole[:place] + bytes(b ^ 0xFF for b in whole[place : place + 40]) + whole[place + 40 :])
        done = cli("model", "import", path, "--config", "cat-mel_2bar_small")
        assert done.status == 1
        assert f"small.tar.{kind}" in done.error_line
        assert "mistake" not in done.error_line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nonesuch.ckpt", "does not exist"),
        ("plain.txt", "is no checkpoint of TensorFlow"),
        ("empty", "holds 0 checkpoints"),
        ("lonely.ckpt", "no data file beside it"),
        ("garbage.ckpt", "is no index of a TensorFlow checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_refused_by_name(name: str, said: str, tmp_path: Path, prefix: Path, cli: Cli) -> None:
    (tmp_path / "plain.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "lonely.ckpt.index").write_bytes(Path(f"{prefix}.index").read_bytes())
    (tmp_path / "garbage.ckpt.index").write_bytes(b"\0" * 100)
    (tmp_path / "garbage.ckpt.data-00000-of-00001").write_bytes(b"")
    done = cli("model", "import", tmp_path / name, "--config", "cat-mel_2bar_small")
    assert done.status == 1
    assert said in done.error_line
    assert name in done.error_line


@pytest.mark.parametrize("seed", range(8))
def test_any_damage_to_an_index_ends_in_one_line(seed: int, prefix: Path, cli: Cli) -> None:
    rng = np.random.default_rng(seed)
    index = Path(f"{prefix}.index")
    whole = index.read_bytes()
    for _ in range(40):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 3).tolist():
            content[place] = int(rng.integers(256))
        index.write_bytes(content[: int(rng.integers(1, len(content) + 1))])
        try:
            with checkpoint(prefix) as bundle:
                assert set(bundle.entries) >= set(variable_shapes(SMALL))
        except InputError:
            continue


class Server(http.server.ThreadingHTTPServer):
    content = b""
    cut_after: int | None = None
    names_hash = True
    ranges: list[str | None]
    files: dict[str, bytes]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path, self.server.content)
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1)) if wanted else 0  # type: ignore[union-attr]
        if start >= len(content):
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if self.server.names_hash:
            import base64

            digest = base64.b64encode(hashlib.md5(content).digest()).decode()
            self.send_header("x-goog-hash", "crc32c=AAAAAA==")
            self.send_header("x-goog-hash", f"md5={digest}")
        self.end_headers()
        stop = len(content) if self.server.cut_after is None else min(start + self.server.cut_after, len(content))
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.ranges = []
        running.files = {}
        running.content = np.random.default_rng(0).bytes(3_000_000)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: Server, name: str = "file.tar") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{name}"


def test_a_download_goes_on_where_it_stopped_and_is_checked(server: Server, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(server.content).hexdigest()
    target = tmp_path / "file.tar"
    server.cut_after = 1_200_000
    with pytest.raises(InputError, match="goes on where it stopped"):
        download(address(server), target, sha256=sha256)
    assert not target.exists()
    with pytest.raises(InputError, match="goes on where it stopped"):
        download(address(server), target, sha256=sha256)
    server.cut_after = None
    assert download(address(server), target, sha256=sha256).read_bytes() == server.content
    assert server.ranges == [None, "bytes=1200000-", "bytes=2400000-"]
    assert list(tmp_path.iterdir()) == [target]
    # What is there and whole is not fetched again.
    download(address(server), target, sha256=sha256)
    assert len(server.ranges) == 3


def test_a_download_with_another_hash_is_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it was removed"):
        download(address(server), tmp_path / "file.tar", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_download_without_any_hash_is_not_trusted(server: Server, tmp_path: Path) -> None:
    server.names_hash = False
    with pytest.raises(InputError, match=f"its SHA-256 is {hashlib.sha256(server.content).hexdigest()}"):
        download(address(server), tmp_path / "file.tar")
    assert not (tmp_path / "file.tar").exists()
    # The file is there already: the hash decides.
    download(address(server), tmp_path / "file.tar", sha256=hashlib.sha256(server.content).hexdigest())
    assert (tmp_path / "file.tar").read_bytes() == server.content


def test_what_came_first_from_an_address_must_come_again(server: Server, tmp_path: Path) -> None:
    where, digest = address(server), hashlib.sha256(server.content).hexdigest()
    path, found, new = download_known(where, tmp_path)
    assert (path.read_bytes(), found, new) == (server.content, digest, True)
    # It is there and whole: nothing is fetched.
    assert download_known(where, tmp_path) == (path, digest, False)
    assert len(server.ranges) == 1
    path.unlink()
    server.content = server.content[::-1]
    with pytest.raises(InputError, match="is not the file that came from there the first time"):
        download_known(where, tmp_path)
    assert not path.exists()
    other = hashlib.sha256(server.content).hexdigest()
    assert download_known(where, tmp_path, sha256=other)[1:] == (other, True)
    assert download_known(where, tmp_path)[1:] == (other, False)
    (tmp_path / "sha256.json").write_text("[")
    with pytest.raises(InputError, match="sha256.json cannot be read"):
        download_known(where, tmp_path)


def test_what_a_public_copy_hashes_to_is_wanted_the_first_time(server: Server, tmp_path: Path) -> None:
    where, digest = address(server), hashlib.sha256(server.content).hexdigest()
    with pytest.raises(InputError, match="a public copy of it has that SHA-256; give the other one if you trust"):
        download_known(where, tmp_path, pinned="0" * 64)
    assert not (tmp_path / "file.tar").exists()
    # Whoever trusts the server need not fetch it again, and what is recorded counts from then on.
    server.content = b""
    assert download_known(where, tmp_path, sha256=digest, pinned="0" * 64)[1:] == (digest, True)
    assert download_known(where, tmp_path, pinned="0" * 64)[1:] == (digest, False)


def test_public_checkpoints_with_a_known_copy_are_pinned() -> None:
    from therapy_gen.musicvae.magenta.public_checkpoints import find_public, known_digest

    melody = find_public("hierdec-mel_16bar")
    assert known_digest(melody.address) == melody.sha256
    assert melody.sha256 is not None
    assert len(bytes.fromhex(melody.sha256)) == 32


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_weights_of_a_tar_are_held_to_a_public_copy(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, path = np.random.default_rng(0).bytes(2_500_000), tmp_path / "cat-mel_2bar_big.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for suffix, content in (("index", b"index"), ("data-00000-of-00001", weights)):
            member = tarfile.TarInfo(f"a/a.ckpt.{suffix}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    known = public_checkpoints.find_public("cat-mel_2bar_big")
    with pytest.raises(InputError, match="those of a public copy hash to 5d022cd7"):
        public_checkpoints.check_weights(path, known.address)
    public_checkpoints.check_weights(path, "https://example.org/other.tar")
    same = replace(known, weights_sha256=hashlib.sha256(weights).hexdigest())
    monkeypatch.setattr(public_checkpoints, "PUBLIC", (same,))
    public_checkpoints.check_weights(path, known.address)


def test_a_checkpoint_is_imported_from_a_web_address(server: Server, prefix: Path, cli: Cli, home: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for suffix in ("index", "data-00000-of-00001"):
            archive.add(f"{prefix}.{suffix}", f"small.ckpt.{suffix}")
    server.content = packed.getvalue()
    where = address(server, "small.tar")
    done = cli("model", "import", where, "--config", "cat-mel_2bar_small", "--name", "web")
    assert done.status == 0
    assert f"SHA-256 {hashlib.sha256(server.content).hexdigest()}, recorded" in done.err
    model = open_model("web", home / "models")
    for name, array in arrays().items():
        np.testing.assert_array_equal(model.arrays[name], array)
    done = cli("model", "import", where + "x", "--config", "cat-mel_2bar_small", "--sha256", "abc")
    assert done.status == 1
    assert "is no SHA-256" in done.error_line


def test_a_checkpoint_is_imported_from_the_web_address_of_its_prefix(
    server: Server, prefix: Path, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in ("index", "data-00000-of-00001"):
        server.files[f"/small.ckpt.{suffix}"] = Path(f"{prefix}.{suffix}").read_bytes()
    server.content = b""
    where = address(server, "small.ckpt")
    assert cli("model", "import", where, "--config", "cat-mel_2bar_small", "--name", "web").status == 0
    model = open_model("web", home / "models")
    for name, array in arrays().items():
        np.testing.assert_array_equal(model.arrays[name], array)
    wrong = cli("model", "import", where, "--config", "cat-mel_2bar_small", "--sha256", "0" * 64)
    assert wrong.status == 1
    assert "it was removed" in wrong.error_line


def test_public_checkpoints_are_listed_and_downloaded_by_name(cli: Cli) -> None:
    listed = cli("model", "known", "--json").document
    assert {each["config"] for each in listed["checkpoints"]} == set(listed["configs"])
    assert all(each["address"].startswith("https://storage.googleapis.com/") for each in listed["checkpoints"])
    text = cli("model", "known").out
    assert all(each["address"] in text for each in listed["checkpoints"])
    done = cli("model", "import", "mel_2bar_small", "--download", "--config", "cat-mel_2bar_small")
    assert done.status == 1
    assert "flat-mel_16bar" in done.error_line


@pytest.mark.parametrize(
    ("key", "value"),
    [("paths", []), ("paths", ""), ("weights", [{"name": "a", "shape": [10**9, 9], "dtype": "float32"}])],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, key: str, value: object) -> None:
    group = {"paths": ["group1-shard1of1"], "weights": [{"name": "a", "shape": [2], "dtype": "float32"}], key: value}
    (tmp_path / "weights_manifest.json").write_text(json.dumps([group]))
    with pytest.raises(InputError, match="is not a manifest of TensorFlow.js"):
        read_manifest(tmp_path)
