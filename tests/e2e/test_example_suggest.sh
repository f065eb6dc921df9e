#!/usr/bin/env bash
# The example that asks for points from Python finds what a hundred trials of TPE find; the same seed gives the same.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cp "$KATYDID_SOURCE"/examples/suggest/* .
command -v python3 >/dev/null || skip "no python3"
expect_exit 0 python3 tune.py
cp out first
python3 - <<'PYTHON' || fail "a hundred trials found no more than $(cat first)"
import json
best = json.load(open("first"))
raise SystemExit(not (best["objective"] < 1 and best["params"]["shape"] == "flat"))
PYTHON
expect_exit 0 python3 tune.py
cmp -s first out || fail "the same seed found something else: $(cat out)"
expect_nothing_left
