#!/usr/bin/env bash
# The CNN example from end to end, in a short form: made-up pictures in CIFAR-10's files, a few trials of a small residual network, and
# one configuration that learns the pictures; two ranks make the same steps.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE"/examples/cnn/{cnn,train}.yaml "$KATYDID_SOURCE/examples/cnn/standin.py" .
# Without pictures the message shows the line that says how to come by them.
expect_exit 2 katydid validate cnn.yaml
expect_in err 'cifar-10-batches-bin: No such file' 'standin.py makes it'
expect_exit 0 ./standin.py -n 1500 -t 200
[ "$(stat -c %s data/cifar-10-batches-bin/data_batch_5.bin)" = $((300 * 3073)) ] || complain "the size of data_batch_5.bin"
mkdir real
truncate -s $((10000 * 3073)) real/test_batch.bin
expect_exit 2 ./standin.py real
expect_in err "of the real set's size"

expect_exit 0 katydid validate cnn.yaml
short=(parameters.width.list='[8]' parameters.depth.list='[8]' trialTemplate.trainer.epochs=1 maxTrialCount=3)
KATYDID_TEST_DEADLINE=200 expect_exit 0 katydid run cnn.yaml "${short[@]}"
expect_sql "3" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
expect_sql "3" "SELECT count(DISTINCT trial_id) FROM metrics WHERE name = 'val_top5'"
expect_sound cnn

# Seen with three seeds: 0.88 to 0.915.
expect_exit 0 katydid-trainer train.yaml model.resnet.width=8 epochs=6 batchSize=16
accuracy=$(sed -n 's/^epoch=6 .* val_accuracy=\([0-9.]*\) .*/\1/p' out)
awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.75) }' || complain "val_accuracy is '$accuracy' after 6 epochs, 0.75 was wanted"

# Rounding grows from step to step in such a network: the first three are compared.
few=(model.resnet.width=8 '~epochs' +steps=3 report.every=1)
expect_exit 0 katydid-trainer train.yaml "${few[@]}"
sed -n 's/.*val_loss=\([0-9.]*\).*/\1/p' out >one
expect_exit 0 mpirun --oversubscribe -np 2 katydid-trainer train.yaml "${few[@]}"
sed -n 's/.*val_loss=\([0-9.]*\).*/\1/p' out >two
paste one two | awk '{ d = $1 - $2; if ($1 > 0 && d < 1e-3 && d > -1e-3) n++ } END { exit n != 3 }' ||
    complain "losses on one rank: $(paste -s one), on two: $(paste -s two)"
expect_nothing_left
