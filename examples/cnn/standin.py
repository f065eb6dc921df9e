#!/usr/bin/env python3
"""Made-up pictures in the files of CIFAR-10's binary version, so that the example runs without a network.

    standin.py FOLDER [pictures for training] [for the test]       default 2000 and 500

Ten classes of shapes, each picture with its own place, size, colours, contrast and noise: learnable, and harder for a linear model
than for a convolution. It says nothing about the real CIFAR-10. Layout of a record: one byte of label, then 1024 bytes each of red,
green and blue, row by row (https://www.cs.toronto.edu/~kriz/cifar.html)."""
import math
import pathlib
import random
import sys

SIZE, CLASSES, BATCHES = 32, 10, 5


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


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    n_train = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    n_test = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    for i in range(BATCHES):
        write(folder / f"data_batch_{i + 1}.bin", rng, n_train // BATCHES)
    write(folder / "test_batch.bin", rng, n_test)
    print(f"{folder}: {n_train // BATCHES * BATCHES} pictures to train on, {n_test} to test on")


main()
