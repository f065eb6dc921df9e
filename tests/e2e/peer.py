"""peer.py ENDPOINT WHAT - a strategy that misbehaves as WHAT says; prints what it hears."""
import json
import sys

import zmq

context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.connect(sys.argv[1])
what = sys.argv[2]


def send(kind, body):
    socket.send_multipart([b"KD1", kind, json.dumps(body).encode()])


def leave():
    """An interpreter that just ends may take what was sent last with it."""
    socket.close(linger=5000)
    context.term()
    sys.exit(0)


def hear():
    if not socket.poll(10000):
        sys.exit("nothing came for 10 s")
    _, kind, body = socket.recv_multipart()
    return kind.decode(), json.loads(body)


def answer(ask, points):
    send(b"SUGGESTED", {"ask": ask, "points": points})


def refused(ask, points):
    answer(ask, points)
    kind, body = hear()
    print(kind, body["reason"], flush=True)


def wait_for_ask(told):
    while True:
        kind, body = hear()
        if kind == "TELL":
            told += body["history"]
        if kind == "ASK":
            return body["ask"], body["n"]
        if kind in ("EXIT", "REFUSED"):
            print(kind, body.get("reason", ""), flush=True)
            sys.exit(0)


def misanswer(ask):
    refused(ask + 1, [[0.5, 1]])
    refused(ask, [[0.5, 1], [0.5, 1], [0.5, 1]])
    refused(ask, [[0.5]])
    refused(ask, [[1.5, 1]])
    refused(ask, [[0.5, 0.5]])
    refused(ask, [[0.5, "x"]])
    refused(ask, 7)


hello = {"strategy": what}
if what == "other-run":
    hello["run"] = "0" * 32
if what == "early":
    send(b"SUGGESTED", {"ask": 0, "points": [[0.5, 1]]})
    print(*hear())
send(b"HELLO", hello)
told = []
ask, n = wait_for_ask(told)
count = {kind: len([entry for entry in told if entry[0] == kind]) for kind in ("add", "done", "prior")}
print("told", count["add"], count["done"], *(("priors", count["prior"]) if count["prior"] else ()), flush=True)
if what == "silent":
    print(*hear())
    sys.exit(0)
if what == "bad":
    misanswer(ask)
if what == "gives-up":
    send(b"ASK_FAILED", {"ask": ask, "reason": "no more ideas"})
    leave()
point = 0
while True:
    answer(ask, [[(ask + i) / 100, 1 + i % 2] for i in range(n)])
    if what == "one-answer":
        leave()
    ask, n = wait_for_ask(told)
