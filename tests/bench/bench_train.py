"""Training steps of five models, katydid-trainer against PyTorch: time a step and peak memory on one thread, and what a second rank
brings. Both sides run one after the other, several times, in the same minutes; medians.

    bench_train.py [runs] [case ...]

Times are CPU times, which a busy machine changes little. The trainer's step is its whole step, batch gathered included, as the
difference of a longer and a shorter training; PyTorch's is forward, backward and optimizer on one batch in memory. The two ranks are
measured in wall time and want two idle cores. The peer needs an interpreter with torch:
KATYDID_PEER_PYTHON (default python3); the best of OPENBLAS_CORETYPE unset, Haswell and SkylakeX counts."""
import json
import os
import pathlib
import subprocess
import sys

from bench import BIN, Bench, median, row

PEER = pathlib.Path(__file__).with_name("peer_train.py")
CORES = ("", "Haswell", "SkylakeX")
SGD, ADAMW = {"name": "sgd", "lr": 0.01, "momentum": 0.9}, {"name": "adamw", "lr": 0.001}
FEATURES = {"kind": "features", "shape": [784], "classes": 10, "samples": 4096}
IMAGES = {"kind": "images", "shape": [32, 32, 3], "classes": 10, "samples": 1024}
TOKENS = {"kind": "tokens", "shape": [64], "classes": 65, "samples": 1024}


def mlp(*units):
    layers = []
    for n in units[:-1]:
        layers += [{"linear": {"units": n}}, "relu"]
    return layers + [{"linear": {"units": units[-1]}}]


CNN = [{"conv2d": {"channels": 32}}, "batchnorm", "relu", "maxPool", {"conv2d": {"channels": 64}}, "batchnorm", "relu",
       "maxPool", "flatten", {"linear": {"units": 10}}]
GPT = {"gpt": {"layers": 4, "heads": 4, "width": 128, "tied": False}}

REPORTS = 6

# name: (data, model, optimizer, batch, steps of a report, times faster than PyTorch, also on two ranks)
CASES = {
    "mlp-small": (FEATURES, mlp(64, 32, 10), SGD, 32, 1000, 4, False),
    "mlp-medium": (FEATURES, mlp(256, 128, 10), SGD, 64, 300, 2, False),
    "mlp-large": (FEATURES, mlp(1024, 1024, 10), SGD, 256, 15, 1.1, True),
    "cnn": (IMAGES, CNN, SGD, 64, 10, 1.5, True),
    "gpt": (TOKENS, GPT, ADAMW, 12, 10, 1.5, True),
}
def block_of(case, n_reports=REPORTS):
    data, model, optimizer, batch, steps, _, _ = CASES[case]
    return {"data": {"format": "synthetic", "split": {"val": 0}, **data}, "model": model, "optimizer": optimizer,
            "batchSize": batch, "steps": steps * n_reports, "report": {"every": steps}}


def samples_a_second(case, n_ranks, env):
    """Of the best report, in wall time: what ranks are for."""
    pathlib.Path("train.json").write_text(json.dumps(block_of(case)))
    command = [str(BIN / "katydid-trainer"), "train.json"]
    if n_ranks > 1:
        command = ["mpirun", "-np", str(n_ranks), "--bind-to", "core", *command]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(done.stderr)
    rates = [float(word.split("=")[1]) for line in done.stdout.splitlines() for word in line.split()
             if word.startswith("samples_per_second=")]
    return max(rates[1:])


def run_alone(case, n_reports, env):
    """(CPU seconds, peak MiB) of a training on one rank, told by a child of its own, since RUSAGE_CHILDREN only grows."""
    pathlib.Path("train.json").write_text(json.dumps(block_of(case, n_reports)))
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True, check=True); " \
              "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime, u.ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", program, str(BIN / "katydid-trainer"), "train.json"],
                          capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(done.stderr)
    seconds, memory = done.stdout.split()
    return float(seconds), int(memory) / 1024


def step_ms(case, env):
    """CPU time of a step: what a longer training takes more than a shorter one, so that starting is left out."""
    short, _ = run_alone(case, 1, env)
    long, memory = run_alone(case, REPORTS, env)
    return (long - short) / (CASES[case][4] * (REPORTS - 1)) * 1e3, memory


def peer(case, core):
    env = dict(os.environ, **({"OPENBLAS_CORETYPE": core} if core else {}))
    done = subprocess.run([os.environ.get("KATYDID_PEER_PYTHON", "python3"), str(PEER), case, "3"],
                          capture_output=True, text=True, env=env)
    return tuple(float(word) for word in done.stdout.split())


def best_core(case):
    """The setting with which PyTorch is fastest here; None without PyTorch."""
    times = {core: peer(case, core) for core in CORES}
    return min(times, key=lambda core: times[core][0]) if all(times.values()) else None


def bench_case(case, n_runs, env):
    _, _, _, _, _, bar, on_ranks = CASES[case]
    core = best_core(case)
    ours, theirs, one, two = [], [], [], []
    for _ in range(n_runs):
        ours.append(step_ms(case, env))
        theirs.append(peer(case, core) if core is not None else ())
        if on_ranks:
            one.append(samples_a_second(case, 1, env))
            two.append(samples_a_second(case, 2, env))
    ms = median([t[0] for t in ours])
    row(f"{case}: CPU time of a step, median of {n_runs} runs", ms, "ms")
    if core is not None:
        peer_ms = median([t[0] for t in theirs])
        row(f"{case}: PyTorch, OPENBLAS_CORETYPE={core or '(unset)'}", peer_ms, "ms")
        row(f"{case}: faster by", peer_ms / ms, "times", f"at least {bar}")
        row(f"{case}: peak memory, PyTorch's {median([t[1] for t in theirs]):.0f} MiB", median([t[1] for t in ours]), "MiB",
            "no more")
    if on_ranks:
        row(f"{case}: samples a second, two ranks over one", median(two) / median(one), "times", "at least 1.8")


def main():
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Bench() as bench:
        for case in sys.argv[2:] or CASES:
            bench_case(case, n_runs, bench.env)


main()
