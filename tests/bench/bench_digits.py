"""The digits search, 100 trials on two slots, against Optuna and PyTorch doing the same trials: whole wall time of both.

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


def run_katydid():
    with Bench() as bench:
        digits = SOURCE / "examples/digits"
        text = (digits / "digits.yaml").read_text().replace("path: digits.csv", f"path: {digits / 'digits.csv'}")
        bench.spec(text)
        seconds, _ = bench.run(f"maxTrialCount={TRIALS}")
        return seconds, trials_of(bench)


def run_peer(trials):
    python = os.environ.get("KATYDID_PEER_PYTHON", "python3")
    done = subprocess.run([python, str(PEER)], input=json.dumps(trials), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout.strip()


def main():
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    runs = [run_katydid() for _ in range(n_runs)]
    ours = median([seconds for seconds, _ in runs])
    row(f"digits, {TRIALS} trials on two slots, median of {n_runs} runs", ours, "s")
    peers = [run_peer(trials) for _, trials in runs[:2]]
    if not all(peers):
        print("peer_digits: torch or optuna is not installed for this python; not compared")
        return
    theirs = median([float(peer) for peer in peers])
    row("  Optuna and PyTorch, the same trials, two processes", theirs, "s")
    row("  katydid is faster by", theirs / ours, "times", "at least 10")


main()
