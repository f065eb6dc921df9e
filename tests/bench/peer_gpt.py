#!/usr/bin/env python3
"""Time of one training step of bench_step's GPT in PyTorch, on one thread, where PyTorch is installed.

    tests/bench/peer_gpt.py [runs]

The same model as the preset `gpt` (learned positions, layer normalisation before each block, exact gelu, an untied head) written
as people write it in PyTorch, with AdamW; data in memory; CPU time of the thread; the median, least and greatest over the runs.
Debian's OpenBLAS takes newer Intel cores for old ones: run it also with OPENBLAS_CORETYPE=SkylakeX, and compare with the
better of the two.
"""
import os
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import torch
except ImportError:
    print("peer_gpt: PyTorch is not installed here (Debian: python3-torch); nothing measured")
    sys.exit(0)

from torch import nn
from torch.nn import functional as F

STEPS_A_RUN = 10
LAYERS, WIDTH, HEADS, LENGTH, BATCH, VOCABULARY = 4, 128, 4, 64, 12, 65


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("seen", torch.tril(torch.ones(LENGTH, LENGTH))[None, None] != 0)

    def forward(self, x):
        n, length, _ = x.shape
        heads = [part.view(n, length, HEADS, WIDTH // HEADS).transpose(1, 2)
                 for part in self.qkv(x).split(WIDTH, dim=2)]
        scores = heads[0] @ heads[1].transpose(-2, -1) * (WIDTH // HEADS) ** -0.5
        weights = F.softmax(scores.masked_fill(~self.seen, float("-inf")), dim=-1)
        y = weights @ heads[2]
        return self.out(y.transpose(1, 2).contiguous().view(n, length, WIDTH))


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
        return self.head(self.blocks(self.tokens(tokens) + self.positions.weight))


def run_us(model, optimizer, tokens, labels):
    start = time.thread_time()
    for _ in range(STEPS_A_RUN):
        optimizer.zero_grad(set_to_none=True)
        logits = model(tokens)
        F.cross_entropy(logits.view(-1, VOCABULARY), labels.view(-1)).backward()
        optimizer.step()
    return (time.thread_time() - start) / STEPS_A_RUN * 1e6


def main():
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}, one thread, median of {n_runs} runs, CPU time a step")
    model = Gpt()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
    labels = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
    run_us(model, optimizer, tokens, labels)
    us = [run_us(model, optimizer, tokens, labels) for _ in range(n_runs)]
    name = f"gpt L{LAYERS} C{WIDTH} T{LENGTH}, batch {BATCH}, adamw"
    print(f"{name:<52} {statistics.median(us):8.1f} us   ({min(us):.1f} .. {max(us):.1f})")


main()
