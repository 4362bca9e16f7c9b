#!/usr/bin/env bash
# After one interrupted Trainer.predict a process ignores Ctrl-C for good.
#
# Expected: the trainer shields its clean-up from a second Ctrl-C, and then gives the signal back to whoever had it.
# Happens: it sets SIGINT to be ignored and leaves it so. KeyboardInterrupt reaches the caller, who may catch it and go on
# (a notebook, a sweep, a server), and can then be stopped by a kill only; so can the child processes that it starts.
# Matters: offshelf puts the handler back after each pass.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 pytorch-lightning==2.6.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import signal

import pytorch_lightning as lightning
import torch


class Interrupted(lightning.LightningModule):
    def predict_step(self, batch, index):
        raise KeyboardInterrupt


trainer = lightning.Trainer(
    accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False
)
before = signal.getsignal(signal.SIGINT)
try:
    trainer.predict(Interrupted(), torch.utils.data.DataLoader(torch.zeros(2, 1)))
except (KeyboardInterrupt, SystemExit) as raised:
    print("raised:", type(raised).__name__)
after = signal.getsignal(signal.SIGINT)
print("pytorch-lightning", lightning.__version__, "before:", before, "after:", after)
assert before is signal.default_int_handler and after is signal.SIG_IGN, "it changed"
PYTHON
