#!/usr/bin/env python3
"""Losses of PyTorch over 20 steps, for tests/trainer/test_parity.c: the same models, weights, data and optimizers.

    make_parity.py > parity.txt          needs PyTorch (Debian: python3-torch); float64, so that the losses are the exact ones

Weights and data are given by formulas, so that nothing but the losses is stored: element i of tensor t (in the file's order) is
start + scale sin(1 + t + 0.7 i), in the layout of the trainer: images [h][w][c], convolutions [out][kh][kw][in].
"""
import math

import torch
from torch.nn import functional as F

STEPS = 20
VOCABULARY, WIDTH, LENGTH = 11, 8, 6
torch.set_default_dtype(torch.float64)


def wave(t, n, scale, start=0.0):
    i = torch.arange(n)
    return start + scale * torch.sin(1 + t + 0.7 * i)


class Tensors:
    """Parameters by their number; each is made by the formula when it is first asked for."""

    def __init__(self):
        self.by_number = {}

    def get(self, t, shape, scale, start=0.0):
        if t not in self.by_number:
            self.by_number[t] = wave(t, math.prod(shape), scale, start).reshape(shape).requires_grad_()
        return self.by_number[t]


def linear(p, t, x, n_out):
    n_in = x.shape[-1]
    return x @ p.get(t, (n_out, n_in), 1 / math.sqrt(n_in)).T + p.get(t + 1, (n_out,), 0.1)


def mlp(p, x):
    x = F.relu(linear(p, 0, x, 16))
    x = F.gelu(linear(p, 2, x, 9))
    x = F.silu(linear(p, 4, x, 8))
    return linear(p, 6, torch.tanh(x), 5)


def layernorm(p, t, x):
    c = x.shape[-1]
    return F.layer_norm(x, (c,), p.get(t, (c,), 0.1, 1.0), p.get(t + 1, (c,), 0.1))


def turn(x):
    """Rotary positions: x is [n][heads][length][size]."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[-2])[:, None] * 10000.0 ** (-torch.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * angle.cos() - second * angle.sin(),
                      second * angle.cos() + first * angle.sin()], dim=-1)


def attention(qkv, n_heads, rotary):
    n, length, width = qkv.shape
    size = width // 3 // n_heads
    q, k, v = (part.reshape(n, length, n_heads, size).transpose(1, 2)
               for part in qkv.split(width // 3, dim=2))
    if rotary:
        q, k = turn(q), turn(k)
    scores = (q @ k.transpose(2, 3) / math.sqrt(size)).masked_fill(
        torch.ones(length, length).triu(1) > 0, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width // 3)


def gpt(p, tokens, rotary):
    """Rotary with a head of its own, learned positions with a tied one."""
    table = p.get(0, (VOCABULARY, WIDTH), 1 / math.sqrt(WIDTH))
    x, t = table[tokens], 1
    if not rotary:
        x, t = x + p.get(1, (tokens.shape[1], WIDTH), 1 / math.sqrt(WIDTH)), 2
    for _ in range(2):
        inner = attention(linear(p, t + 2, layernorm(p, t, x), 3 * WIDTH), 2, rotary)
        x = x + linear(p, t + 4, inner, WIDTH)
        inner = F.gelu(linear(p, t + 8, layernorm(p, t + 6, x), 4 * WIDTH))
        x = x + linear(p, t + 10, inner, WIDTH)
        t += 12
    x = layernorm(p, t, x)
    head = p.get(t + 2, (VOCABULARY, WIDTH), 1 / math.sqrt(WIDTH)) if rotary else table
    return x @ head.T


def conv(p, t, x, n_out, kernel, stride=1):
    n_in = x.shape[1]
    weight = p.get(t, (n_out, kernel, kernel, n_in), 1 / math.sqrt(kernel * kernel * n_in))
    return F.conv2d(x, weight.permute(0, 3, 1, 2), stride=stride, padding=kernel // 2)


def batchnorm(p, t, x):
    n = x.shape[1]
    return F.batch_norm(x, None, None, p.get(t, (n,), 0.1, 1.0), p.get(t + 1, (n,), 0.1), training=True)


def cnn(p, x):
    x = F.max_pool2d(F.relu(batchnorm(p, 1, conv(p, 0, x, 6, 3))), 2)
    way = F.relu(batchnorm(p, 4, conv(p, 3, x, 9, 3, 2)))
    way = batchnorm(p, 7, conv(p, 6, way, 9, 3))
    x = F.relu(way + batchnorm(p, 10, conv(p, 9, x, 9, 1, 2)))
    x = F.avg_pool2d(x, 3, 1, 1).mean((2, 3))
    return linear(p, 12, x, 5)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.0)


def features(n, size):
    return torch.sin(torch.arange(n * size) * 0.37 + 0.2).reshape(n, size)


def tokens(n):
    return ((torch.arange(n * LENGTH) * 5 + 1) % VOCABULARY).reshape(n, LENGTH)


def images(n, size, channels):
    return features(n, size * size * channels).reshape(n, size, size, channels).permute(0, 3, 1, 2)


def labels(n, n_classes):
    return (torch.arange(n) * 7 + 3) % n_classes


def cross_entropy(out, wanted):
    return F.cross_entropy(out.reshape(-1, out.shape[-1]), wanted.reshape(-1))


CASES = {
    "mlp-sgd": (mlp, features(12, 10), labels(12, 5), sgd),
    "mlp-adamw": (mlp, features(12, 10), labels(12, 5), adamw),
    "gpt-tied": (lambda p, x: gpt(p, x, False), tokens(5), labels(5 * LENGTH, VOCABULARY), adamw),
    "gpt-rotary": (lambda p, x: gpt(p, x, True), tokens(5), labels(5 * LENGTH, VOCABULARY), adamw),
    "cnn-sgd": (cnn, images(12, 9, 3), labels(12, 5), sgd),
}


def main():
    for name, (model, x, wanted, optimizer_of) in CASES.items():
        p = Tensors()
        model(p, x)
        optimizer = optimizer_of([p.by_number[t] for t in sorted(p.by_number)])
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = cross_entropy(model(p, x), wanted)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(name, " ".join(f"{loss:.9f}" for loss in losses))


main()
