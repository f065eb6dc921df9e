"""PyTorch's training step for the shapes of bench_step, where PyTorch is installed."""
from bench import peer, row

for shape in ((32, 784, 64, 32, 10), (64, 784, 256, 128, 10)):
    name = "PyTorch step, " + "-".join(map(str, shape[1:])) + f" batch {shape[0]}, one thread"
    micros = peer("torch_step.py", *shape)
    if micros is None:
        print(f"{name:<62} {'-':>12} {'':<10} (PyTorch is not installed)")
    else:
        row(name, micros, "us")
