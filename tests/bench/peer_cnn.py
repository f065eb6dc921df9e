#!/usr/bin/env python3
"""Time of one training step of bench_step's models of images in PyTorch, on one thread, where PyTorch is installed.

    tests/bench/peer_cnn.py [runs]

The same models as people write them in PyTorch, SGD with momentum; data in memory; CPU time of the thread; the median, least and
greatest over the runs, with images as PyTorch has them by default (channels first) and channels last. Debian's OpenBLAS takes newer
Intel cores for old ones: run it also with OPENBLAS_CORETYPE=SkylakeX, and compare with the best of the four.
"""
import os
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import torch
except ImportError:
    print("peer_cnn: PyTorch is not installed here (Debian: python3-torch); nothing measured")
    sys.exit(0)

from torch import nn
from torch.nn import functional as F

BATCH, SIZE, CLASSES = 64, 32, 10


def conv(n_in, n_out, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(n_out))


def cnn():
    return nn.Sequential(conv(3, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 8 * 8, CLASSES))


class Block(nn.Module):
    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.layers = nn.Sequential(conv(n_in, n_out, 3, stride), nn.ReLU(), conv(n_out, n_out))
        self.shortcut = nn.Identity() if n_in == n_out else conv(n_in, n_out, 1, stride)

    def forward(self, x):
        return F.relu(self.layers(x) + self.shortcut(x))


def resnet20():
    widths = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    return nn.Sequential(conv(3, 16), nn.ReLU(), *[Block(*w) for w in widths],
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


CASES = [("cnn 32-64 with batchnorm, 32x32x3, batch 64, sgd", cnn, 10),
         ("resnet-20, 32x32x3, batch 64, sgd momentum", resnet20, 2)]


def run_us(model, optimizer, x, labels, n_steps):
    start = time.thread_time()
    for _ in range(n_steps):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return (time.thread_time() - start) / n_steps * 1e6


def main():
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}, one thread, median of {n_runs} runs, CPU time a step")
    for name, make, n_steps in CASES:
        for layout in (torch.contiguous_format, torch.channels_last):
            model = make().to(memory_format=layout)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
            x = torch.rand(BATCH, 3, SIZE, SIZE).to(memory_format=layout)
            labels = torch.randint(0, CLASSES, (BATCH,))
            run_us(model, optimizer, x, labels, n_steps)
            us = [run_us(model, optimizer, x, labels, n_steps) for _ in range(n_runs)]
            last = ", channels last" if layout == torch.channels_last else ""
            print(f"{name + last:<66} {statistics.median(us):9.1f} us   ({min(us):.1f} .. {max(us):.1f})")


main()
