#!/usr/bin/env bash
# An external strategy that is late, wrong, gone, or not meant: the run says what it waited for, and goes on later.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=/usr/bin/python3
"$python" -c 'import zmq' 2>/dev/null || skip "python3-zmq is not installed"
peer=$KATYDID_SOURCE/tests/e2e/peer.py

# spec NAME ALGORITHM [DEADLINE]
spec() {
    local settings=
    [ $# -lt 3 ] || settings=", algorithmSettings: [{name: deadline, value: $3}]"
    cat >"$1.yaml" <<YAML
apiVersion: katydid/v1
kind: Experiment
metadata: {name: $1}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: $2$settings}
  parallelTrialCount: 2
  maxTrialCount: 6
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0, max: 1}}
    - {name: k, parameterType: int, feasibleSpace: {min: 1, max: 2}}
  trialTemplate: {command: [sh, -c, 'sleep 0.1; echo k=\${k} loss=\${x}']}
YAML
}

# start NAME: runs it in the background; $run is its process, $endpoint where the strategy finds it.
start() {
    katydid run "$1.yaml" >"$1.out" 2>"$1.err" &
    run=$!
    wait_until 20 "the bus of $1 is open" test -s "$KATYDID_DB.d/$1/bus"
    endpoint=$(cat "$KATYDID_DB.d/$1/bus")
}

# expect_end CODE NAME
expect_end() {
    local rc=0
    wait $run || rc=$?
    [ $rc = "$1" ] || fail "$2 ended with $rc, expected $1: $(cat "$2.err")"
}

# Nobody comes: the deadline passes, and the same command goes on when somebody does.
spec late external 1
katydid run late.yaml >late.out 2>late.err
[ $? = 1 ] || fail "a run without a strategy did not fail"
expect_in late.out 'ExperimentCannotRun' 'no answer within 1 s to the question for 2 points' 'no strategy said HELLO at ipc://'
start late
expect_exit 0 "$python" "$peer" "$endpoint" late
expect_end 0 late
expect_in "$work/out" '^told 0 0$' '^EXIT'
expect_sql "6" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
expect_sound late

# Answers that do not fit are refused with the reason; the question stays open and the right answer counts.
spec wrong external 20
start wrong
expect_exit 0 "$python" "$peer" "$endpoint" bad
expect_end 0 wrong
expect_in "$work/out" '^REFUSED the open question is 0, not 1' '^REFUSED 2 points were asked for, 3 came' \
    '^REFUSED point 0: a point has 2 numbers here, not 1' '^REFUSED point 0: x: 1.5 is not one of its values' \
    '^REFUSED point 0: k: 0.5 is not' '^REFUSED point 0: k: a number was expected' '^REFUSED "points" is no list'
expect_in wrong.err "answer of the strategy was refused"
expect_sql "0.0|1" "SELECT p.value, q.value FROM trials t JOIN experiments e ON e.id = t.experiment_id AND e.name = 'wrong'
    JOIN params p ON p.trial_id = t.id AND p.name = 'x' JOIN params q ON q.trial_id = t.id AND q.name = 'k' WHERE t.number = 0"
expect_sound wrong

# One goes away after its first answer: the next is told everything. A message before HELLO is refused.
spec gone external 20
start gone
expect_exit 0 "$python" "$peer" "$endpoint" one-answer
wait_until 10 "a trial is over" sh -c "[ \"\$(sqlite3 '$KATYDID_DB' \"SELECT count(*) FROM trials t JOIN experiments e
    ON e.id = t.experiment_id WHERE e.name = 'gone' AND t.state = 'Succeeded'\")\" -ge 1 ]"
expect_exit 0 "$python" "$peer" "$endpoint" early
expect_end 0 gone
expect_in "$work/out" '^REFUSED .*say HELLO first' '^told 2 [12]$'
expect_sound gone

# It is silent after the question, or says that it has no answer.
spec silent external 1
start silent
"$python" "$peer" "$endpoint" silent >silent.peer 2>&1 &
peer_pid=$!
expect_end 1 silent
expect_in silent.out 'the strategy silent is silent'
wait $peer_pid
expect_in silent.peer '^EXIT'
spec gives external 20
start gives
expect_exit 0 "$python" "$peer" "$endpoint" gives-up
expect_end 1 gives
expect_in gives.out 'could not answer: no more ideas'

# What the user enqueued comes first and is not asked of it; an earlier experiment is told before the rest.
spec first external 20
sed -i -e 's/^  parameters:/  enqueue: [{x: 0.875, k: 2}, {x: 0.5}, {k: 1}]\n  warmStart: {experiment: late}\n  parameters:/' first.yaml
start first
expect_exit 0 "$python" "$peer" "$endpoint" first
expect_end 0 first
expect_in "$work/out" '^told 3 [0-9] priors 6$'
expect_sql "0.875 2|0.5" "SELECT group_concat(v, '|') FROM (SELECT CASE t.number WHEN 0 THEN p.value || ' ' || q.value ELSE p.value END
    AS v FROM trials t JOIN experiments e ON e.id = t.experiment_id AND e.name = 'first' JOIN params p ON p.trial_id = t.id AND
    p.name = 'x' JOIN params q ON q.trial_id = t.id AND q.name = 'k' WHERE t.number < 2 ORDER BY t.number)"
expect_sql "6" "SELECT count(*) FROM trials t JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'first'
    AND t.state = 'Succeeded'"
expect_sound first

# One that means another run is refused.
start gives
expect_exit 0 "$python" "$peer" "$endpoint" other-run
expect_in "$work/out" '^REFUSED this is another run'
expect_exit 0 "$python" "$peer" "$endpoint" gives-up
expect_end 1 gives

# A run whose strategy is katydid's own listens to no other.
spec own random
katydid run own.yaml >own.out 2>own.err &
run=$!
wait_until 10 "a socket is there" sh -c "find '$XDG_RUNTIME_DIR' -type s | grep -q ."
socket=$(find "$XDG_RUNTIME_DIR" -type s)
expect_exit 0 "$python" "$peer" "ipc://$socket" thief
expect_end 0 own
expect_in "$work/out" '^REFUSED this run has a strategy of its own'
expect_sound own
expect_nothing_left
