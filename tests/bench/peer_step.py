#!/usr/bin/env python3
"""Time of one training step of bench_step's models in PyTorch, on one thread, where PyTorch is installed.

    tests/bench/peer_step.py [runs]

The same work as tests/bench/bench_step.c: forward, backward, optimizer; data in memory; CPU time of the thread; the
median, least and greatest over the runs. Debian's OpenBLAS takes newer Intel cores for old ones: run it also with
OPENBLAS_CORETYPE=SkylakeX, and compare with the better of the two.
"""
import os
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import torch
except ImportError:
    print("peer_step: PyTorch is not installed here (Debian: python3-torch); nothing measured")
    sys.exit(0)

CASES = [
    ("784-64-32-10, batch 32, sgd momentum", (784, 64, 32, 10), 32, "sgd", 200),
    ("784-64-32-10, batch 32, adamw", (784, 64, 32, 10), 32, "adamw", 200),
    ("784-256-128-10, batch 64, sgd momentum", (784, 256, 128, 10), 64, "sgd", 200),
    ("784-1024-1024-10, batch 256, sgd momentum", (784, 1024, 1024, 10), 256, "sgd", 10),
]


def model_of(widths):
    layers = []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def optimizer_of(name, model):
    if name == "sgd":
        return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return torch.optim.AdamW(model.parameters())


def run_us(model, optimizer, x, labels, n_steps):
    start = time.thread_time()
    for _ in range(n_steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return (time.thread_time() - start) / n_steps * 1e6


def main():
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}, one thread, median of {n_runs} runs, CPU time a step")
    for name, widths, batch, optimizer_name, n_steps in CASES:
        model = model_of(widths)
        optimizer = optimizer_of(optimizer_name, model)
        x, labels = torch.rand(batch, widths[0]), torch.randint(0, widths[-1], (batch,))
        run_us(model, optimizer, x, labels, n_steps)
        us = [run_us(model, optimizer, x, labels, n_steps) for _ in range(n_runs)]
        print(f"{name:<52} {statistics.median(us):8.1f} us   ({min(us):.1f} .. {max(us):.1f})")


main()
