#!/usr/bin/env python3
"""bench_gpu.py's peer: one of its models in PyTorch on one device, in each way that its users would try. Prints one line of JSON for each
way as soon as it is timed: {"way", "torch", "steps_per_second", "parameters"}, or {"way", "torch", "left_out"} with the reason;
nothing where PyTorch is not installed.

    peer_gpu.py mlp-mnist|gpt|resnet-18|gpt2 [--way WAY ...] [--device cuda|cpu] [--quick]
    peer_gpu.py search --limit SECONDS < trials     the search: {"trials", "seconds", "with"}, by Optuna, or one after the other without

At its best setting: TF32 allowed, cuDNN's own benchmark, fused optimizers, the batch on the device before the clock runs, warm-up first,
torch.cuda.synchronize around what is timed; channels_last for images, scaled_dot_product_attention (flash) for attention,
CUDA graphs by torch.compile(mode="reduce-overhead") for small models. The median of several runs counts."""
import argparse
import contextlib
import json
import statistics
import sys
import time

try:
    import torch
except ImportError:
    sys.exit(0)
from torch import nn
from torch.nn import functional as F

RUN_S, RUNS = 0.3, 5


# ---- the models, as `katydid-bench step --json` has them


def mlp(*widths):
    layers = []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def attend(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[2]  # PyTorch before 2.0
    unseen = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)
    scores = (q @ k.transpose(-2, -1) * q.shape[3] ** -0.5).masked_fill(unseen, float("-inf"))
    return F.softmax(scores, dim=-1) @ v


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = [part.view(n, length, self.heads, width // self.heads).transpose(1, 2)
                   for part in self.qkv(x).split(width, dim=2)]
        return self.out(attend(q, k, v).transpose(1, 2).contiguous().view(n, length, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.think = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
                                   nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.think(x)


class Gpt(nn.Module):
    def __init__(self, layers, heads, width, length, vocabulary, tied):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)], nn.LayerNorm(width))
        self.head = nn.Linear(width, vocabulary, bias=False)
        for table in (self.tokens, self.positions, self.head):
            nn.init.normal_(table.weight, std=0.02)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, tokens):
        return self.head(self.blocks(self.tokens(tokens) + self.positions.weight)).flatten(0, 1)


def convolution(n_in, n_out, kernel, stride):
    return [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(n_out)]


class Residual(nn.Module):
    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.way = nn.Sequential(*convolution(n_in, n_out, 3, stride), nn.ReLU(), *convolution(n_out, n_out, 3, 1))
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*convolution(n_in, n_out, 1, stride))

    def forward(self, x):
        return F.relu(self.way(x) + self.shortcut(x))


def resnet18():
    layers, n_in = [*convolution(3, 64, 3, 1), nn.ReLU()], 64
    for n_out in (64, 128, 256, 512):
        layers += [Residual(n_in, n_out, 1 if n_out == 64 else 2), Residual(n_out, n_out, 1)]
        n_in = n_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def features(batch):
    return torch.rand(batch, 784), torch.randint(0, 10, (batch,))


def images(batch):
    return torch.rand(batch, 3, 32, 32), torch.randint(0, 10, (batch,))


def tokens(batch, length, vocabulary):
    return torch.randint(0, vocabulary, (batch, length)), torch.randint(0, vocabulary, (batch * length,))


# name: the model, a batch of n, its size, the optimizer, and the ways: (compile mode or None, autocast type or None)
EAGER, GRAPHED = (None, None), ("reduce-overhead", None)
CASES = {
    "mlp-mnist": (lambda: mlp(784, 128, 10), features, 64, "sgd", {"eager": EAGER, "compiled": GRAPHED}),
    "gpt": (lambda: Gpt(4, 4, 128, 64, 65, False), lambda n: tokens(n, 64, 65), 12, "adamw",
            {"eager": EAGER, "compiled": GRAPHED}),
    "resnet-18": (resnet18, images, 512, "sgd",
                  {"fp16": (None, torch.float16), "bf16": (None, torch.bfloat16), "fp32": EAGER}),
    "gpt2": (lambda: Gpt(12, 12, 768, 1024, 50257, True), lambda n: tokens(n, 1024, 50257), 4, "adamw",
             {"compiled bf16": ("default", torch.bfloat16), "bf16": (None, torch.bfloat16)}),
}


# ---- steps


def best_settings():
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if hasattr(torch, "set_float32_matmul_precision"):
        torch.set_float32_matmul_precision("high")


def optimizer_of(name, model, device):
    """Fused where this version has it."""
    for more in ({"fused": True}, {"foreach": True}, {}):
        try:
            if name == "sgd":
                return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, **more)
            return torch.optim.AdamW(model.parameters(), lr=1e-3, **more)
        except (TypeError, RuntimeError, ValueError):
            continue
    return sys.exit(f"no optimizer {name} on {device}")


def begin_step():
    """Tells CUDA graphs that the outputs of the step before are not needed any more."""
    begin = getattr(getattr(torch, "compiler", None), "cudagraph_mark_step_begin", None)
    if begin:
        begin()


def scaler():
    """Of fp16's loss; its older place goes away one day."""
    return torch.amp.GradScaler("cuda") if hasattr(torch.amp, "GradScaler") else torch.cuda.amp.GradScaler()


class Way:
    """A model that is trained one way: step() is one optimizer step on the batch that lies on the device."""

    def __init__(self, case, way, device, batch):
        model_of, data_of, _, optimizer, ways = CASES[case]
        mode, self.autocast = ways[way]
        if mode and not hasattr(torch, "compile"):
            raise ValueError(f"PyTorch {torch.__version__} has no torch.compile")
        if self.autocast == torch.float16 and device == "cpu":
            raise ValueError("fp16 is for GPUs")
        self.device = device
        self.model = model_of().to(device)
        self.x, self.labels = (part.to(device) for part in data_of(batch))
        if self.x.dim() == 4:
            self.model = self.model.to(memory_format=torch.channels_last)
            self.x = self.x.to(memory_format=torch.channels_last)
        self.n_parameters = sum(p.numel() for p in self.model.parameters())
        self.optimizer = optimizer_of(optimizer, self.model, device)
        self.scaler = scaler() if self.autocast == torch.float16 else None
        self.loss = torch.compile(self.loss_of, mode=mode) if mode else self.loss_of

    def loss_of(self, x, labels):
        return F.cross_entropy(self.model(x), labels)

    def step(self):
        begin_step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, dtype=self.autocast) if self.autocast else contextlib.nullcontext():
            loss = self.loss(self.x, self.labels)
        if self.scaler:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            loss.backward()
            self.optimizer.step()

    def run_s(self, n):
        synchronize(self.device)
        start = time.perf_counter()
        for _ in range(n):
            self.step()
        synchronize(self.device)
        return time.perf_counter() - start


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def steps_per_second(way, quick):
    way.run_s(1 if quick else 15)
    once = way.run_s(1 if quick else 5) / (1 if quick else 5)
    n = 1 if quick else max(1, round(RUN_S / once))
    return statistics.median(n / way.run_s(n) for _ in range(1 if quick else RUNS))


def time_case(args):
    _, _, batch, _, ways = CASES[args.case]
    for name in args.way or ways:
        said = {"way": name, "torch": torch.__version__}
        try:
            way = Way(args.case, name, args.device, min(batch, 2) if args.quick else batch)
            said.update(parameters=way.n_parameters, steps_per_second=steps_per_second(way, args.quick))
            del way
        except Exception as problem:  # a way that this version or device lacks; the others are still worth knowing
            said["left_out"] = f"{type(problem).__name__}: {problem}".splitlines()[0][:160]
        print(json.dumps(said), flush=True)


# ---- a search: the trials are given, so that both train the same


def train_trial(params, data, device):
    """As katydid trains it: all epochs over the rows in a new order each, then the validation's loss."""
    x, y, x_val, y_val = data
    batch, model = int(params["batch"]), mlp(x.shape[1], int(params["units"]), 10).to(device)
    optimizer = optimizer_of("sgd", model, device)
    for group in optimizer.param_groups:
        group["lr"] = params["lr"]
    for _ in range(int(params["epochs"])):
        order = torch.randperm(len(y), device=device)
        for at in range(0, len(y), batch):
            pick = order[at:at + batch]
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(x[pick]), y[pick]).backward()
            optimizer.step()
    with torch.no_grad():
        return F.cross_entropy(model(x_val), y_val).item()


def suggest(trial, params):
    return {"lr": trial.suggest_float("lr", 1e-6, 10, log=True), "units": trial.suggest_int("units", 1, 4096),
            "batch": trial.suggest_int("batch", 1, 4096), "epochs": params["epochs"]}


def search_with_optuna(optuna, trials, train, limit_s):
    """How many were done within the limit."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize")
    for params in trials:
        study.enqueue_trial({name: params[name] for name in ("lr", "units", "batch")})
    study.optimize(lambda trial: train(suggest(trial, trials[trial.number])), n_trials=len(trials), timeout=limit_s)
    return len(study.trials)


def search_alone(trials, train, limit_s):
    end = time.perf_counter() + limit_s
    for n, params in enumerate(trials, 1):
        train(params)
        if time.perf_counter() > end:
            return n
    return len(trials)


def time_search(args):
    """All trials, or those that are done within the limit, with the seconds that they took, starting PyTorch not counted."""
    given = json.load(sys.stdin)
    trials, n_train, n_val = given["trials"], given["train"], given["val"]
    x, y = torch.rand(n_train + n_val, 784, device=args.device), torch.randint(0, 10, (n_train + n_val,), device=args.device)
    data = x[:n_train], y[:n_train], x[n_train:], y[n_train:]
    try:
        import optuna
    except ImportError:
        optuna = None

    def train(params):
        return train_trial(params, data, args.device)

    train(dict(trials[0], epochs=1))
    synchronize(args.device)
    start = time.perf_counter()
    n = search_with_optuna(optuna, trials, train, args.limit) if optuna else search_alone(trials, train, args.limit)
    print(json.dumps({"trials": n, "seconds": time.perf_counter() - start,
                      "with": f"Optuna {optuna.__version__} and PyTorch" if optuna else "PyTorch alone, without Optuna"}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=[*CASES, "search"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--way", action="append", help="one of the case's, may be repeated; default: all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--limit", type=float, default=30)
    args = parser.parse_args()
    torch.manual_seed(1)
    best_settings()
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("peer_gpu.py: this PyTorch sees no GPU")
    if args.case == "search":
        time_search(args)
    else:
        time_case(args)


main()
