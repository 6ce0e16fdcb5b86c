"""Magenta, installed from the lock with its pins overridden, builds its graph, saves, restores, samples and encodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
import numpy as np
import tensorflow.compat.v1 as tf
from magenta.contrib.training import HParams
from magenta.models.music_vae import TrainedModel, configs, lstm_models
from magenta.models.music_vae.base_model import MusicVAE

checkpoint = sys.argv[1]
real = configs.CONFIG_MAP["cat-mel_2bar_small"]
small = {"batch_size": 4, "max_seq_len": 32, "z_size": 8, "enc_rnn_size": [16], "dec_rnn_size": [16, 16]}
config = real._replace(
    model=MusicVAE(lstm_models.BidirectionalLstmEncoder(), lstm_models.CategoricalLstmDecoder()),
    hparams=configs.merge_hparams(lstm_models.get_default_hparams(), HParams(**small)),
)
real_saver = tf.train.Saver


class SavingSaver(real_saver):
    def restore(self, session, path):
        session.run(tf.global_variables_initializer())
        self.save(session, path)


tf.train.Saver = SavingSaver
TrainedModel(config, batch_size=4, checkpoint_dir_or_path=checkpoint)
tf.train.Saver = real_saver
model = TrainedModel(config, batch_size=4, checkpoint_dir_or_path=checkpoint)
samples = model.sample(n=3, length=32, temperature=0.5)
decoded = model.decode(np.zeros((2, 8), np.float32), length=32)
print(json.dumps([len(samples), len(decoded), type(samples[0]).__name__]))
"""


@pytest.mark.long
def test_magenta_samples_from_a_checkpoint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, tmp_path / "model.ckpt"],
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [3, 2, "NoteSequence"]
