#!/usr/bin/env bash
# The GPT example from end to end, in a short form: trials are promoted from rung to rung; one configuration learns more than pairs of
# characters tell, the same on two ranks, and the same when it is ended on the way and goes on.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE"/examples/gpt/{gpt,train}.yaml "$KATYDID_SOURCE/examples/gpt/text.sh" .
# Without a text the message shows the line that says how to come by one.
expect_exit 2 katydid validate gpt.yaml
expect_in err 'input.txt: No such file' 'text.sh writes it'
expect_exit 2 katydid-trainer train.yaml
expect_in err "$work/input.txt: No such file" 'text.sh writes it'
expect_exit 2 katydid run train.yaml
expect_in err 'train it with katydid-trainer'
# A text of our own, the same everywhere: twelve words at random. Its loss is 2.53 by how often each character is, 0.98 by the one
# before it, 0.75 by the three before it.
awk 'BEGIN { split("the cat sat on a mat and saw one rat run by", w, " "); s = 1
    for (i = 0; i < 9000; i++) { s = (s * 75 + 74) % 65537; printf "%s%s", w[1 + s % 12], i % 9 == 8 ? ".\n" : " " } }' >book.txt
expect_exit 0 ./text.sh book.txt
expect_exit 1 ./text.sh nowhere.txt
cmp -s book.txt input.txt || complain "input.txt is not the text that was given"

short=(parameters.width.list='[32]' parameters.layers.max=2 fidelity.max=90 trialTemplate.trainer.steps=90
    trialTemplate.trainer.report.every=10 'earlyStopping.algorithmSettings=[{name: min_resource, value: "10"}]' maxTrialCount=6)
expect_exit 0 katydid validate gpt.yaml "${short[@]}"
KATYDID_TEST_DEADLINE=200 expect_exit 0 katydid run gpt.yaml "${short[@]}"
expect_sql "6" "SELECT count(*) FROM trials"
expect_sql "0" "SELECT count(*) FROM trials WHERE state NOT IN ('Succeeded', 'EarlyStopped')"
expect_sql "1" "SELECT count(*) >= 1 FROM trials WHERE state = 'Succeeded'"
expect_sql "1" "SELECT min(objective) < 1.3 FROM trials"
expect_sound gpt
expect_exit 0 katydid best
expect_in out 'val_loss' 'warmup' 'rotary'

# What the last report says, without what depends on the clock.
last_report() {
    tail -n 1 out | sed 's/ epoch_time=.*//'
}

small=(model.gpt.layers=1 model.gpt.width=32 model.gpt.dropout=0 optimizer.lr=0.01 steps=200 report.every=100 checkpoint.every=0)
expect_exit 0 katydid-trainer train.yaml "${small[@]}"
whole=$(last_report)
loss=$(sed -n 's/^step=200 .* val_loss=\([0-9.]*\) .*/\1/p' out)
awk -v l="$loss" 'BEGIN { exit !(l > 0.5 && l < 0.9) }' || complain "val_loss is '$loss' after 200 steps, below 0.9 was wanted"
expect_exit 0 katydid-trainer train.yaml "${small[@]}" --until 100 --checkpoint-dir c
expect_exit 0 katydid-trainer train.yaml "${small[@]}" --checkpoint-dir c
[ "$(last_report)" = "$whole" ] || complain "gone on from step 100: '$(last_report)', in one go: '$whole'"
expect_exit 0 mpirun --oversubscribe -np 2 katydid-trainer train.yaml "${small[@]}"
two=$(sed -n 's/^step=200 .* val_loss=\([0-9.]*\) .*/\1/p' out)
awk -v a="$loss" -v b="$two" 'BEGIN { exit !(a - b < 0.02 && b - a < 0.02) }' || complain "val_loss on one rank: $loss, on two: $two"
expect_nothing_left
