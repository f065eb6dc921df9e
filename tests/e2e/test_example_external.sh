#!/usr/bin/env bash
# The example of a strategy outside katydid, as its README says.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=/usr/bin/python3
"$python" -c 'import zmq' 2>/dev/null || skip "python3-zmq is not installed"
cp "$KATYDID_SOURCE"/examples/external/* .
bus=$KATYDID_DB.d/banana/bus

katydid run --print-endpoint experiment.yaml >run.out 2>run.err &
run=$!
wait_until 20 "the bus is open" test -s "$bus"
expect_exit 0 "$python" strategy.py "$(cat "$bus")"
wait $run || fail "the run ended with $?: $(cat run.err)"
expect_in run.out '^ipc://' 'banana: Succeeded' 'best: trial'
expect_sql "30" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
[ ! -e "$bus" ] || fail "the endpoint's file is left"
expect_sound banana
expect_nothing_left
