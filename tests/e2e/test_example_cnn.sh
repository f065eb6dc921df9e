#!/usr/bin/env bash
# The CNN example from end to end, in a short form: made-up pictures in CIFAR-10's files, a few trials of a small residual network, and
# one configuration that learns the pictures.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE"/examples/cnn/{cnn,train}.yaml "$KATYDID_SOURCE/examples/cnn/standin.py" .
expect_exit 2 katydid validate cnn.yaml
expect_in err 'cifar-10-batches-bin'
expect_exit 0 python3 standin.py data/cifar-10-batches-bin 1500 100
expect_exit 0 katydid validate cnn.yaml

short=(parameters.width.list='[8]' parameters.depth.list='[8]' trialTemplate.trainer.epochs=1 maxTrialCount=3)
KATYDID_TEST_DEADLINE=200 expect_exit 0 katydid run cnn.yaml "${short[@]}"
expect_sql "3" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
expect_sql "3" "SELECT count(DISTINCT trial_id) FROM metrics WHERE name = 'val_top5'"
expect_sound cnn

expect_exit 0 katydid-trainer train.yaml model.resnet.width=8 epochs=6
expect_in out 'epoch=6 '
accuracy=$(sed -n 's/.* val_accuracy=\([0-9.]*\).*/\1/p' out | tail -n 1)
awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.5) }' || complain "val_accuracy is $accuracy after 6 epochs, 0.5 was wanted"
expect_exit 0 mpirun --oversubscribe -np 2 katydid-trainer train.yaml model.resnet.width=4 epochs=1
expect_in out 'epoch=1 ' 'val_accuracy='
expect_nothing_left
