#!/usr/bin/env bash
# The main example from end to end: 40 trials of the built-in trainer, two at a time, reach 0.97 on held-out digits;
# what is stored agrees with itself; running it again changes nothing; nothing is left behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE"/examples/digits/digits.{yaml,csv} .
expect_exit 0 katydid validate digits.yaml
KATYDID_TEST_DEADLINE=280 expect_exit 0 katydid run digits.yaml

expect_sql "40|0|39" "SELECT count(*), min(number), max(number) FROM trials"
expect_sql "0" "SELECT count(*) FROM trials WHERE state NOT IN ('Succeeded', 'EarlyStopped')"
expect_sql "Succeeded" "SELECT state FROM experiments WHERE name = 'digits'"
expect_sql "1" "SELECT max(objective) >= 0.97 FROM trials"
expect_sql "240" "SELECT count(*) FROM params"
# A gang is warm: far fewer processes than trials.
expect_sql "1" "SELECT count(*) <= 4 FROM gangs"
# The objective is the best point of the trial's curve, as stored.
expect_sql "0" "SELECT count(*) FROM trials t WHERE state = 'Succeeded' AND objective <> (SELECT max(value) FROM metric m
    WHERE m.trial_id = t.id AND m.name = 'val_accuracy')"
expect_sql "0" "SELECT count(*) FROM trials t WHERE state = 'Succeeded' AND (SELECT count(*) FROM metric m
    WHERE m.trial_id = t.id AND m.name = 'val_accuracy') <> 15"

expect_exit 0 katydid best
expect_in out 'val_accuracy' 'lr' 'units'
expect_exit 0 katydid trials --json
python3 -c 'import json; d = json.load(open("out")); assert d["schema"] == 1, d' || complain "trials --json"

before=$(sql "SELECT count(*), max(seq) FROM events WHERE kind = 'suggested'")
expect_exit 0 katydid run digits.yaml
expect_sql "$before" "SELECT count(*), max(seq) FROM events WHERE kind = 'suggested'"
expect_sql "40" "SELECT count(*) FROM trials"
expect_sound digits
expect_nothing_left
