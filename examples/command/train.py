#!/usr/bin/env python3
"""train.py - a training program as a user might have one: it knows nothing of katydid.

A small network (two inputs, a hidden layer of tanh, one output) learns to tell two interleaved half moons apart, by
stochastic gradient descent with momentum. Standard library only. It prints one line an epoch:

    epoch=1 loss=0.5312 accuracy=0.7733

where loss is that of the training points and accuracy that of 150 points it was not trained on.
"""
import argparse
import math
import random


def make_moons(n, noise, rng):
    """n points (x, y, label): two half circles, one shifted into the other, with Gaussian noise."""
    points = []
    for i in range(n):
        angle, label = rng.uniform(0, math.pi), i % 2
        x, y = math.cos(angle), math.sin(angle)
        if label:
            x, y = 1 - x, 0.5 - y
        points.append((x + rng.gauss(0, noise), y + rng.gauss(0, noise), label))
    return points


class Network:
    def __init__(self, hidden, rng):
        # A unit is [weight of x, weight of y, bias, weight to the output]; the last row is the output's bias.
        self.units = [[rng.gauss(0, 1), rng.gauss(0, 1), 0.0, rng.gauss(0, 0.5)] for _ in range(hidden)]
        self.units.append([0.0])
        self.speed = [[0.0] * len(unit) for unit in self.units]

    def forward(self, x, y):
        """The activations of the hidden layer and the probability of label 1."""
        active = [math.tanh(u[0] * x + u[1] * y + u[2]) for u in self.units[:-1]]
        score = sum(u[3] * a for u, a in zip(self.units, active)) + self.units[-1][0]
        return active, 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))

    def learn(self, point, lr, momentum):
        """One step on one point; returns its loss before the step."""
        x, y, label = point
        active, p = self.forward(x, y)
        error = p - label
        for unit, speed, a in zip(self.units, self.speed, active):
            inner = error * unit[3] * (1 - a * a)
            for k, slope in enumerate((inner * x, inner * y, inner, error * a)):
                speed[k] = momentum * speed[k] - lr * slope
                unit[k] += speed[k]
        self.speed[-1][0] = momentum * self.speed[-1][0] - lr * error
        self.units[-1][0] += self.speed[-1][0]
        return -math.log(max(p if label else 1 - p, 1e-12))

    def accuracy(self, points):
        return sum((self.forward(x, y)[1] > 0.5) == label for x, y, label in points) / len(points)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lr", type=float, default=0.01, help="learning rate")
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--hidden", type=int, default=8, help="units of the hidden layer")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    args = read_arguments()
    data_rng, rng = random.Random(1), random.Random(args.seed)
    train, held_out = make_moons(150, 0.2, data_rng), make_moons(150, 0.2, data_rng)
    network = Network(args.hidden, rng)
    for epoch in range(1, args.epochs + 1):
        rng.shuffle(train)
        loss = sum(network.learn(point, args.lr, args.momentum) for point in train) / len(train)
        print(f"epoch={epoch} loss={loss:.4f} accuracy={network.accuracy(held_out):.4f}", flush=True)


if __name__ == "__main__":
    main()
