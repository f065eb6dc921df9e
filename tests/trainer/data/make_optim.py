#!/usr/bin/env python3
"""Parameters after 20 steps of PyTorch's optimizers, for tests/trainer/test_optim.c.

    make_optim.py > optim.txt            needs PyTorch (Debian: python3-torch); float64, so that the numbers are the exact ones

Of a layer with 21 weights and 3 biases, in this order: parameter i begins at 0.5 cos(i), its gradient in step t (from 1) is
sin(1 + i + 0.7 t). Weights decay where the case says so, biases never.
"""
import torch

STEPS, WEIGHTS, BIASES = 20, 21, 3
torch.set_default_dtype(torch.float64)


def sgd(groups):
    return torch.optim.SGD(groups, lr=0.1)


def momentum(groups):
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def nesterov(groups):
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)


def adamw(groups):
    return torch.optim.AdamW(groups, lr=0.05, betas=(0.8, 0.95), eps=1e-7)


# name: optimizer, weight decay (AdamW's is the decoupled one, SGD's is not), norm to clip to
CASES = {
    "sgd": (sgd, 0.0, None),
    "momentum": (momentum, 0.0, None),
    "nesterov": (nesterov, 0.0, None),
    "nesterov-clipped": (nesterov, 0.0, 1.5),
    "adamw": (adamw, 0.1, None),
    "adamw-clipped": (adamw, 0.1, 1.5),
}


def train(optimizer_of, decay, clip):
    i = torch.arange(WEIGHTS + BIASES)
    p = [(0.5 * torch.cos(part)).requires_grad_() for part in i.split((WEIGHTS, BIASES))]
    optimizer = optimizer_of([{"params": p[:1], "weight_decay": decay}, {"params": p[1:], "weight_decay": 0.0}])
    for t in range(1, STEPS + 1):
        for part, gradient in zip(p, torch.sin(1 + i + 0.7 * t).split((WEIGHTS, BIASES))):
            part.grad = gradient.clone()
        if clip:
            torch.nn.utils.clip_grad_norm_(p, clip)
        optimizer.step()
    return torch.cat(p).tolist()


for name, case in CASES.items():
    print(name, " ".join(f"{value:.10f}" for value in train(*case)))
