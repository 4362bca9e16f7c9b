"""Rounding to bfloat16."""

import numpy as np
import torch

from offshelf.extractor.rounding import round_filters


def test_by_hand():
    """Between 1 and 2 bfloat16 has steps of 2^-7, between 1/4 and 1/2 of 2^-9: the smallest tap takes up the errors."""
    taps = np.array([[1 + 3 / 1024, 1 + 3 / 1024, 0.25]], np.float32)

    assert round_filters(taps).tolist() == [[1.0, 1.0, 0.25 + 6 / 1024]]


def test_sums_hold():
    """One value differs from the nearest ones, and the sums are ten times as near."""
    filters = np.random.default_rng(0).normal(size=(32, 1, 1, 9)).astype(np.float32)
    nearest = torch.tensor(filters).bfloat16().float().numpy()
    rounded = round_filters(filters)

    def error_of_sums(found):
        return np.abs(found.sum(-1, dtype=np.float64) - filters.sum(-1, dtype=np.float64)).max()

    assert (torch.tensor(rounded).bfloat16().float().numpy() == rounded).all()
    assert (rounded != nearest).sum(-1).max() == 1
    assert error_of_sums(rounded) < error_of_sums(nearest) / 10
