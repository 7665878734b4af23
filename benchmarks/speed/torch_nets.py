#!/usr/bin/env python3
"""Times PyTorch on the networks that `bench` trains; `nets.py` runs it beside ours.

    python benchmarks/speed/torch_nets.py --net resnet18 --batch 32 --size 96 --threads 2

Prints one JSON line: least seconds of a training step (forward, backward, AdamW) and of a forward
pass without gradients (running statistics), and the peak resident memory of the process. Same shapes, loss (mean square
of the output) and optimiser as `step_speed` of the crate `bench-train`. `--serve` instead reads
`step` or `forward` per line from standard input and answers with the seconds of one run.
"""
import argparse
import ctypes
import json
import os
import resource
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--net", required=True, choices=["resnet18", "resnet34", "demo-a", "demo-b", "demo-c", "pna"])
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--size", type=int, default=96)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=10, help="how long to repeat")
parser.add_argument("--layout", choices=["channels-last", "nchw"], default="channels-last")
parser.add_argument("--device", default="cpu")
parser.add_argument("--amp", action="store_true", help="bfloat16 autocast, on a device")
parser.add_argument("--serve", action="store_true", help="answer requests, to take turns with another program")
parser.add_argument("--no-keep", action="store_true", help="leave the C library to give freed memory back")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(0)


def keep_freed_memory():
    """As ours: large tensors come from a heap that is kept, not from fresh pages. Faster here, too."""
    m_trim_threshold, m_mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, -1)


if not args.no_keep:
    keep_freed_memory()


class Block(nn.Module):
    """Basic residual block."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.short = None
        if stride != 1 or cin != cout:
            self.short = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        short = x if self.short is None else self.short(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + short)


def resnet(depths, widths):
    layers = [nn.Conv2d(5, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    cin = widths[0]
    for stage, (depth, width) in enumerate(zip(depths, widths)):
        for i in range(depth):
            layers.append(Block(cin, width, 2 if stage > 0 and i == 0 else 1))
            cin = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def mlp(cin, cout, relu, norm=True):
    return nn.Sequential(nn.Linear(cin, cout), *([nn.ReLU()] if relu else []), *([nn.BatchNorm1d(cout)] if norm else []))


class Pna(nn.Module):
    """Principal neighbourhood aggregation: 7 layers of width 200, as the specification of the molecule encoder."""

    def __init__(self, hidden=200, depth=7, out=256):
        super().__init__()
        self.atoms = nn.ModuleList(nn.Embedding(n, hidden) for n in (119, 5, 12, 12, 10, 6, 6, 2, 2))
        self.bonds = nn.ModuleList(nn.Embedding(n, hidden) for n in (5, 6, 2))
        self.pre = nn.ModuleList(nn.Sequential(mlp(3 * hidden, hidden, True), mlp(hidden, hidden, False)) for _ in range(depth))
        self.post = nn.ModuleList(mlp(13 * hidden, hidden, False) for _ in range(depth))
        self.read = nn.Sequential(mlp(3 * hidden, hidden, True), nn.Linear(hidden, out))

    def forward(self, atoms, bonds, source, target, graph, counts):
        h = sum(table(atoms[:, i]) for i, table in enumerate(self.atoms))
        e = sum(table(bonds[:, i]) for i, table in enumerate(self.bonds))
        degree = torch.zeros(len(h), 1).index_add_(0, target, torch.ones(len(target), 1))
        log = torch.log(degree + 1)
        index = target[:, None].expand(-1, h.shape[1])
        for pre, post in zip(self.pre, self.post):
            # Indexing by brackets would add up gradients one row at a time.
            m = pre(torch.cat([h.index_select(0, source), h.index_select(0, target), e], 1))
            mean = torch.zeros_like(h).index_add_(0, target, m) / degree.clamp(min=1)
            square = torch.zeros_like(h).index_add_(0, target, m * m) / degree.clamp(min=1)
            most = torch.zeros_like(h).scatter_reduce(0, index, m, "amax", include_self=False)
            least = torch.zeros_like(h).scatter_reduce(0, index, m, "amin", include_self=False)
            std = torch.sqrt(torch.relu(square - mean * mean) + 1e-5)
            a = torch.cat([mean, most, least, std], 1)
            h = h + post(torch.cat([h, a, a * log, a / log.clamp(min=0.69)], 1))
        index = graph[:, None].expand(-1, h.shape[1])
        empty = torch.zeros(len(counts), h.shape[1])
        least = empty.scatter_reduce(0, index, h, "amin", include_self=False)
        most = empty.scatter_reduce(0, index, h, "amax", include_self=False)
        mean = torch.zeros_like(empty).index_add_(0, graph, h) / counts[:, None]
        return self.read(torch.cat([least, most, mean], 1))


def molecules(count, size=25):
    """Chains of 25 atoms closed by two rings: the mean size and degree of drug-like molecules."""
    bonds = [(i, i + 1) for i in range(size - 1)] + [(0, 5), (10, 15)]
    pairs = torch.tensor([p for a, b in bonds for p in ((a, b), (b, a))])
    edges = torch.cat([pairs + size * g for g in range(count)])
    edges = edges[torch.sort(edges[:, 1], stable=True).indices]
    sizes = (119, 5, 12, 12, 10, 6, 6, 2, 2)
    atoms = torch.stack([torch.arange(count * size) % n for n in sizes], 1)
    bond = torch.stack([torch.arange(len(edges)) % n for n in (5, 6, 2)], 1)
    graph = torch.arange(count).repeat_interleave(size)
    return atoms, bond, edges[:, 0].contiguous(), edges[:, 1].contiguous(), graph, torch.full((count,), float(size))


SHAPES = {
    "resnet18": ([2, 2, 2, 2], [64, 128, 256, 512]),
    "resnet34": ([3, 4, 6, 3], [64, 128, 256, 512]),
    "demo-a": ([1, 1, 1, 1], [32, 64, 128, 256]),
    "demo-b": ([1, 1, 1, 1], [32, 64, 128, 256]),
    "demo-c": ([2, 2, 2, 2], [32, 64, 128, 256]),
}
device = torch.device(args.device)
if args.net == "pna":
    net, inputs = Pna().to(device), tuple(t.to(device) for t in molecules(args.batch))
else:
    net, x = resnet(*SHAPES[args.net]).to(device), torch.randn(args.batch, 5, args.size, args.size, device=device)
    if args.layout == "channels-last":
        net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    inputs = (x,)
optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.05, fused=True)


def wait():
    if device.type == "cuda":
        torch.cuda.synchronize()


def forward():
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=args.amp):
        net(*inputs)
    wait()


def step():
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=args.amp):
        loss = net(*inputs).float().square().mean()
    loss.backward()
    optimiser.step()
    wait()


def least(f):
    f()
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < args.seconds / 2:
        begin = time.perf_counter()
        f()
        best = min(best, time.perf_counter() - begin)
    return best


if args.serve:
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        run = {"step": step, "forward": forward}[line.strip()]
        net.train(run == step)
        begin = time.perf_counter()
        run()
        print(f"{time.perf_counter() - begin:.6f}", flush=True)
    sys.exit()
net.train()
timed_step = least(step)
net.eval()
timed_forward = least(forward)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
report = {"net": args.net, "step": timed_step, "forward": timed_forward, "peak_rss_mib": peak, "torch": torch.__version__}
if device.type == "cuda":
    report["peak_device_mib"] = torch.cuda.max_memory_allocated() / 2**20
print(json.dumps(report))
