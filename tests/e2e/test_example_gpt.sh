#!/usr/bin/env bash
# The GPT example from end to end, in a short form: trials are promoted from rung to rung; one configuration on two ranks goes on
# from its checkpoint and learns more than how often each character is.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE"/examples/gpt/{gpt,train}.yaml "$KATYDID_SOURCE/examples/gpt/text.sh" .
expect_exit 2 katydid validate gpt.yaml
expect_in err 'input.txt'
# A text of our own, the same everywhere: words that follow each other by a rule.
awk 'BEGIN { split("the cat sat on a mat and saw one rat run by", w, " "); s = 1
    for (i = 0; i < 9000; i++) { s = (s * 75 + 74) % 65537; printf "%s%s", w[1 + s % 12], i % 9 == 8 ? ".\n" : " " } }' >book.txt
expect_exit 0 ./text.sh book.txt
expect_in out 'different characters'

short=(parameters.width.list='[32]' parameters.layers.max=2 fidelity.max=90 trialTemplate.trainer.steps=90
    trialTemplate.trainer.report.every=10 'earlyStopping.algorithmSettings=[{name: min_resource, value: "10"}]' maxTrialCount=6)
expect_exit 0 katydid validate gpt.yaml "${short[@]}"
KATYDID_TEST_DEADLINE=200 expect_exit 0 katydid run gpt.yaml "${short[@]}"
expect_sql "6" "SELECT count(*) FROM trials"
expect_sql "0" "SELECT count(*) FROM trials WHERE state NOT IN ('Succeeded', 'EarlyStopped')"
expect_sql "1" "SELECT count(*) >= 1 FROM trials WHERE state = 'Succeeded'"
expect_sql "1" "SELECT min(objective) < 2.6 FROM trials"
expect_sound gpt

small=(model.gpt.layers=1 model.gpt.width=32 steps=60 report.every=20 checkpoint.every=0)
expect_exit 0 mpirun --oversubscribe -np 2 katydid-trainer train.yaml "${small[@]}" --until 40 --checkpoint-dir c
expect_in out 'step=40 ' 'val_perplexity='
expect_exit 0 mpirun --oversubscribe -np 2 katydid-trainer train.yaml "${small[@]}" --checkpoint-dir c
expect_in out 'step=60 '
expect_nothing_left
