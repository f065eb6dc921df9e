"""The digits search, 100 trials on two slots, against Optuna and PyTorch doing the same trials: whole wall time of both, for
several seeds, since each leads the search to other networks and batch sizes (small ones are where the peer is slowest).

The peer is given the hyperparameters that katydid tried and the epochs that each trial was given, so that both train the same
networks on the same data for as long; it keeps Optuna's own storage (SQLite) and two worker processes of one thread each. It needs an interpreter with torch and
optuna: KATYDID_PEER_PYTHON (default python3)."""
import json
import os
import pathlib
import subprocess
import sys

from bench import SOURCE, Bench, median, row

TRIALS = 100
PEER = pathlib.Path(__file__).with_name("peer_digits.py")
PARAMS = "SELECT trial_id, name, value FROM params JOIN trials ON trials.id = trial_id ORDER BY number"
EPOCHS = "SELECT trial_id, max(step) FROM metric WHERE name = 'val_accuracy' GROUP BY trial_id"


def trials_of(bench):
    trials = {}
    for trial, name, value in bench.query(PARAMS):
        trials.setdefault(trial, {})[name] = value
    for trial, epochs in bench.query(EPOCHS):
        trials[trial]["epochs"] = epochs
    return [trial for trial in trials.values() if "epochs" in trial]


def run_katydid(seed):
    with Bench() as bench:
        digits = SOURCE / "examples/digits"
        text = (digits / "digits.yaml").read_text().replace("path: digits.csv", f"path: {digits / 'digits.csv'}")
        bench.spec(text)
        seconds, _ = bench.run(f"maxTrialCount={TRIALS}", f"+seed={seed}")
        return seconds, trials_of(bench)


def run_peer(trials, attempts=3):
    """Seconds as text. Now and then its two workers take the same trial out of SQLite's queue, which ends one of them."""
    python = os.environ.get("KATYDID_PEER_PYTHON", "python3")
    for _ in range(attempts):
        done = subprocess.run([python, str(PEER)], input=json.dumps(trials), capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    sys.exit(done.stderr)


def describe(trials):
    """The network of the middle trial, which says what the search favoured."""
    return ", ".join(f"{name} {median([trial[name] for trial in trials]):.0f}" for name in ("units", "depth", "batch"))


def main():
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    ratios, ours = [], []
    for seed in range(n_seeds):
        seconds, trials = run_katydid(seed)
        peer = run_peer(trials)
        row(f"digits, {TRIALS} trials on two slots, seed {seed} ({describe(trials)})", seconds, "s")
        if not peer:
            print("peer_digits: torch or optuna is not installed for this python; not compared")
            continue
        row("  Optuna and PyTorch, the same trials, two processes", float(peer), "s")
        ratios.append(float(peer) / seconds)
        row("  katydid is faster by", ratios[-1], "times")
        ours.append(seconds)
    if ratios:
        row(f"digits: katydid, median of {n_seeds} seeds", median(ours), "s")
        row("digits: katydid is faster by, median", median(ratios), "times", "at least 10")


main()
