"""Golden values for the losses: writes ../models_losses_single.json and ../models_losses_multi.json.

Versions: torch 2.11.0. Run: OMP_NUM_THREADS=1 python -P models_losses.py

The losses are written from their formulas, in double precision, with autograd gradients. Random
embeddings of 16 compounds, 3 views, 32 dimensions; seed 20260301; temperature 0.2.
Tolerance: values and gradients 1e-4 relative to the largest entry, because the tested code
computes in single precision; 1e-6 in double precision, because gradients are stored in millionths of
the largest entry.
"""

import json
from pathlib import Path

import torch

SEED, N, M, D, TAU = 20260301, 16, 3, 32, 0.2
torch.manual_seed(SEED)
molecules = torch.round(torch.randn(N, D, dtype=torch.float64), decimals=4)
images = torch.round(torch.randn(N, M, D, dtype=torch.float64), decimals=4)
off = ~torch.eye(N, dtype=torch.bool)


def cosine(a, b):
    return torch.nn.functional.normalize(a, dim=-1) @ torch.nn.functional.normalize(b, dim=-1).T


def nt_xent(rows, columns, tau):
    e = torch.exp(cosine(rows, columns) / tau)
    return -torch.log(torch.diagonal(e) / (e * off).sum(1)).mean()


def info_nce(rows, columns, tau):
    e = torch.exp(cosine(rows, columns) / tau)
    return -torch.log(torch.diagonal(e) / e.sum(1)).mean()


def symmetric(m, x, tau):
    return 0.5 * (info_nce(m, x, tau) + info_nce(x, m, tau))


def emm_code(m, x, tau):
    return sum(nt_xent(m, x[:, u], tau) for u in range(M)) / M


def pooled(e):
    """e: list of N x N matrices of exponentials."""
    return -torch.log(sum(torch.diagonal(k) for k in e) / sum((k * off).sum(1) for k in e)).mean()


def emm_paper(m, x, tau):
    return pooled([torch.exp(cosine(m, x[:, u]) / tau) for u in range(M)])


def imm_paper(m, x, tau, pairs, gamma=0.5):
    return emm_paper(m, x, tau) + gamma * pooled([torch.exp(cosine(x[:, a], x[:, b]) / tau) for a, b in pairs])


def imm_code(m, x, tau, weight=0.5):
    slots = [m] + [x[:, u] for u in range(M)]
    total = 0.0
    for p in range(M + 1):
        for q in range(p + 1, M + 1):
            total = total + (1.0 if p == 0 else weight) * nt_xent(slots[p], slots[q], tau)
    return total


def regularised(m, x, tau, normalise):
    """emm_code + 0.5 mse + 1 variance + 0.25 covariance."""
    loss = emm_code(m, x, tau)
    if normalise:
        m, x = torch.nn.functional.normalize(m, dim=-1), torch.nn.functional.normalize(x, dim=-1)

    def variance(z):
        return torch.relu(1 - torch.sqrt(z.var(dim=0) + 1e-4)).mean()

    def covariance(z):
        c = torch.cov(z.T)
        return ((c - torch.diag(torch.diagonal(c))) ** 2).sum() / D

    views = [x[:, u] for u in range(M)]
    mse = sum(((m - v) ** 2).mean() for v in views) / M
    spread = variance(m) + sum(map(variance, views)) / M
    shared = covariance(m) + sum(map(covariance, views)) / M
    return loss + 0.5 * mse + spread + 0.25 * shared


upper = [(a, b) for a in range(M) for b in range(M) if a < b]
distinct = [(a, b) for a in range(M) for b in range(M) if a != b]
every = [(a, b) for a in range(M) for b in range(M)]

SINGLE = {
    "nt-xent image-to-molecule": lambda m, x, t: nt_xent(x, m, t),
    "nt-xent molecule-to-image": lambda m, x, t: nt_xent(m, x, t),
    "info-nce image-to-molecule": lambda m, x, t: info_nce(x, m, t),
    "info-nce molecule-to-image": lambda m, x, t: info_nce(m, x, t),
    "symmetric": symmetric,
}
MULTI = {
    "emm-code": emm_code,
    "emm-paper": emm_paper,
    "imm-code": imm_code,
    "imm-paper upper": lambda m, x, t: imm_paper(m, x, t, upper),
    "imm-paper distinct": lambda m, x, t: imm_paper(m, x, t, distinct),
    "imm-paper all": lambda m, x, t: imm_paper(m, x, t, every),
    "regularised": lambda m, x, t: regularised(m, x, t, True),
    "regularised raw": lambda m, x, t: regularised(m, x, t, False),
}


def millionths(tensor):
    """The largest entry by size, and all entries in millionths of it."""
    largest = tensor.abs().max().item()
    return {"largest": largest, "millionths": [round(v / largest * 1e6) for v in tensor.flatten().tolist()]}


def write(name, x, losses):
    cases = {}
    for case, loss in losses.items():
        m, v = molecules.clone().requires_grad_(), x.clone().requires_grad_()
        tau = torch.tensor(TAU, dtype=torch.float64, requires_grad=True)
        value = loss(m, v, tau)
        value.backward()
        cases[case] = {
            "value": float(f"{value.item():.9e}"),
            "tau": float(f"{tau.grad.item():.9e}"),
            "molecules": millionths(m.grad),
            "images": millionths(v.grad),
        }
    header = {"torch": torch.__version__, "seed": SEED, "tolerance": "1e-4 of the largest entry (single precision)"}
    golden = {"header": header, "shape": [N, x.numel() // (N * D), D], "temperature": TAU,
              "molecules": molecules.flatten().tolist(), "images": x.flatten().tolist(), "cases": cases}
    path = Path(__file__).parent.parent / name
    path.write_text(json.dumps(golden, separators=(",", ":")))
    print(name, path.stat().st_size)


write("models_losses_single.json", images[:, 0].contiguous(), SINGLE)
write("models_losses_multi.json", images, MULTI)
