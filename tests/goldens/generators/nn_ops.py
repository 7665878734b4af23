"""Golden values and gradients of the operations of bench-nn: writes ../nn_ops.json.

Versions: torch 2.11.0, numpy 2.4.6. Seed 20. Run: python -P nn_ops.py

Everything is computed in 64 bits from inputs that are multiples of 1/8, so that ties, zeros and equal
maxima occur and 32 bits hold the inputs exactly. Gradients are those of sum(weights * output).
Tolerances, relative to the largest magnitude of a tensor (at least 1): 1e-12 in 64 bits (both sides
differ in the order of sums only), 1e-5 in 32 bits.
Images are stored as (n, height, width, channels).
"""

import json
import platform
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(20)
cases = []


def grid(*shape, low=-16, high=16):
    return torch.tensor(rng.integers(low, high + 1, shape) / 8.0, dtype=torch.float64)


def packed(tensor):
    return {"shape": list(tensor.shape), "values": tensor.detach().double().reshape(-1).tolist()}


def case(name, inputs, function, **options):
    """`function` takes leaves and gives the output, or (output, further tensors by name)."""
    leaves = [x.clone().requires_grad_(True) for x in inputs]
    result = function(*leaves)
    output, extra = result if isinstance(result, tuple) else (result, {})
    weights = grid(*output.shape)
    (output * weights).sum().backward()
    cases.append(
        {
            "name": name,
            "options": options,
            "inputs": [packed(x) for x in inputs],
            "output": packed(output),
            "weights": packed(weights),
            "gradients": [packed(x.grad if x.grad is not None else torch.zeros_like(x)) for x in leaves],
            "extra": {key: packed(value) for key, value in extra.items()},
        }
    )


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def batch_norm(training, residual, relu):
    def function(x, gamma, beta, *rest):
        mean, var = torch.tensor([0.5, -0.25, 1.0], dtype=torch.float64), torch.tensor([1.5, 0.75, 2.0], dtype=torch.float64)
        y = channels_last(F.batch_norm(channels_first(x), mean, var, gamma, beta, training, 0.1, 1e-5))
        if residual:
            y = y + rest[0]
        return (F.relu(y) if relu else y), {"running_mean": mean, "running_var": var}

    # A scale and shift of zero: outputs of exactly zero, where the slope of a ReLU is zero.
    gamma, beta = torch.tensor([1.5, -0.75, 0.0], dtype=torch.float64), torch.tensor([0.25, 0.5, 0.0], dtype=torch.float64)
    inputs = [grid(4, 3, 2, 3), gamma, beta] + ([grid(4, 3, 2, 3)] if residual else [])
    case("batch_norm", inputs, function, training=training, residual=residual, relu=relu)


for training in (True, False):
    for residual in (True, False):
        for relu in (True, False):
            batch_norm(training, residual, relu)

for kernel, stride, padding, size in [(3, 2, 1, (5, 6)), (3, 2, 1, (8, 8)), (2, 2, 0, (5, 4)), (3, 1, 1, (4, 4)), (2, 3, 1, (7, 6))]:
    # Whole numbers from -2 to 2: most windows have several equal maxima.
    x = torch.tensor(rng.integers(-2, 3, (2, *size, 3)), dtype=torch.float64)
    pool = lambda x: channels_last(F.max_pool2d(channels_first(x), kernel, stride, padding))
    case("max_pool", [x], pool, kernel=kernel, stride=stride, padding=padding)
case("global_average_pool", [grid(3, 4, 5, 2)], lambda x: x.mean((1, 2)))

case("relu", [grid(5, 7, low=-2, high=2)], F.relu)
case("add", [grid(4, 5), grid(4, 5)], lambda a, b: a + b)
case("add_relu", [grid(4, 5, low=-2, high=2), grid(4, 5, low=-2, high=2)], lambda a, b: F.relu(a + b))
case("gelu", [grid(6, 9, low=-48, high=48)], F.gelu)
case("softmax", [grid(4, 19)], lambda x: F.softmax(x, -1))
case("softmax", [grid(2, 3, 5) + 800.0], lambda x: F.softmax(x, -1))
case("log_softmax", [grid(4, 37)], lambda x: F.log_softmax(x, -1))
case("log_softmax", [grid(3, 4) * 200.0], lambda x: F.log_softmax(x, -1))
for width in (1, 5, 40):
    inputs = [grid(6, width), grid(width), grid(width)]
    case("layer_norm", inputs, lambda x, g, b: F.layer_norm(x, (x.shape[-1],), g, b, 1e-5))

codes = rng.integers(0, 7, (9, 3))
case("embedding_sum", [grid(8, 4)], lambda t: t[torch.tensor(codes)].sum(1), codes=codes.reshape(-1).tolist(), per_row=3)
index = rng.integers(0, 5, 11)
case("gather_rows", [grid(6, 4)], lambda x: x[torch.tensor(index)], index=index.tolist())

offsets = [0, 3, 3, 4, 9, 11, 11]


def reduced(x, reduce):
    rows = []
    for start, end in zip(offsets, offsets[1:]):
        part = x[start:end]
        if start == end:
            rows.append(torch.zeros(x.shape[1], dtype=torch.float64))
        elif reduce == "sum":
            rows.append(part.sum(0))
        elif reduce == "mean":
            rows.append(part.mean(0))
        elif reduce == "max":
            rows.append(part.max(0).values)
        elif reduce == "min":
            rows.append(part.min(0).values)
        else:
            rows.append(torch.sqrt(F.relu((part * part).mean(0) - part.mean(0) ** 2) + 1e-5))
    return torch.stack(rows)


# Few distinct values: equal extremes, and columns without spread, where the variance is clamped.
few = grid(11, 4, low=-2, high=2)
few[4:9, 2] = 0.5
for reduce in ("sum", "mean", "max", "min", "std"):
    case("segment", [few], lambda x: reduced(x, reduce), offsets=offsets, reduce=reduce)

case("concat", [grid(4, 3), grid(4, 1), grid(4, 2)], lambda *parts: torch.cat(parts, -1))
case("slice", [grid(2, 3, 7)], lambda x: x[..., 2:6], start=2, len=4)
factors = grid(5)
case("scale_rows", [grid(5, 3)], lambda x: x * factors[:, None], factors=factors.tolist())
rows = grid(5, 19)
rows[3] = 0.0
case("normalize_rows", [rows], lambda x: F.normalize(x, dim=-1))

header = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "seed": 20}
path = Path(__file__).resolve().parent.parent / "nn_ops.json"
path.write_text(json.dumps({"header": header, "tolerance": {"f64": 1e-12, "f32": 1e-5}, "cases": cases}))
print(path.stat().st_size, "bytes,", len(cases), "cases")
