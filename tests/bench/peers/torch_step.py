"""One training step of an MLP with PyTorch on one CPU thread: prints its median in microseconds; exits 77 without torch.

torch_step.py BATCH UNITS UNITS...    e.g. 32 784 64 32 10"""
import sys
import time

try:
    import torch
except ImportError:
    sys.exit(77)

torch.set_num_threads(1)
batch, *units = map(int, sys.argv[1:])
layers = []
for n_in, n_out in zip(units, units[1:]):
    layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
model = torch.nn.Sequential(*layers[:-1])
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
x, labels = torch.randn(batch, units[0]), torch.randint(units[-1], (batch,))


def step():
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), labels).backward()
    optimizer.step()


times = []
for i in range(2200):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
print(sorted(times[200:])[1000] * 1e6)
