"""Golden values of AdamW and gradient clipping: writes ../nn_optim.json.

Versions: torch 2.11.0, numpy 2.4.6. Seed 21. Run: python -P nn_optim.py (-P: torch imports `statistics`,
which must not be the generator of that name).

Five steps of torch.optim.AdamW with two groups (a matrix that decays, a bias that does not and learns at
half the rate), a learning rate that changes each step, and a third step in which the bias has no gradient;
torch.nn.utils.clip_grad_norm_ above and below the limit. In 64 and in 32 bits.
Tolerances, relative to the largest magnitude (at least 1): 1e-13 in 64 bits, 1e-6 in 32 bits.
"""

import json
import platform
from pathlib import Path

import numpy as np
import torch

rng = np.random.default_rng(21)
STEPS = 5
weight = rng.integers(-16, 17, (4, 5)) / 8.0
bias = rng.integers(-16, 17, 4) / 8.0
gradients = [(rng.integers(-64, 65, (4, 5)) / 64.0, None if step == 2 else rng.integers(-64, 65, 4) / 64.0) for step in range(STEPS)]
rates = [1e-2, 3e-2, 2e-2, 1e-2, 5e-3]


def trajectory(dtype):
    w = torch.nn.Parameter(torch.tensor(weight, dtype=dtype))
    b = torch.nn.Parameter(torch.tensor(bias, dtype=dtype))
    groups = [{"params": [w], "weight_decay": 0.05}, {"params": [b], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.999), eps=1e-8)
    states = []
    for (for_w, for_b), lr in zip(gradients, rates):
        optimiser.param_groups[0]["lr"], optimiser.param_groups[1]["lr"] = lr, 0.5 * lr
        w.grad = torch.tensor(for_w, dtype=dtype)
        b.grad = None if for_b is None else torch.tensor(for_b, dtype=dtype)
        optimiser.step()
        states.append({"weight": w.detach().double().reshape(-1).tolist(), "bias": b.detach().double().tolist()})
    return states


def clipped(limit):
    parts = [torch.nn.Parameter(torch.zeros(4, 5, dtype=torch.float64)), torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))]
    parts[0].grad, parts[1].grad = torch.tensor(gradients[0][0]), torch.tensor(gradients[0][1])
    norm = torch.nn.utils.clip_grad_norm_(parts, limit)
    return {"limit": limit, "norm": norm.item(), "weight": parts[0].grad.reshape(-1).tolist(), "bias": parts[1].grad.tolist()}


golden = {
    "header": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "seed": 21},
    "tolerance": {"f64": 1e-13, "f32": 1e-6},
    "weight": weight.reshape(-1).tolist(),
    "bias": bias.tolist(),
    "weight_decay": 0.05,
    "bias_lr_scale": 0.5,
    "rates": rates,
    "gradients": [{"weight": w.reshape(-1).tolist(), "bias": None if b is None else b.tolist()} for w, b in gradients],
    "f64": trajectory(torch.float64),
    "f32": trajectory(torch.float32),
    "clip": [clipped(0.5), clipped(100.0)],
}
path = Path(__file__).resolve().parent.parent / "nn_optim.json"
path.write_text(json.dumps(golden))
print(path.stat().st_size, "bytes")
