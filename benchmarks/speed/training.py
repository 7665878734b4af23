#!/usr/bin/env python3
"""Times the convolutions of `bench` against PyTorch on the same layers and cores, in one run.

    cargo build --release -p bench-nn --example conv_layers
    python3 -m venv venv && venv/bin/pip install torch==2.11.0 numpy==2.4.6
    venv/bin/python benchmarks/speed/training.py --layers target/release/examples/conv_layers

The two take turns, a few short calls each, so that other load on the machine falls on both; the least
time of all calls counts. Prints a table in GFLOP/s and writes it to `conv_layers.md` beside this
script. Rates are nominal: taps outside the image count, although ours does not compute them.
PyTorch runs channels-last through oneDNN; its gradients come from `convolution_backward`, one at a
time.
"""
import argparse
import datetime
import os
import pathlib
import platform
import subprocess
import time

parser = argparse.ArgumentParser()
parser.add_argument("--layers", required=True, help="the example `conv_layers`, release build")
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=40, help="turns of each side per layer and direction")
parser.add_argument("--only", default="", help="prefix of the layers to run")
parser.add_argument("--out", default=str(pathlib.Path(__file__).with_name("conv_layers.md")))
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402

torch.set_num_threads(args.threads)
torch.set_grad_enabled(False)

# As LAYERS of the example: name, size, channels in and out, kernel, stride, padding, count in ResNet18.
LAYERS = [
    ("stem", 96, 5, 64, 7, 2, 3, 1),
    ("layer1", 24, 64, 64, 3, 1, 1, 4),
    ("layer2.first", 24, 64, 128, 3, 2, 1, 1),
    ("layer2.shortcut", 24, 64, 128, 1, 2, 0, 1),
    ("layer2", 12, 128, 128, 3, 1, 1, 3),
    ("layer3.first", 12, 128, 256, 3, 2, 1, 1),
    ("layer3.shortcut", 12, 128, 256, 1, 2, 0, 1),
    ("layer3", 6, 256, 256, 3, 1, 1, 3),
    ("layer4.first", 6, 256, 512, 3, 2, 1, 1),
    ("layer4.shortcut", 6, 256, 512, 1, 2, 0, 1),
    ("layer4", 3, 512, 512, 3, 1, 1, 3),
]
DIRECTIONS = ["forward", "backward_input", "backward_weight"]
# Longer than the threads of OpenMP spin after a call.
PAUSE_S = 0.005
# Calls of a turn, on both sides: the threads of the first may still have to wake up.
CALLS = 4

command = [args.layers, "--serve", "--threads", str(args.threads), "--batch", str(args.batch)]
ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_ours(layer, direction):
    ours.stdin.write(f"{layer} {direction}\n")
    ours.stdin.flush()
    return float(ours.stdout.readline())


def peer(size, channels, outputs, kernel, stride, padding):
    last = torch.channels_last
    x = torch.randn(args.batch, channels, size, size).contiguous(memory_format=last)
    w = torch.randn(outputs, channels, kernel, kernel).contiguous(memory_format=last)
    dy = torch.nn.functional.conv2d(x, w, None, stride, padding).contiguous(memory_format=last)

    def backward(mask):
        options = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask)
        return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, *options)

    calls = {
        "forward": lambda: torch.nn.functional.conv2d(x, w, None, stride, padding),
        "backward_input": backward([True, False, False]),
        "backward_weight": backward([False, True, False]),
    }
    return calls, 2 * dy.numel() * w[0].numel()


def timed(call):
    least = float("inf")
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
    return least


lines = ["| layer | " + " | ".join(f"{d}, ours | PyTorch" for d in DIRECTIONS) + " |", "| --- |" + " --- |" * 6]
step = [0.0, 0.0]
for name, *shape, count in LAYERS:
    if not name.startswith(args.only):
        continue
    calls, flops = peer(*shape)
    cells = []
    for direction in DIRECTIONS:
        least = [float("inf")] * 2
        for _ in range(args.rounds):
            least[0] = min(least[0], run_ours(name, direction))
            least[1] = min(least[1], timed(calls[direction]))
            time.sleep(PAUSE_S)
        # The image itself needs no gradient.
        if (name, direction) != ("stem", "backward_input"):
            step = [total + count * seconds for total, seconds in zip(step, least)]
        cells += [f"{flops / seconds / 1e9:.0f}" for seconds in least]
    lines.append(f"| {name} | " + " | ".join(cells) + " |")
    print(lines[-1], flush=True)
ours.stdin.close()
ours.wait()

total = f"All convolutions of one ResNet18 step: ours {step[0] * 1e3:.0f} ms, PyTorch {step[1] * 1e3:.0f} ms."
print(total)
head = (
    "# Convolutions against PyTorch\n\nGFLOP/s, least of "
    f"{args.rounds * CALLS} calls, batch {args.batch}, {args.threads} threads, single precision. "
    f"PyTorch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, "
    f"{torch.backends.cpu.get_cpu_capability()}, {datetime.date.today()}. Made by `training.py`.\n"
)
pathlib.Path(args.out).write_text(head + "\n" + "\n".join(lines) + "\n\n" + total + "\n")
