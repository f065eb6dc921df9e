#!/usr/bin/env python3
"""bench_train.py's peer: one of its models in PyTorch on one thread. Prints "milliseconds-per-step peak-MiB"; nothing
where PyTorch is not installed.

    peer_train.py mlp-small|mlp-medium|mlp-large|cnn|gpt [runs]

The median over the runs of the CPU time of a step: forward, backward, optimizer; data in memory. At its best setting here: one
thread, and OpenBLAS told what core this is (bench_train.py tries several OPENBLAS_CORETYPE; Debian's mistakes newer Intel
cores for old ones), channels_last for images."""
import os
import resource
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import torch
except ImportError:
    sys.exit(0)
from torch import nn
from torch.nn import functional as F

LAYERS, WIDTH, HEADS, LENGTH, VOCABULARY = 4, 128, 4, 64, 65


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("seen", torch.tril(torch.ones(LENGTH, LENGTH))[None, None] != 0)

    def forward(self, x):
        n, length, _ = x.shape
        q, k, v = [part.view(n, length, HEADS, WIDTH // HEADS).transpose(1, 2)
                   for part in self.qkv(x).split(WIDTH, dim=2)]
        scores = q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5
        weights = F.softmax(scores.masked_fill(~self.seen, float("-inf")), dim=-1)
        return self.out((weights @ v).transpose(1, 2).contiguous().view(n, length, WIDTH))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(WIDTH), Attention())
        self.think = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(),
                                   nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.think(x)


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)], nn.LayerNorm(WIDTH))
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens):
        return self.head(self.blocks(self.tokens(tokens) + self.positions.weight)).view(-1, VOCABULARY)


def mlp(*widths):
    layers = []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn():
    layers, channels = [], 3
    for wider in (32, 64):
        layers += [nn.Conv2d(channels, wider, 3, padding=1), nn.BatchNorm2d(wider), nn.ReLU(), nn.MaxPool2d(2)]
        channels = wider
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 8 * 8, 10)).to(memory_format=torch.channels_last)


def features(batch, width):
    return torch.rand(batch, width), torch.randint(0, 10, (batch,))


def images(batch):
    return (torch.rand(batch, 3, 32, 32).to(memory_format=torch.channels_last), torch.randint(0, 10, (batch,)))


def tokens(batch):
    return torch.randint(0, VOCABULARY, (batch, LENGTH)), torch.randint(0, VOCABULARY, (batch * LENGTH,))


# name: model, data, steps in a run, optimizer
CASES = {
    "mlp-small": (lambda: mlp(784, 64, 32, 10), lambda: features(32, 784), 200, "sgd"),
    "mlp-medium": (lambda: mlp(784, 256, 128, 10), lambda: features(64, 784), 100, "sgd"),
    "mlp-large": (lambda: mlp(784, 1024, 1024, 10), lambda: features(256, 784), 10, "sgd"),
    "cnn": (cnn, lambda: images(64), 10, "sgd"),
    "gpt": (Gpt, lambda: tokens(12), 10, "adamw"),
}


def run_ms(model, optimizer, x, labels, n_steps):
    start = time.thread_time()
    for _ in range(n_steps):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return (time.thread_time() - start) / n_steps * 1e3


def main():
    model_of, data_of, n_steps, optimizer_name = CASES[sys.argv[1]]
    n_runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model, (x, labels) = model_of(), data_of()
    if optimizer_name == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    run_ms(model, optimizer, x, labels, n_steps)
    ms = statistics.median(run_ms(model, optimizer, x, labels, n_steps) for _ in range(n_runs))
    print(ms, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


main()
