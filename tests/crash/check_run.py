#!/usr/bin/env python3
"""check_run.py - what must hold of kill_loop.sh's experiment when it is over, read from the database and the logs.

    check_run.py DATABASE N_TRIALS command|trainer|promotion|population|copies

Prints what it counted; exits 1 and names every violation."""
import pathlib
import re
import sqlite3
import sys

N_STEPS = 20
problems = []


def check(condition, text):
    if not condition:
        problems.append(text)


def check_trials(db, n_trials):
    rows = db.execute("SELECT number, state, reason, id FROM trials ORDER BY number").fetchall()
    numbers = [row[0] for row in rows]
    check(numbers == list(range(n_trials)), f"trials are not 0..{n_trials - 1}: {numbers}")
    for number, state, reason, _ in rows:
        check(state == "Succeeded", f"trial {number} is {state}: {reason}")
    for number, won in db.execute(
        "SELECT t.number, sum(a.state = 'won') FROM trials t JOIN attempts a ON a.trial_id = t.id GROUP BY t.id"
    ):
        check(won == 1, f"trial {number} has {won} won attempts")
    done = [row[0] for row in db.execute("SELECT done_seq FROM trials ORDER BY done_seq")]
    check(done == list(range(n_trials)), f"done_seq is not dense: {done}")
    return rows


def check_curves(db, rows, name):
    """Every step of every trial's curve is there once, whatever attempts it took."""
    for number, _, _, trial in rows:
        query = "SELECT step FROM metric WHERE trial_id = ? AND name = ? ORDER BY step"
        steps = [row[0] for row in db.execute(query, (trial, name))]
        check(steps == list(range(1, N_STEPS + 1)), f"trial {number}: steps of {name}: {steps}")
    for fence, step, n in db.execute(
        "SELECT fence, step, count(*) FROM metrics WHERE name = ? GROUP BY fence, step HAVING count(*) > 1", (name,)
    ):
        problems.append(f"attempt {fence}: step {step} of {name} is stored {n} times")


def check_objectives(db):
    """The command's curve ends at its parameter, so the objective is known."""
    for number, objective, x in db.execute(
        "SELECT t.number, t.objective, p.value FROM trials t JOIN params p ON p.trial_id = t.id WHERE p.name = 'x'"
    ):
        check(objective == float(x), f"trial {number}: objective {objective}, x {x}")


def logged_points(log):
    text = log.read_text() if log.exists() else ""
    whole_lines = text[: text.rfind("\n") + 1]
    return [(int(step), float(loss)) for step, loss in re.findall(r"^step=(\d+) loss=(\S+)$", whole_lines, re.M)]


def check_logs(db, path):
    """Each line of each attempt's log is a row of that attempt's metrics, in order, and nothing else is."""
    n_lines = 0
    attempts = db.execute(
        "SELECT a.fence, a.n, a.state, t.number FROM attempts a JOIN trials t ON t.id = a.trial_id ORDER BY a.fence"
    ).fetchall()
    for fence, n, state, number in attempts:
        log = pathlib.Path(f"{path}.d/loop/{number}/a{n}/log")
        lines = logged_points(log)
        query = "SELECT step, value FROM metrics WHERE fence = ? AND name = 'loss' ORDER BY id"
        stored = db.execute(query, (fence,)).fetchall()
        n_lines += len(lines)
        what = f"{len(lines)} lines in {log}, {len(stored)} points stored"
        check(lines == stored, f"attempt {fence} ({state}) of trial {number}: {what}")
    return n_lines, len(attempts)


def check_paused_trials(db, n_trials):
    """Trials that pause are over when they succeeded, or stand where they were sent; nobody's end counts twice."""
    rows = db.execute(
        "SELECT t.number, t.state, t.until, t.reason, t.id, t.done_seq, (SELECT sum(state = 'won') FROM attempts a "
        "WHERE a.trial_id = t.id) FROM trials t ORDER BY number"
    ).fetchall()
    check([row[0] for row in rows] == list(range(n_trials)), f"trials are not 0..{n_trials - 1}")
    check(sorted(row[5] for row in rows) == list(range(n_trials)), "done_seq is not dense")
    for number, state, until, reason, _, _, won in rows:
        over = state == "Succeeded" and until is None or state == "EarlyStopped" and until is not None
        check(over, f"trial {number} is {state}, until {until}: {reason}")
        check((won or 0) == (state == "Succeeded"), f"trial {number} is {state} with {won} won attempts")
    return rows


def check_paused_curves(db, rows, name, whole):
    """Each trial's steps are there once, from its parent's rung to its own."""
    clones = "SELECT json_extract(data, '$.trial'), json_extract(data, '$.step') FROM events WHERE kind = 'do.clone'"
    begins = dict(db.execute(clones).fetchall())
    for number, _, until, _, trial, *_ in rows:
        query = "SELECT step FROM metric WHERE trial_id = ? AND name = ? ORDER BY step"
        steps = [row[0] for row in db.execute(query, (trial, name))]
        expected = list(range(begins.get(number, 0) + 1, (until or whole) + 1))
        check(steps == expected, f"trial {number}: steps of {name}: {steps}, expected {expected}")
    for number, parent in db.execute("SELECT number, parent FROM trials WHERE parent IS NOT NULL"):
        check(number in begins and parent < number, f"trial {number} has the parent {parent} and was never cloned")
    return len(begins)


def check_pauses(db, path, name, n_trials, whole):
    rows = check_paused_trials(db, n_trials)
    n_clones = check_paused_curves(db, rows, name, whole)
    n_attempts, n_paused = db.execute("SELECT count(*), sum(state = 'yielded') FROM attempts").fetchone()
    check(n_paused > 0, "nothing was ever paused")
    print(f"{n_trials} trials, {n_clones} of them clones, {n_attempts} attempts, {n_paused} of them paused")


def main():
    path, n_trials, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    if what in ("promotion", "population", "copies"):
        check_pauses(db, path, "loss" if what == "copies" else "val_loss", n_trials, 9)
    elif what == "command":
        rows = check_trials(db, n_trials)
        check_curves(db, rows, "loss")
        check_objectives(db)
        n_lines, n_attempts = check_logs(db, path)
        print(f"{n_trials} trials, {n_attempts} attempts, {n_lines} lines of output, all stored once")
    else:
        rows = check_trials(db, n_trials)
        check_curves(db, rows, "val_loss")
        n_attempts, = db.execute("SELECT count(*) FROM attempts").fetchone()
        print(f"{n_trials} trials, {n_attempts} attempts")
    for problem in problems:
        print("WRONG:", problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
