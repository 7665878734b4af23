"""Golden values and gradients of convolution and linear layers of bench-nn: writes ../nn_conv.json.

Versions: torch 2.11.0, numpy 2.4.6. Seed 21. Run: python -P nn_conv.py

Everything is computed in 64 bits from inputs that are multiples of 1/8, so that 32 bits hold the inputs
exactly. Gradients are those of sum(weights * output).
Tolerances, relative to the largest magnitude of a tensor (at least 1): 1e-12 in 64 bits (both sides
differ in the order of sums only), 1e-5 in 32 bits.
Images are stored as (n, height, width, channels), kernels as (out, height, width, channels).
"""

import json
import platform
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(21)
cases = []


def grid(*shape):
    return torch.tensor(rng.integers(-16, 17, shape) / 8.0, dtype=torch.float64)


def packed(tensor):
    values = tensor.detach().double().reshape(-1).tolist()
    return {"shape": list(tensor.shape), "values": [int(v) if v == int(v) else v for v in values]}


def case(name, inputs, function, **options):
    leaves = [x.clone().requires_grad_(True) for x in inputs]
    output = function(*leaves)
    weights = grid(*output.shape)
    (output * weights).sum().backward()
    cases.append(
        {
            "name": name,
            "options": options,
            "inputs": [packed(x) for x in inputs],
            "output": packed(output),
            "weights": packed(weights),
            "gradients": [packed(x.grad) for x in leaves],
            "extra": {},
        }
    )


def conv(images, size, channels, outputs, kernel, stride, padding):
    def function(x, w):
        y = F.conv2d(x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), stride=stride, padding=padding)
        return y.permute(0, 2, 3, 1)

    case("conv2d", [grid(images, *size, channels), grid(outputs, *kernel, channels)], function, stride=stride, padding=padding)


conv(2, (9, 10), 5, 2, (7, 7), 2, 3)  # the stem: few channels, large kernel
conv(1, (9, 8), 2, 2, (7, 7), 1, 2)
conv(2, (7, 9), 3, 5, (3, 3), 1, 1)
conv(2, (7, 9), 3, 5, (3, 3), 2, 1)
conv(2, (6, 5), 4, 3, (3, 3), 1, 0)
conv(1, (6, 7), 2, 3, (3, 3), 2, 2)
conv(1, (5, 4), 3, 4, (3, 3), 1, 3)  # windows entirely in the padding
conv(2, (7, 5), 9, 6, (1, 1), 1, 0)
conv(2, (7, 6), 9, 6, (1, 1), 2, 0)
conv(1, (5, 5), 2, 3, (1, 1), 2, 1)
conv(1, (6, 9), 3, 2, (2, 5), 3, 1)  # a kernel that is not square, windows that skip pixels
conv(2, (3, 3), 16, 3, (3, 3), 1, 1)  # whole vectors
conv(2, (4, 3), 16, 7, (3, 3), 2, 1)
conv(1, (4, 4), 32, 2, (3, 3), 1, 1)
conv(1, (1, 1), 17, 7, (3, 3), 1, 1)  # one pixel: eight taps in nine outside

case("linear", [grid(7, 5), grid(3, 5), grid(3)], F.linear)
case("linear", [grid(1, 33), grid(18, 33), grid(18)], F.linear)
case("linear", [grid(21, 16), grid(35, 16)], F.linear)
case("linear", [grid(2, 3, 4), grid(5, 4), grid(5)], F.linear)

header = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "seed": 21}
path = Path(__file__).resolve().parent.parent / "nn_conv.json"
path.write_text(json.dumps({"header": header, "tolerance": {"f64": 1e-12, "f32": 1e-5}, "cases": cases}, separators=(",", ":")))
print(path.stat().st_size, "bytes,", len(cases), "cases")
