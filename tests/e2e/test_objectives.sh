#!/usr/bin/env bash
# Several objectives, constraints, enqueued points, an earlier experiment that teaches, and failures that teach: run, killed,
# gone on with, replayed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >two.sh <<'SH'
#!/bin/sh
# two.sh X Y: three metrics; every fourth X lacks the cost
echo "acc=0.1 epoch=1"
sleep 0.05
[ "$1" = 7 ] || echo "cost=$(($1 + $2))"
echo "acc=$(awk "BEGIN {print 1 - ($1 - 3) ^ 2 / 100}") mem=$(($1 * 10)) epoch=2"
SH
chmod +x two.sh

cat >two.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: two}
spec:
  objectives: [{type: maximize, metric: acc, pick: latest}, {type: minimize, metric: cost}]
  constraints: [{metric: mem, max: 50}]
  algorithm: {algorithmName: random}
  maxTrialCount: 24
  parallelTrialCount: 2
  enqueue: [{x: 3, y: 0}, {x: 0, y: 0}, {x: 7, y: 1}, {x: 9, y: 0}]
  parameters:
    - {name: x, parameterType: int, feasibleSpace: {min: 0, max: 9}}
    - {name: "y", parameterType: int, feasibleSpace: {min: 0, max: 3}}
  trialTemplate: {command: [./two.sh, "${x}", "${y}"]}
YAML

# Killed in the middle, gone on with.
katydid run two.yaml >run.out 2>&1 &
run=$!
wait_until 30 "six trials are over" sh -c "[ \"\$(sqlite3 '$KATYDID_DB' \"SELECT count(*) FROM trials WHERE done_seq
    IS NOT NULL\" 2>/dev/null || echo 0)\" -ge 6 ]"
kill -9 $run
wait $run 2>/dev/null
expect_exit 0 katydid run two.yaml
expect_in out '^front: [0-9]+ trials?, hypervolume [0-9.]+ before acc = .*, cost = ' '24 trials'
expect_sql "24" "SELECT count(*) FROM trials"

# What the user gave comes first; each objective and constraint is there; who lacks one is told which.
expect_sql "3 0|0 0|7 1|9 0" "SELECT group_concat(v, '|') FROM (SELECT p.value || ' ' || q.value AS v FROM params p JOIN params q
    USING(trial_id) WHERE p.name = 'x' AND q.name = 'y' AND trial_id % 1000000000 < 4 ORDER BY trial_id)"
expect_sql "1.0|3.0|-20.0" "SELECT a.value, b.value, c.value FROM objectives a JOIN objectives b USING(trial_id) JOIN constraints c
    USING(trial_id) WHERE trial_id % 1000000000 = 0 AND a.i = 0 AND b.i = 1"
expect_sql "MetricsUnavailable" "SELECT state FROM trials WHERE number = 2"
expect_sql "1" "SELECT reason LIKE '%without reporting ''cost''%' FROM trials WHERE number = 2"
expect_sql "0" "SELECT count(*) FROM (SELECT p.value, q.value FROM params p JOIN params q USING(trial_id) WHERE p.name = 'x' AND
    q.name = 'y' GROUP BY 1, 2 HAVING count(*) > 1)"

# The front by hand: nothing is at least as good in both, feasible ones alone.
front=$(sql "WITH t AS (SELECT a.trial_id AS id, -a.value AS a, b.value AS b FROM objectives a JOIN objectives b USING(trial_id)
    JOIN constraints c USING(trial_id) WHERE a.i = 0 AND b.i = 1 AND c.value <= 0)
    SELECT group_concat(id % 1000000000, ',') FROM (SELECT id FROM t WHERE NOT EXISTS(SELECT 1 FROM t AS o
    WHERE o.a <= t.a AND o.b <= t.b AND (o.a < t.a OR o.b < t.b)) ORDER BY id)")
expect_exit 0 katydid best two --json
seen=$(python3 -c 'import json; print(",".join(str(t["trial"]) for t in json.load(open("out"))["front"]))')
[ "$seen" = "$front" ] || fail "the front is $seen, by hand $front"
expect_exit 0 katydid best two
expect_in out '^two, front: ' '^trial +state +acc +cost +x +y +feasible'
expect_exit 0 katydid best two --format args
expect_in out '^--x=3 --y=0$'
expect_exit 2 katydid best two --format env
expect_exit 0 katydid show two
expect_in out '^Objectives +maximize acc, minimize cost$' '^Constraints +mem <= 50$' '^Front '
expect_exit 0 katydid show two --json
expect_in out '"front":\[\{"trial":'
expect_exit 0 katydid trials two --sort cost
expect_in out 'Succeeded .* no .*finished' 'Succeeded .* yes .*finished'
expect_sound two

# It teaches another one: fewer values of y are allowed, another objective, and its failures are known.
sed -e 's/name: two/name: taught/' -e '/constraints:/d' -e '/enqueue:/d' -e 's/algorithmName: random/algorithmName: tpe/' \
    -e 's/^  objectives:.*/  objective: {type: minimize, objectiveMetricName: cost, goal: -1}\n  warmStart: {experiment: two}/' \
    -e 's/max: 3/max: 1/' -e 's/maxTrialCount: 24/maxTrialCount: 6/' two.yaml >taught.yaml
katydid run taught.yaml >run.out 2>run.err &
run=$!
wait_until 30 "two trials are over" sh -c "[ \"\$(sqlite3 '$KATYDID_DB' \"SELECT count(*) FROM trials WHERE experiment_id = 2
    AND done_seq IS NOT NULL\" 2>/dev/null || echo 0)\" -ge 2 ]"
kill -9 $run
wait $run 2>/dev/null
usable=$(sql "SELECT count(*) FROM params p JOIN trials t ON t.id = p.trial_id WHERE p.name = 'y' AND p.value <= 1 AND
    t.experiment_id = 1 AND t.state = 'Succeeded'")
expect_in run.err "warm start: $usable trials of 'two' teach this experiment, $((24 - usable)) were left out \(trial "
expect_exit 0 katydid run taught.yaml
grep -q 'warm start' err && fail "the earlier experiment was read again"
expect_sql "1|$usable" "SELECT count(*), json_array_length(data, '\$.priors') FROM events WHERE experiment_id = 2 AND kind = 'prior'"
expect_sql "0|6" "SELECT min(number), count(*) FROM trials WHERE experiment_id = 2"
expect_sound taught

# What cannot teach says why, and leaves nothing behind.
sed -e 's/name: taught/name: no/' -e 's/experiment: two/experiment: tow/' taught.yaml >no.yaml
expect_exit 2 katydid run no.yaml
expect_in err "warmStart.experiment: .* holds no experiment 'tow'"
sed -e 's/name: taught/name: no/' -e 's/objectiveMetricName: cost/objectiveMetricName: loss/' taught.yaml >no.yaml
expect_exit 2 katydid run no.yaml
expect_in err "no trial of 'two' has recorded 'loss'.*it recorded: acc, cost, mem"
expect_sql "2" "SELECT count(*) FROM experiments"
# `try` keeps nothing and needs no teacher.
expect_exit 0 katydid try taught.yaml x=3 y=1

# Failures teach: exit codes, time-outs and kills are infeasible points that are not asked for again.
cat >fails.sh <<'SH'
#!/bin/sh
case $1 in
0) exit 1 ;;
1) sleep 30 ;;
2) kill -9 $$ ;;
3) echo loss=nan ;;
*) echo "loss=$1" ;;
esac
SH
chmod +x fails.sh
cat >fails.yaml <<'YAML'
apiVersion: katydid/v1
kind: Experiment
metadata: {name: fails}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: tpe}
  maxTrialCount: 20
  parallelTrialCount: 2
  limits: {trialTime: 1s, grace: 1s}
  parameters:
    - {name: x, parameterType: int, feasibleSpace: {min: 0, max: 7}}
  trialTemplate: {command: [./fails.sh, "${x}"]}
YAML
expect_exit 0 katydid run fails.yaml
expect_in out 'ExperimentSuggestionEndReached'
expect_sql "8|8" "SELECT count(*), count(DISTINCT value) FROM params WHERE trial_id >= 3000000000"
expect_sql "0 Failed|1 Failed|2 Failed|3 Succeeded|4 Succeeded" "SELECT group_concat(v, '|') FROM (SELECT p.value || ' ' || t.state AS v
    FROM params p JOIN trials t ON t.id = p.trial_id WHERE t.experiment_id = 3 AND p.value <= 4 ORDER BY p.value)"
expect_sound fails
expect_nothing_left
