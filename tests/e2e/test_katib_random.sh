#!/usr/bin/env bash
# Katib's random.yaml runs unchanged: its container's image is mapped to a folder with a stand-in program, and the result
# is what Katib's own conformance check asks for.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

spec=$KATYDID_SOURCE/../shared/katib-examples/random.yaml
[ -f "$spec" ] || spec=$KATYDID_SOURCE/tests/cases/katib/random.yaml
image=ghcr.io/kubeflow/katib/pytorch-mnist-cpu:latest
mkdir -p image/opt/pytorch-mnist
cp "$KATYDID_SOURCE/tests/e2e/standin/mnist.py" image/opt/pytorch-mnist/

# Without a map there is nothing to run, and it says what to add.
expect_exit 2 katydid run "$spec"
expect_in err 'image-map' 'pytorch-mnist-cpu'

# A folder is meant from here, wherever a trial runs, and must be there.
expect_exit 2 katydid run "$spec" --image-map "$image=no-such-folder"
expect_in err 'no-such-folder' 'no such file'
expect_exit 2 katydid run "$spec" --image-map "$image=/dev/null"
expect_in err '/dev/null is not a folder'
(cd image && expect_exit 0 katydid run "$spec" --image-map "$image=.") || exit 1
expect_sql "Succeeded" "SELECT state FROM experiments WHERE name = 'random'"
expect_sql "12" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
expect_sql "0" "SELECT count(*) FROM trials WHERE objective IS NULL"
expect_sql "1" "SELECT max(running) <= 3 FROM (SELECT (SELECT count(*) FROM trials b WHERE b.started_at <= a.started_at
    AND b.finished_at > a.started_at) AS running FROM trials a)"
expect_sql "0" "SELECT count(*) FROM params WHERE (name = 'lr' AND value NOT BETWEEN 0.01 AND 0.05)
    OR (name = 'momentum' AND value NOT BETWEEN 0.5 AND 0.9)"
# Only the objective counts; the image prints accuracy too.
expect_sql "loss" "SELECT DISTINCT name FROM metrics"
expect_sound random
expect_nothing_left
