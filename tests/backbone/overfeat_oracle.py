"""Both OverFeat networks in NumPy: their modules, the layout of their files, and a forward pass."""

import numpy as np

MODULES = {
    "fast": "norm conv1 relu pool2 conv4 relu pool2 pad conv8 relu pad conv11 relu pad conv14 relu pool2 "
    "conv17 relu conv19 relu conv21",
    "accurate": "norm conv1 relu pool3 conv4 relu pool2 pad conv8 relu pad conv11 relu pad conv14 relu pad conv17 relu "
    "pool3 conv20 relu conv22 relu conv24",
}
"""The released networks, module by module in the package's numbering: pools with their window, convolutions with their
index."""

CONVOLUTIONS = {
    "fast": {
        "conv1": ((96, 3, 11, 11), 0, 34_848),
        "conv4": ((256, 96, 5, 5), 34_944, 649_344),
        "conv8": ((512, 256, 3, 3), 649_600, 1_829_248),
        "conv11": ((1024, 512, 3, 3), 1_829_760, 6_548_352),
        "conv14": ((1024, 1024, 3, 3), 6_549_376, 15_986_560),
        "conv17": ((3072, 1024, 6, 6), 15_987_584, 129_233_792),
        "conv19": ((4096, 3072, 1, 1), 129_236_864, 141_819_776),
        "conv21": ((1000, 4096, 1, 1), 141_823_872, 145_919_872),
    },
    "accurate": {
        "conv1": ((96, 3, 7, 7), 0, 14_112),
        "conv4": ((256, 96, 7, 7), 14_208, 1_218_432),
        "conv8": ((512, 256, 3, 3), 1_218_688, 2_398_336),
        "conv11": ((512, 512, 3, 3), 2_398_848, 4_758_144),
        "conv14": ((1024, 512, 3, 3), 4_758_656, 9_477_248),
        "conv17": ((1024, 1024, 3, 3), 9_478_272, 18_915_456),
        "conv20": ((4096, 1024, 5, 5), 18_916_480, 123_774_080),
        "conv22": ((4096, 4096, 1, 1), 123_778_176, 140_555_392),
        "conv24": ((1000, 4096, 1, 1), 140_559_488, 144_655_488),
    },
}
"""Shape of the weights, their place and that of the biases in the file, in floats."""


def outputs(network, file, pixels):
    """Oracle: the output [C, H, W] of every module for an image uint8 [H, W, 3], in NumPy."""
    flat, found, values = np.memmap(file, "<f4", mode="r"), [], pixels.transpose(2, 0, 1).astype(np.float64)
    for module in MODULES[network].split():
        if module == "norm":
            values = ((values - 118.380948) / 61.896913).astype(np.float32)
        elif module == "relu":
            values = values * (values > 1e-6)
        elif module == "pad":
            values = np.pad(values, [(0, 0), (1, 1), (1, 1)])
        elif module.startswith("pool"):
            side, at = int(module[-1]), values.shape[1] // int(module[-1])
            cut = values[:, : at * side, : at * side]
            values = cut.reshape(len(values), at, side, at, side).max((2, 4))
        else:
            shape, weights, biases = CONVOLUTIONS[network][module]
            step = {"fast": 4, "accurate": 2}[network] if module == "conv1" else 1
            windows = np.lib.stride_tricks.sliding_window_view(values, shape[2:], (1, 2))[:, ::step, ::step]
            kernels = flat[weights : weights + np.prod(shape)].reshape(shape)
            bias = flat[biases : biases + shape[0], None, None]
            values = np.tensordot(kernels, windows, [(1, 2, 3), (0, 3, 4)]) + bias
        found.append(values)
    return found
