#!/usr/bin/env bash
# Trials that pause at rungs, go on and are cloned: asha by promotion, hyperband, bohb and pbt with the built-in trainer on the
# digits, then with a command that goes on from its checkpoint, stopped by Ctrl-C and resumed.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# write_head NAME METRIC ALGORITHM [more lines of the spec]
write_head() {
    cat <<YAML
apiVersion: katydid/v1
kind: Experiment
metadata: {name: $1}
spec:
  objective: {type: minimize, objectiveMetricName: $2}
  algorithm: $3
  parallelTrialCount: 2
  maxTrialCount: 16
  maxFailedTrialCount: 1
  resources: {cpus: 1, oversubscribe: true}
  limits: {grace: 5s}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: 0.001, max: 0.03, distribution: logUniform}}
${4:-}
YAML
}

write_trainer() {
    write_head "$@"
    cat <<'YAML'
  fidelity: {max: 9}
  trialTemplate:
    trainer:
      data: {format: csv, path: digits.csv, label: label, split: {val: 0.2, seed: 1}}
      model: [{linear: {units: 16}}, {relu: {}}, {linear: {units: 10}}]
      optimizer: {name: adamw, lr: "${x}"}
      batchSize: 32
      epochs: 9
      seed: 7
YAML
}

# Of the experiment NAME, whose METRIC was reported at each step: every trial has each of its steps once, from its parent's
# rung to its own or to the end, and is over for the right reason.
expect_whole() {
    local trials="FROM trials t JOIN experiments e ON e.id = t.experiment_id WHERE e.name = '$1'"
    expect_sql "0" "SELECT count(*) $trials AND NOT (t.state = 'Succeeded' AND t.until IS NULL
        OR t.state = 'EarlyStopped' AND t.until IS NOT NULL AND t.reason LIKE '%paused at step ' || t.until || ' with $2 = %')"
    expect_sql "0" "SELECT count(*) FROM (SELECT t.until, count(m.step) AS n, min(m.step) AS first, max(m.step) AS last,
        (SELECT json_extract(data, '\$.step') FROM events WHERE kind = 'do.clone' AND trial_id = t.id) AS rung
        FROM trials t JOIN experiments e ON e.id = t.experiment_id JOIN metric m ON m.trial_id = t.id AND m.name = '$2'
        WHERE e.name = '$1' GROUP BY t.id)
        WHERE first <> ifnull(rung, 0) + 1 OR last <> ifnull(until, 9) OR n <> last - first + 1"
    [ "$(sql "SELECT count(*) $trials AND t.state = 'Succeeded' AND t.attempts > 1")" -gt 0 ] ||
        complain "no trial of $1 was paused and trained to its end"
    [ "$(sql "SELECT count(*) $trials AND t.state = 'EarlyStopped'")" -gt 0 ] || complain "all of $1 were promoted"
    expect_sound "$1"
}

run_whole() {
    expect_exit 0 katydid run "$1.yaml"
    expect_in err 'stands still: .*paused at step' 'started again .*among the best at step .* goes on to'
    expect_whole "$1" "$2"
}

if [ -x "$KATYDID_BIN/katydid-trainer" ]; then
    head -400 "$KATYDID_SOURCE/examples/digits/digits.csv" >digits.csv
    for name in asha hyperband bohb; do
        write_trainer $name val_loss "{algorithmName: $name}" >$name.yaml
        run_whole $name val_loss
    done
    # BOHB's model is told of trials that only paused.
    [ "$(sql "SELECT count(*) FROM trials t JOIN experiments e ON e.id = experiment_id WHERE name = 'bohb'
        AND json_extract(ask_basis, '\$.halts') > 0")" -gt 0 ] || complain "no point of bohb was asked for after a pause"

    # A clone with its parent's own values goes the way of its parent, bit for bit: it starts from that checkpoint.
    write_trainer pbt val_loss "{algorithmName: pbt, algorithmSettings: [{name: n_population, value: 4},
    {name: interval, value: 3}, {name: truncation_threshold, value: 0.5}, {name: factor_up, value: 1},
    {name: factor_down, value: 1}]}" >pbt.yaml
    run_whole pbt val_loss
    same="FROM trials t JOIN experiments e ON e.id = t.experiment_id AND e.name = 'pbt'
        JOIN trials p ON p.experiment_id = e.id AND p.number = t.parent
        JOIN metric a ON a.trial_id = t.id AND a.name = 'val_loss'
        JOIN metric b ON b.trial_id = p.id AND b.name = 'val_loss' AND b.step = a.step"
    [ "$(sql "SELECT count(*) $same")" -gt 0 ] || complain "no parent went on beside its clone"
    expect_sql "0" "SELECT count(*) $same AND a.value <> b.value"
    [ -z "$(find "$KATYDID_DB.d/pbt" -name 'rung-*' -o -name parent)" ] || complain "pinned checkpoints are left"
    expect_exit 0 katydid trials pbt
    expect_in out '^trial .* until  parent  seconds'

    # The same, with clones whose values are perturbed.
    expect_exit 0 katydid run pbt.yaml --name pbt-2 'algorithm.algorithmSettings=[{name: n_population, value: 4}, {name: interval, value: 3}]'
    expect_whole pbt-2 val_loss
    expect_sql "0" "SELECT count(*) FROM trials t JOIN experiments e ON e.id = t.experiment_id AND e.name = 'pbt-2'
        JOIN params a ON a.trial_id = t.id JOIN params b ON b.trial_id = e.id * 1000000000 + t.parent
        WHERE abs(a.value / b.value - 0.8) > 1e-6 AND abs(a.value / b.value - 1.2) > 1e-6
        AND a.value NOT IN (0.001, 0.03)"
fi

# ---- a command

# It writes down who trained each step, goes on from that, and ends at its budget; while the file `slow` is there it waits
# at step 9 until it is asked to end.
cat >count.sh <<'SH2'
f=$KATYDID_CHECKPOINT_DIR/steps
[ -e "$f" ] || : >"$f"
i=$(grep -c . "$f")
while [ "$i" -lt "$KATYDID_BUDGET" ]; do
    while [ -e slow ] && [ "$i" = 8 ]; do sleep 0.05; done
    i=$((i + 1))
    echo "epoch=$i loss=$1"
    echo "$KATYDID_TRIAL" >>"$f"
done
SH2

write_command() {
    write_head "$1" loss "$2" '  fidelity: {max: 9}'
    cat <<'YAML'
  trialTemplate:
    command: [sh, count.sh, "${x}"]
    checkpoint: {dir: "${trialDir}/checkpoint", resumable: true}
YAML
}

# Ctrl-C while some stand paused and one is on its way to its end.
a_trial_waits_at_its_end() {
    [ "$(sqlite3 "file:$KATYDID_DB?mode=ro" "SELECT count(*) FROM attempts a JOIN trials t ON t.id = a.trial_id
        WHERE a.state = 'live' AND t.until IS NULL AND EXISTS(SELECT 1 FROM metrics WHERE trial_id = t.id AND step = 8
        AND name = 'loss')" 2>/dev/null)" != 0 ]
}
run_and_stop() {
    local rc
    katydid run "$1.yaml" >run.out 2>run.err </dev/null &
    run=$!
    wait_until 30 "a promoted trial waits at its end" a_trial_waits_at_its_end
    kill -INT $run
    wait $run
    rc=$?
    [ $rc = 130 ] || complain "exit code $rc after Ctrl-C, expected 130: $(cat run.err)"
    # They have reported: there is something to show for it, though none may be over.
    expect_in run.out '^best( so far)?: trial [0-9]+, loss = '
    expect_exit 0 katydid best "$1"
    expect_in out "^$1, trial [0-9]+( so far)?: loss = "
}
write_command drained '{algorithmName: asha}' >drained.yaml
touch slow
run_and_stop drained
[ "$(sql "SELECT count(*) FROM trials WHERE state = 'Paused'")" -gt 1 ] || complain "nothing stands paused"
expect_exit 0 katydid show drained
expect_in out 'Trials .* Paused'
expect_sound drained
rm slow
expect_exit 0 katydid run drained.yaml
expect_whole drained loss

# A clone finds a copy of its parent's checkpoint, and the parent goes on with its own.
write_command copied '{algorithmName: pbt, algorithmSettings: [{name: n_population, value: 4},
    {name: interval, value: 3}, {name: truncation_threshold, value: 0.5}]}' >copied.yaml
touch slow
run_and_stop copied
# What a crash between a pause and its pin leaves is made good by the next run.
paused_pins() {
    sql "SELECT '$KATYDID_DB.d/copied/' || t.number || '/rung-' || t.until FROM trials t JOIN experiments e
        ON e.id = experiment_id WHERE e.name = 'copied' AND t.state = 'Paused'"
}
[ -n "$(paused_pins)" ] || complain "nothing stands paused"
rm -rf "$KATYDID_DB.d"/copied/*/rung-*
run_and_stop copied
for pin in $(paused_pins); do
    [ -s "$pin/steps" ] || complain "$pin was not made again"
done
rm slow
expect_exit 0 katydid run copied.yaml
expect_whole copied loss
n_clones=0
while IFS='|' read -r trial parent rung; do
    n_clones=$((n_clones + 1))
    steps=$KATYDID_DB.d/copied/$trial/checkpoint/steps
    [ "$(head -n "$rung" "$steps")" = "$(head -n "$rung" "$KATYDID_DB.d/copied/$parent/checkpoint/steps")" ] ||
        complain "clone $trial did not start from what trial $parent had at step $rung: $(tr '\n' ' ' <"$steps")"
    tail -n "+$((rung + 1))" "$steps" | grep -vqx "$trial" && complain "trial $trial has steps of another: $steps"
    grep -qx "$trial" "$KATYDID_DB.d/copied/$parent/checkpoint/steps" && complain "trial $trial wrote into that of $parent"
done < <(sql "SELECT json_extract(data, '\$.trial'), json_extract(data, '\$.parent'), json_extract(data, '\$.step')
    FROM events e JOIN experiments x ON x.id = e.experiment_id WHERE kind = 'do.clone' AND name = 'copied'")
[ $n_clones -gt 0 ] || complain "nothing was cloned"

# A program that knows nothing of its budget is ended at its rungs.
cat >deaf.sh <<'SH2'
f=$KATYDID_CHECKPOINT_DIR/step
i=$(cat "$f" 2>/dev/null || echo 0)
while :; do
    i=$((i + 1))
    echo "epoch=$i loss=$1"
    echo $i >"$f"
    sleep 0.02
done
SH2
sed 's/count.sh/deaf.sh/; s/drained/deaf/; s/maxTrialCount: 16/maxTrialCount: 6/' drained.yaml >deaf.yaml
expect_exit 0 katydid run deaf.yaml
expect_sql "6|1" "SELECT count(*), sum(t.state = 'Succeeded') FROM trials t JOIN experiments e ON e.id = experiment_id
    WHERE name = 'deaf'"
expect_sound deaf

# One that cannot go on is refused, with what to do.
expect_exit 2 katydid run drained.yaml --name refused '~trialTemplate.checkpoint'
expect_in err 'pauses trials' 'KATYDID_CHECKPOINT_DIR' 'resumable: true' 'type: stopping'
expect_exit 0 katydid try drained.yaml x=0.01
expect_in err 'Succeeded'
expect_nothing_left
