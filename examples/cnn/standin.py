#!/usr/bin/env python3
"""standin.py - made-up pictures in the files of CIFAR-10's binary version, so that the example runs without a network.

    standin.py [-n PICTURES] [-t TEST_PICTURES] [FOLDER]

Ten classes of shapes, each picture with its own place, size, colours, contrast and noise: learnable, and harder for a linear model
than for a convolution. It says nothing about the real CIFAR-10. Layout of a record: one byte of label, then 1024 bytes each of red,
green and blue, row by row (https://www.cs.toronto.edu/~kriz/cifar.html)."""
import argparse
import math
import pathlib
import random
import sys

SIZE, CLASSES, BATCHES = 32, 10, 5
REAL_BYTES = 10000 * (1 + 3 * SIZE * SIZE)  # of each file of the real set
HERE = pathlib.Path(__file__).resolve().parent


def disc(x, y):
    return x * x + y * y < 1


def ring(x, y):
    return 0.45 < x * x + y * y < 1


def square(x, y):
    return max(abs(x), abs(y)) < 0.85


def frame(x, y):
    return 0.5 < max(abs(x), abs(y)) < 0.95


def cross(x, y):
    return max(abs(x), abs(y)) < 1 and min(abs(x), abs(y)) < 0.3


def saltire(x, y):
    return abs(x) + abs(y) < 1.3 and min(abs(x - y), abs(x + y)) < 0.4


def triangle(x, y):
    return -0.9 < y < 0.9 and abs(x) < (y + 0.9) / 1.8


def bars(x, y):
    return max(abs(x), abs(y)) < 1 and math.sin(9 * y) > 0


def posts(x, y):
    return max(abs(x), abs(y)) < 1 and math.sin(9 * x) > 0


def checks(x, y):
    return max(abs(x), abs(y)) < 1 and math.sin(7 * x) * math.sin(7 * y) > 0


SHAPES = [disc, ring, square, frame, cross, saltire, triangle, bars, posts, checks]


def colour(rng):
    return [rng.randrange(256) for _ in range(3)]


def far_colours(rng):
    """Two colours that can be told apart."""
    while True:
        a, b = colour(rng), colour(rng)
        if sum(abs(x - y) for x, y in zip(a, b)) > 150:
            return a, b


def record(rng, label):
    shape, (ink, paper) = SHAPES[label], far_colours(rng)
    x0, y0, radius = rng.uniform(11, 21), rng.uniform(11, 21), rng.uniform(7, 11)
    inside = [shape((x - x0) / radius, (y - y0) / radius) for y in range(SIZE) for x in range(SIZE)]
    planes = bytearray([label])
    for channel in range(3):
        noise = rng.randbytes(SIZE * SIZE)
        for dot, grain in zip(inside, noise):
            value = (ink if dot else paper)[channel] + grain // 4 - 32
            planes.append(min(max(value, 0), 255))
    return planes


def write(path, rng, n):
    labels = [i % CLASSES for i in range(n)]
    rng.shuffle(labels)
    path.write_bytes(b"".join(record(rng, label) for label in labels))


def options():
    parser = argparse.ArgumentParser(description="Made-up pictures in CIFAR-10's files.")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=HERE / "data" / "cifar-10-batches-bin")
    parser.add_argument("-n", type=int, default=2000, metavar="PICTURES", help="to train on (default 2000)")
    parser.add_argument("-t", type=int, default=500, metavar="PICTURES", help="to test on (default 500)")
    given = parser.parse_args()
    if given.n < BATCHES or given.t < 1:
        parser.error(f"at least {BATCHES} pictures to train on and 1 to test on are wanted")
    if any(path.stat().st_size == REAL_BYTES for path in given.folder.glob("*.bin")):
        parser.error(f"{given.folder} holds files of the real set's size: give another folder, or remove that one first")
    return given


def main():
    given = options()
    given.folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    for i in range(BATCHES):
        write(given.folder / f"data_batch_{i + 1}.bin", rng, given.n // BATCHES)
    write(given.folder / "test_batch.bin", rng, given.t)
    print(f"{given.folder}: {given.n // BATCHES * BATCHES} pictures to train on, {given.t} to test on")


main()
