"""katydid on a GPU against PyTorch on the same one, in the same minutes, as a markdown table with what each row is meant to reach: training steps
of four models, the next trial on a warm gang, a whole search. Called by tests/gpu.sh.

    bench_gpu.py [--device cuda|cpu] [--limit SECONDS] [--quick] [--dry-run] [ROW ...]

First comes what katydid does by itself, then PyTorch's eager ways, then its compiled ones, which may compile for a minute. Each line is
printed when it is known: when the time is over only what comes behind is lost, and named at the end, as is what is not there.

--quick: tiny batches and counts, to see that both sides work; with --device cpu it runs anywhere. --dry-run: what would be done. The
models are those of `katydid-bench step --json`, peer_gpu.py has the same in PyTorch, and both sides' numbers of parameters are compared.
The trainer's step is its whole step, batch gathered included; PyTorch's is one on a batch that lies on the GPU. The peer needs an
interpreter with torch, KATYDID_PEER_PYTHON (default python3); without optuna it trains the search's trials all the same."""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from bench import BIN, Bench, median

PEER = pathlib.Path(__file__).with_name("peer_gpu.py")
LIMIT_S = 330
# Of a precision that is tried out; the first one also starts the driver and reads NVIDIA's libraries from a cold disk.
FIRST_S, PROBE_S = 60, 20

# ---- what there is to do. A model's row: steps of a report, seconds for katydid, for the peer's eager ways and for its compiled one, and
# the comparisons: katydid's precisions (the first that is there), then the peer's ways with what the ratio is to reach (None: nothing was
# asked for).

FLOATS, HALVES = ("tf32", "fp32"), ("bf16", "fp16", "tf32", "fp32")
MODELS = {
    "mlp": {"what": "MLP 784-128-10, batch 64", "case": "mlp-mnist", "every": 2000, "ours_s": 4, "peer_s": 40,
            "compiled_s": 60, "unit": "steps/s", "compare": [(FLOATS, {"eager": 10, "compiled": 3})]},
    "gpt": {"what": "GPT L4 C128 T64, batch 12", "case": "gpt", "every": 500, "ours_s": 4, "peer_s": 40,
            "compiled_s": 90, "unit": "steps/s", "compare": [(FLOATS, {"eager": 8, "compiled": 2})]},
    "resnet": {"what": "ResNet-18, 32x32x3, batch 512", "case": "resnet-18", "every": 10, "ours_s": 6, "peer_s": 60,
               "unit": "steps/s", "compare": [(HALVES, {"fp16": 0.9, "bf16": 0.9}), (FLOATS, {"fp32": None})]},
    "gpt2": {"what": "GPT-2 124M, T 1024, batch 4", "case": "gpt2", "every": 5, "ours_s": 8, "peer_s": 60,
             "compiled_s": 150, "unit": "tokens/s", "compare": [(HALVES, {"compiled bf16": 0.9, "bf16": None})]},
}
N_WARM, N_TRIALS, SEARCH_S = 20, 64, 25
ROWS = ("mlp", "warm", "search", "gpt", "resnet", "gpt2")


class Table:
    """Rows are printed as they are known, and what was left out behind them."""

    def __init__(self):
        self.left_out, self.torch = [], None
        print("| what | katydid | PyTorch | ratio | at least |\n|---|---|---|---|---|", flush=True)

    def row(self, what, ours, theirs="", ratio=None, bar=""):
        shown = "" if ratio is None else f"{ratio:.2f} x"
        print(f"| {what} | {ours} | {theirs} | {shown} | {bar} |", flush=True)

    def leave_out(self, what, why):
        self.left_out.append(f"left out: {what}: {why}")

    def end(self):
        print("\n" + "\n".join([f"PyTorch is {self.torch}"] * bool(self.torch) + self.left_out), flush=True)


def shown(rate):
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


# ---- katydid's side


def cases():
    if not (BIN / "katydid-bench").exists():
        sys.exit(f"bench_gpu.py: no katydid-bench in {BIN}: build katydid, and let KATYDID_BIN name the folder of its programs")
    done = subprocess.run([str(BIN / "katydid-bench"), "step", "--json"], capture_output=True, text=True, check=True)
    return {case["name"]: case for case in map(json.loads, done.stdout.splitlines())}


def block_of(case, every, args, precision):
    """A `trainer:` block for ever, with a report each `every` steps."""
    batch = min(case["batch"], 2) if args.quick else case["batch"]
    kind = "tokens" if case["vocabulary"] else "images" if len(case["shape"]) == 3 else "features"
    return {"data": {"format": "synthetic", "kind": kind, "shape": case["shape"], "classes": case["vocabulary"] or 10,
                     "samples": batch * 8, "split": {"val": 0}},
            "model": case["model"], "optimizer": case["optimizer"], "batchSize": batch, "steps": 10**9,
            "report": {"every": 1 if args.quick else every}, "device": args.device, "precision": precision}


def lines_of(child, seconds):
    """What it prints, line by line, until it has ended or the time is over."""
    os.set_blocking(child.stdout.fileno(), False)
    end, rest = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        has_ended = child.poll() is not None
        rest += child.stdout.read(1 << 16) or b""
        *lines, rest = rest.split(b"\n")
        yield from lines
        if has_ended and not lines:
            return
        time.sleep(0.02)


def last_words(file, without):
    words = pathlib.Path(file).read_text(errors="replace").strip().splitlines()
    return words[-1][:200] if words else without


def train(block, seconds, n_reports):
    """Samples a second of each report, until there are enough or the time is over; and a text that says why there is none."""
    pathlib.Path("train.json").write_text(json.dumps(block))
    with open("stderr", "w") as stderr:
        child = subprocess.Popen([str(BIN / "katydid-trainer"), "train.json"], stdout=subprocess.PIPE, stderr=stderr, bufsize=0)
    rates = []
    for line in lines_of(child, seconds):
        rates += [float(word.split(b"=")[1]) for word in line.split() if word.startswith(b"samples_per_second=")]
        if len(rates) >= n_reports:
            break
    stop(child)
    return rates, last_words("stderr", f"no report within {seconds:.0f} s")


def stop(child):
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Katydid:
    """The trainer on this device: which precisions it has, and steps a second of the cases, each measured once."""

    def __init__(self, args, left_s):
        self.args, self.left_s, self.cases, self.rates, self.precisions = args, left_s, cases(), {}, []
        for precision in ("fp32", "tf32", "fp16", "bf16"):
            block = block_of(self.cases["mlp-small"], 10, args, precision)
            rates, problem = train(block, PROBE_S if self.precisions else FIRST_S, 1)
            if rates:
                self.precisions.append(precision)
            elif precision == "fp32":
                sys.exit(f"bench_gpu.py: katydid-trainer does not train on {args.device}: {problem}")

    def steps_per_second(self, row, precision):
        """None, with the reason, where there is no report. The first report has the making of graphs in it."""
        case = self.cases[row["case"]]
        if (row["case"], precision) not in self.rates:
            block = block_of(case, row["every"], self.args, precision)
            n_reports = 2 if self.args.quick else 12
            seconds = 60 if self.args.quick else row["ours_s"] + PROBE_S / 2
            rates, problem = train(block, min(seconds, max(self.left_s(), 1)), n_reports)
            rate = median(rates[1:] or rates) / block["batchSize"] if rates else None
            self.rates[row["case"], precision] = rate, problem
        return self.rates[row["case"], precision]


# ---- the peer's side


def peer(case, args, limit_s, *more, text=""):
    """The lines of JSON that it prints within the limit, each as soon as it is there; ended with what torch.compile has started."""
    command = [os.environ.get("KATYDID_PEER_PYTHON", "python3"), str(PEER), case, "--device", args.device, *more]
    with open("peer-stderr", "w") as stderr:
        child = subprocess.Popen(command + ["--quick"] * args.quick, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=stderr, bufsize=0, start_new_session=True)
    with contextlib.suppress(BrokenPipeError), child.stdin:
        child.stdin.write(text.encode())
    try:
        for line in lines_of(child, max(limit_s, 1)):
            if line.startswith(b"{"):
                yield json.loads(line)
        if child.poll() is None:
            pathlib.Path("peer-stderr").write_text(f"not done within {limit_s:.0f} s")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def peer_words():
    return last_words("peer-stderr", "PyTorch is not installed for KATYDID_PEER_PYTHON")


# ---- rows


def ours(row, katydid, precisions):
    """(precision, steps a second or None, why there are none); each measured once."""
    precision = next(p for p in precisions if p in katydid.precisions)
    return precision, *katydid.steps_per_second(row, precision)


def factor_of(row, katydid):
    case = katydid.cases[row["case"]]
    return case["batch"] * case["shape"][0] if row["unit"] == "tokens/s" else 1


def our_row(row, table, katydid):
    """katydid by itself, in all the precisions that something is compared with."""
    parameters = katydid.cases[row["case"]]["parameters"]
    for precision, rate, problem in dict.fromkeys(ours(row, katydid, precisions) for precisions, _ in row["compare"]):
        if rate is None:
            table.leave_out(f"{row['what']}, {precision}", f"katydid: {problem}")
            continue
        table.row(f"{row['what']}, {parameters:,} parameters", f"{shown(rate * factor_of(row, katydid))} {row['unit']} ({precision})")


def compare(found, bar, row, table, katydid, precisions):
    """A line of the peer's beside ours."""
    precision, rate, _ = ours(row, katydid, precisions)
    parameters, what = katydid.cases[row["case"]]["parameters"], f"{row['what']}, against {found['way']}"
    if "left_out" in found:
        table.leave_out(what, found["left_out"])
        return
    if found["parameters"] != parameters:
        table.leave_out(what, f"{parameters} parameters here, {found['parameters']} in PyTorch")
    factor, theirs = factor_of(row, katydid), found["steps_per_second"]
    mine = f"{shown(rate * factor)} {row['unit']} ({precision})" if rate else "none"
    table.row(what, mine, f"{shown(theirs * factor)} {row['unit']} ({found['way']})", rate / theirs if rate else None, bar or "")


def peer_rows(row, is_compiled, table, katydid, args, left_s):
    """Those of its ways that are compiled, or those that are not."""
    ways = {way: (precisions, bar) for precisions, bars in row["compare"] for way, bar in bars.items()
            if way.startswith("compiled") == is_compiled}
    if not ways:
        return
    missing = set(ways)
    options = [word for way in ways for word in ("--way", way)]
    for found in peer(row["case"], args, min(row["compiled_s" if is_compiled else "peer_s"], left_s()), *options):
        missing.discard(found["way"])
        table.torch = found["torch"]
        precisions, bar = ways[found["way"]]
        compare(found, bar, row, table, katydid, precisions)
    for way in sorted(missing):
        table.leave_out(f"{row['what']}, against {way}", peer_words())


def n_gpus(args):
    """A trial that asks for none sees none."""
    return 1 if args.device == "cuda" else 0


WARM = """
apiVersion: katydid/v1
kind: Experiment
metadata: {name: warm}
spec:
  objective: {type: minimize, objectiveMetricName: train_loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: %d
  resources: {gpus: %d}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: 0.001, max: 0.1}}
    - {name: units, parameterType: %s}
  trialTemplate:
    trainer:
      data: {format: synthetic, kind: features, shape: [784], classes: 10, samples: 64, split: {val: 0}}
      model: [{linear: {units: "${units}"}}, relu, {linear: {units: 10}}]
      optimizer: {name: sgd, lr: "${lr}"}
      batchSize: 64
      steps: 1
      report: {every: 1}
      device: %s
"""
TO_FIRST_METRIC = """
SELECT ((SELECT min(at) FROM metrics m WHERE m.fence = a.fence) - started_at) * 1e3 FROM attempts a ORDER BY a.fence
"""


def warm_row(table, args, left_s):
    """From a trial's ASSIGN to the metric of its only step, stored: an upper bound of the time to the first step. Of a gang's trials all but the
    first two, which make its graphs."""
    shapes = (("same shape", 5, "discrete, feasibleSpace: {list: [128]}"),
              ("new shape", 100, "int, feasibleSpace: {min: 64, max: 1024}"))
    for what, bar, units in shapes:
        with Bench() as bench:
            bench.spec(WARM % (5 if args.quick else N_WARM, n_gpus(args), units, args.device))
            bench.run(limit_s=min(60, left_s()))
            times = [ms for ms, in bench.query(TO_FIRST_METRIC) if ms is not None]
        table.row(f"warm gang, ASSIGN to the first step's metric, {what}", f"{median(times[2:]):.1f} ms", bar=f"at most {bar} ms")


SEARCH = """
apiVersion: katydid/v1
kind: Experiment
metadata: {name: search}
spec:
  objective: {type: minimize, objectiveMetricName: val_loss}
  algorithm: {algorithmName: tpe}
  parallelTrialCount: 1
  maxTrialCount: %d
  resources: {gpus: %d}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: 0.001, max: 0.1, distribution: logUniform}}
    - {name: units, parameterType: int, feasibleSpace: {min: 32, max: 256}}
    - {name: batch, parameterType: discrete, feasibleSpace: {list: [32, 64, 128]}}
  trialTemplate:
    trainer:
      data: {format: synthetic, kind: features, shape: [784], classes: 10, samples: %d, split: {val: 0.142857}}
      model: [{linear: {units: "${units}"}}, relu, {linear: {units: 10}}]
      optimizer: {name: sgd, lr: "${lr}", momentum: 0.9}
      batchSize: "${batch}"
      epochs: 1
      device: %s
"""
PARAMS = "SELECT trial_id, name, value FROM params JOIN trials ON trials.id = trial_id ORDER BY number"


def search_row(table, args, left_s):
    """katydid's whole wall time; of the peer only its training, since starting PyTorch is not the search. It is given katydid's trials."""
    n_trials, samples = (4, 700) if args.quick else (N_TRIALS, 70000)
    with Bench() as bench:
        bench.spec(SEARCH % (n_trials, n_gpus(args), samples, args.device))
        seconds, _ = bench.run(limit_s=min(60, left_s()))
        trials = {}
        for trial, name, value in bench.query(PARAMS):
            trials.setdefault(trial, {"epochs": 1})[name] = float(value)
    what = f"search, {n_trials} trials of an MLP on MNIST's shapes, one at a time"
    given = json.dumps({"trials": list(trials.values()), "train": samples * 6 // 7, "val": samples // 7})
    table.row(what, f"{seconds:.1f} s")
    said = next(peer("search", args, min(SEARCH_S + 35, left_s()), "--limit", str(SEARCH_S), text=given), None)
    if not said:
        table.leave_out(f"{what}, against PyTorch", peer_words())
        return
    theirs = said["seconds"] / said["trials"] * n_trials
    note = "" if said["trials"] == n_trials else f", from {said['trials']} trials"
    table.row(f"{what}, against {said['with']}", f"{seconds:.1f} s", f"{theirs:.1f} s{note}", theirs / seconds, 10)


# ---- all of it


def print_plan(names):
    print("| row | katydid | PyTorch, and what the ratio is to reach |\n|---|---|---|")
    for name in names:
        if name == "warm":
            print(f"| warm gang | {N_WARM} trials of one step, same shape and new shapes | at most 5 ms and 100 ms from ASSIGN |")
        elif name == "search":
            print(f"| search | {N_TRIALS} trials of an MLP, 60,000 rows each | Optuna, the same trials, at most {SEARCH_S} s: 10 |")
        else:
            row = MODELS[name]
            seconds = " and ".join(f"{row[name]} s" for name in ("peer_s", "compiled_s") if name in row)
            bars = "; ".join(f"{way}: {bar or 'shown'}" for _, ways in row["compare"] for way, bar in ways.items())
            tried = "; ".join("first of " + ", ".join(precisions) for precisions, _ in row["compare"])
            print(f"| {row['what']} | {tried} | {bars}, at most {seconds} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="for all of it; default: %(default)s")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    names = args.rows or ROWS
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        parser.error(f"{unknown[0]} is no row; there are: {', '.join(ROWS)}")
    if args.dry_run:
        print_plan(names)
        return
    end = time.monotonic() + args.limit
    run_rows(names, args, lambda: end - time.monotonic())


def jobs(names, table, katydid, args, left_s):
    """(what, function): katydid's own figures, the eager ways, the compiled ones; of those the largest first, which says most."""
    models = [MODELS[name] for name in names if name in MODELS]
    for row in models:
        yield row["what"], lambda row=row: our_row(row, table, katydid)
    for name, job in (("warm", warm_row), ("search", search_row)):
        if name in names:
            yield name, lambda job=job: job(table, args, left_s)
    for is_compiled in (False, True):
        for row in models[::-1] if is_compiled else models:
            what = f"{row['what']}, against PyTorch's {'compiled' if is_compiled else 'eager'} ways"
            yield what, lambda row=row, is_compiled=is_compiled: peer_rows(row, is_compiled, table, katydid, args, left_s)


def run_rows(names, args, left_s):
    with Bench():
        katydid = Katydid(args, left_s)
        table = Table()
        for what, job in jobs(names, table, katydid, args, left_s):
            if left_s() < 10:
                table.leave_out(what, f"the {args.limit:.0f} s were over")
                continue
            try:
                job()
            except (Exception, SystemExit) as problem:  # the other rows are still worth knowing
                table.leave_out(what, f"{type(problem).__name__}: {problem}".replace("\n", " "))
        if args.quick:
            table.left_out.append("--quick: batches were tiny, and the figures mean nothing")
        table.end()


main()
