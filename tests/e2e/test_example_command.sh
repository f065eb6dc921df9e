#!/usr/bin/env bash
# A user's own programs, unchanged: one in Python and one in C, tuned by a spec, and the Python one by a command line.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cp "$KATYDID_SOURCE"/examples/command/* .
cc=$(command -v cc || command -v gcc || command -v clang) || skip "no C compiler"

# Python and a spec: every line that a trial prints is in the table, with its epoch as the step.
expect_exit 0 katydid run experiment-python.yaml
expect_sql "20|0|19" "SELECT count(*), min(number), max(number) FROM trials"
expect_sql "20" "SELECT count(*) FROM trials WHERE state = 'Succeeded' AND exit_code = 0"
expect_sql "600" "SELECT count(*) FROM metric"
expect_sql "1|15" "SELECT min(step), max(step) FROM metric"
expect_sql "1" "SELECT max(objective) >= 0.95 FROM trials"
expect_exit 0 katydid logs moons 0
expect_in out '^epoch=15 loss=[0-9.]+ accuracy=[0-9.]+$'
# What it was told is what the table says: the program gives the same numbers again by hand.
expect_exit 0 katydid best moons --format args
read -r -a best <out
expect_exit 0 python3 train.py --epochs=15 "${best[@]}"
accuracy=$(sql "SELECT max(objective) FROM trials")
printf '%.4f\n' "$accuracy" >wanted
expect_in out "accuracy=$(cat wanted)"

# C and a spec.
"$cc" -O2 -o train-c train.c -lm || fail "train.c does not compile"
expect_exit 0 katydid run experiment-c.yaml
expect_sql "30" "SELECT count(*) FROM trials JOIN experiments e ON e.id = experiment_id WHERE e.name = 'sine'
    AND trials.state IN ('Succeeded', 'EarlyStopped')"
expect_sql "1" "SELECT min(objective) < 0.01 FROM trials JOIN experiments e ON e.id = experiment_id
    WHERE e.name = 'sine' AND objective IS NOT NULL"
expect_sql "2000" "SELECT max(step) FROM metric m JOIN trials t ON t.id = m.trial_id
    JOIN experiments e ON e.id = t.experiment_id WHERE e.name = 'sine'"

# No YAML.
sweep=(--maximize accuracy --name words --trials 6 'lr=tag(log,interval(1e-4,1))' 'momentum=0,0.5,0.9')
# shellcheck disable=SC2016  # ${args} is katydid's, not the shell's
program=(-- python3 train.py --epochs=5 '${args}')
expect_exit 0 katydid run --print-spec "${sweep[@]}" "${program[@]}"
expect_in out 'objectiveMetricName: *"?accuracy' 'logUniform' 'train\.py'
cp out printed.yaml
expect_exit 0 katydid validate printed.yaml
expect_exit 0 katydid run "${sweep[@]}" "${program[@]}"
expect_sql "6" "SELECT count(*) FROM trials t JOIN experiments e ON e.id = experiment_id
    WHERE e.name = 'words' AND t.state = 'Succeeded'"

for name in moons sine words; do
    expect_sound $name
done
expect_nothing_left
