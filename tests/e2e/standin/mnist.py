#!/usr/bin/env python3
"""mnist.py - stands in for the training program of Katib's pytorch-mnist image: same arguments, same form of output, no
PyTorch. Its loss falls along a curve whose speed depends on the learning rate and momentum it is given."""
import argparse
import datetime
import math


def say(text):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f"{now} INFO     {text}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    args = parser.parse_args()
    speed = args.lr / (1 - args.momentum)
    batches = 60000 // args.batch_size
    loss = 2.3
    for epoch in range(1, args.epochs + 1):
        for batch in range(0, batches, 500):
            loss = 0.05 + 2.25 * math.exp(-speed * (batches * (epoch - 1) + batch) / 100)
            seen = batch * args.batch_size
            say(f"Train Epoch: {epoch} [{seen}/60000 ({100 * batch / batches:.0f}%)]\tloss={loss:.4f}")
        say(f"Test set: accuracy={1 - loss / 2.5:.4f}, loss={loss:.4f}")


if __name__ == "__main__":
    main()
