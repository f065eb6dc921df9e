"""bench_digits.py's peer: Optuna and PyTorch train the trials given on stdin (a JSON list of hyperparameters and epochs), in two worker
processes of one thread; prints the whole wall time in seconds, or nothing where one of them is not installed.

Each thing is done the way their users do it, at its best setting here: data in one tensor, batches by a permutation, one
thread a process, OpenBLAS told what core this is (Debian's mistakes it). Which trial ends early is given too, as its epochs."""
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
EPOCHS, WARMUP, WORKERS = 15, 0.1, 2
DIGITS = pathlib.Path(__file__).resolve().parents[2] / "examples/digits/digits.csv"


def load(torch):
    with open(DIGITS) as file:
        rows = list(csv.reader(file))
    head, body = rows[0], rows[1:]
    label = head.index("label")
    x = torch.tensor([[float(v) for i, v in enumerate(r) if i != label] for r in body])
    y = torch.tensor([int(r[label]) for r in body])
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    x, y = x[order], y[order]
    n_val = round(0.2 * len(y))
    deviation, mean = torch.std_mean(x[n_val:], 0)
    x = (x - mean) / deviation.clamp(min=1e-12)
    return x[n_val:], y[n_val:], x[:n_val], y[:n_val]


def model_of(torch, params):
    layers, width = [], 64
    for _ in range(int(params["depth"])):
        layers += [torch.nn.Linear(width, int(params["units"])), torch.nn.ReLU(), torch.nn.Dropout(params["dropout"])]
        width = int(params["units"])
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 10))


def train(torch, trial, params, data):
    x, y, x_val, y_val = data
    model, batch = model_of(torch, params), int(params["batch"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=params["lr"], weight_decay=params["wd"])
    total = EPOCHS * math.ceil(len(y) / batch)
    warm = math.ceil(WARMUP * total)

    def factor(step):
        if step < warm:
            return (step + 1) / (warm + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for epoch in range(trial.user_attrs["epochs"]):
        model.train()
        order = torch.randperm(len(y))
        for at in range(0, len(y), batch):
            pick = order[at:at + batch]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[pick]), y[pick]).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
        trial.report(accuracy, epoch + 1)
    return accuracy


def suggest(trial):
    return {"lr": trial.suggest_float("lr", 1e-4, 3e-2, log=True), "units": trial.suggest_int("units", 32, 256, log=True),
            "depth": trial.suggest_int("depth", 1, 3), "wd": trial.suggest_float("wd", 1e-5, 1e-1, log=True),
            "dropout": trial.suggest_float("dropout", 0, 0.5),
            "batch": trial.suggest_categorical("batch", [16, 32, 64, 128])}


def open_study(optuna, storage):
    return optuna.create_study(study_name="digits", storage=storage, direction="maximize", load_if_exists=True,
                               pruner=optuna.pruners.NopPruner())


def work(torch, optuna, storage):
    torch.set_num_threads(1)
    data, study = load(torch), open_study(optuna, storage)
    while any(t.state == optuna.trial.TrialState.WAITING for t in study.get_trials(deepcopy=False)):
        study.optimize(lambda trial: train(torch, trial, suggest(trial), data), n_trials=1)


def main():
    try:
        import optuna
        import torch
    except ImportError:
        return
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if len(sys.argv) > 1:
        work(torch, optuna, sys.argv[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/optuna.db"
        study = open_study(optuna, storage)
        for params in json.load(sys.stdin):
            epochs = params.pop("epochs")
            study.enqueue_trial(params, user_attrs={"epochs": epochs})
        start = time.monotonic()
        workers = [subprocess.Popen([sys.executable, __file__, storage]) for _ in range(WORKERS)]
        if any(worker.wait() for worker in workers):
            sys.exit("a worker failed")
        print(time.monotonic() - start)


main()
