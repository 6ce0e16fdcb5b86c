"""Sample 16-bar melodies with Magenta's TrainedModel; `session_new.py` runs this as a process of its own.

`prepare` has Magenta build its graph and save the weights it starts training from; `sample` loads such a checkpoint and
samples. The weights are random: the time does not depend on them, since every sample is 256 steps long.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CONFIG = "hierdec-mel_16bar"
STEPS = 256


def main() -> None:
    """Run ``prepare CHECKPOINT`` or ``sample CHECKPOINT COUNT BATCH [WARM_CALLS]``."""
    action, checkpoint = sys.argv[1:3]
    started = time.perf_counter()
    import tensorflow.compat.v1 as tf
    from magenta.models.music_vae import TrainedModel, configs

    imported = time.perf_counter()
    config = configs.CONFIG_MAP[CONFIG]
    if action == "prepare":

        class SavingSaver(tf.train.Saver):  # type: ignore[misc]
            """Saves the initial weights where TrainedModel would restore trained ones."""

            def restore(self, session: object, path: str) -> None:
                session.run(tf.global_variables_initializer())  # type: ignore[attr-defined]
                self.save(session, path, write_meta_graph=False)

        tf.train.Saver = SavingSaver
        TrainedModel(config, batch_size=1, checkpoint_dir_or_path=checkpoint)
        return
    count, batch = int(sys.argv[3]), int(sys.argv[4])
    model = TrainedModel(config, batch_size=batch, checkpoint_dir_or_path=checkpoint)
    loaded = time.perf_counter()
    samples = model.sample(n=count, length=STEPS, temperature=0.5)
    assert len(samples) == count
    sampled = time.perf_counter()
    figures = {"import_s": imported - started, "load_s": loaded - imported, "sample_s": sampled - loaded}
    warm, warm_cpu = [], []
    for _ in range(int(sys.argv[5]) if len(sys.argv) > 5 else 0):
        again, used = time.perf_counter(), time.process_time()
        model.sample(n=count, length=STEPS, temperature=0.5)
        warm.append(time.perf_counter() - again)
        warm_cpu.append(time.process_time() - used)
    print(json.dumps({**figures, "warm_s": warm, "warm_cpu_s": warm_cpu}))


if __name__ == "__main__":
    main()
