"""Finds the minimum of a function with katydid's strategies: a pipe and one line of JSON each way."""
import json
import math
import subprocess

katydid = subprocess.Popen(["katydid", "suggest", "space.yaml", "--seed", "1"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def say(**line):
    katydid.stdin.write(json.dumps(line) + "\n")
    return json.loads(katydid.stdout.readline())


def loss(x, y, shape):  # Branin's function, 0.397887 at its three minima; "steep" adds 1
    a, b = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6, 10 * (1 - 1 / (8 * math.pi)) * math.cos(x)
    return a * a + b + 10 + (shape == "steep")


for _ in range(100):
    for trial in say(ask=1)["trials"]:
        say(tell={"number": trial["number"], "state": "complete", "objective": loss(**trial["params"])})
print(json.dumps(say(best=True)["best"]))
katydid.stdin.close()
katydid.wait()
