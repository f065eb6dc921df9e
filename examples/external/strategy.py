"""A search strategy outside katydid: half of the points are drawn, half lie near the best one so far."""
import json, random, sys, zmq

socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])

def send(kind, body):
    socket.send_multipart([b"KD1", kind, json.dumps(body).encode()])

def choose(param, near):
    low, high, step = param["min"], param["max"], param["step"]
    value = random.uniform(low, high) if near is None else random.gauss(near, (high - low) / 10)
    value = low + step * round((value - low) / step) if step else value
    return max(low, min(high, value))

send(b"HELLO", {"strategy": "near-the-best"})
kind = None
while kind != b"EXIT":
    if not socket.poll(10_000):  # silence for 10 s: this may be another coordinator by now
        send(b"HELLO", {"strategy": "near-the-best"})
        continue
    _, kind, body = socket.recv_multipart()
    body = json.loads(body)
    if kind == b"NOTED":  # the answer to HELLO; after it everything is told from the start
        params, points, results = body["parameters"], {}, []
    elif kind == b"TELL":
        for what, number, *rest in body["history"]:
            if what == "add":
                points[number] = rest[0]
            elif what == "done" and rest[0] == "complete":
                results.append((rest[1][0], number))  # the objective, minimised
    elif kind == b"ASK":
        best = points[min(results)[1]] if results else [None] * len(params)
        near = [best if random.random() < 0.5 else [None] * len(params) for _ in range(body["n"])]
        send(b"SUGGESTED", {"ask": body["ask"], "points": [list(map(choose, params, n)) for n in near]})
    elif kind == b"REFUSED":
        print("refused:", body["reason"], file=sys.stderr)
