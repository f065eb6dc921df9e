#!/usr/bin/env bash
# What goes aside in a step (trainer/models/plan_aside.h), on the sim: however late or early a graph's branches are done, training gives the
# same as with every call done at once, and a step's longest chain is shorter than its calls are many.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

plugin=${KATYDID_BIN%/}/../tests/libkatydid_cuda_sim.so
[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
[ -e "$plugin" ] || skip "this build has no sim (no C++ compiler)"
export KATYDID_SIM_GUARD=1 KATYDID_CUDA_PLUGIN=$plugin

# shellcheck source=tests/cuda/models.sh
. "$KATYDID_SOURCE/tests/cuda/models.sh"

# MODEL in JSON, DATA, OPTIMIZER
model() {
    printf '{"data": {"format": "synthetic", "samples": 96, "split": {"val": 0}, %s}, "model": %s,
        "optimizer": {"name": "%s", "lr": 0.05}, "batchSize": 16, "epochs": 3}\n' "$2" "$1" "$3"
}
features='"kind": "features", "shape": [6], "classes": 3'
tokens='"kind": "tokens", "shape": [6], "classes": 8'
linear='{"linear": {"units": 8}}'
# Blocks so short that a gradient is added up where a call aside still reads it.
model "[$linear, {\"residual\": {\"layers\": [$linear]}}, \"tanh\", {\"residual\": {\"layers\": [$linear, \"relu\", $linear]}},
    {\"residual\": {\"layers\": [\"relu\", $linear]}}, {\"linear\": {\"units\": 3}}]" "$features" lamb >blocks.json
model "[{\"embedding\": {\"size\": 8}}, {\"residual\": {\"layers\": [\"positions\", $linear]}}, $linear]" "$tokens" sgd >positions.json
# Two layers give one gradient.
model '[{"embedding": {"size": 8}}, "tiedHead"]' "$tokens" adamw >tied.json
model '[{"linear": {"units": 12}}, "relu", {"linear": {"units": 3}}]' "$features" sgd >mlp.json

for spec in mlp.yaml cnn.yaml gpt.yaml blocks.json positions.json tied.json mlp.json; do
    KATYDID_CUDA_GRAPH=0 KATYDID_SIM_STREAMS=eager expect_exit 0 katydid-trainer "$spec" +device=cuda
    cp out in_order
    for order in late early; do
        KATYDID_SIM_GRAPH=$order expect_exit 0 katydid-trainer "$spec" +device=cuda
        same_lines in_order out || complain "$spec, branches $order: $(diff in_order out)"
    done
done

# Three calls of two layers' gradients, the zeroing and the look are beside the others.
KATYDID_SIM_COUNTS=counts expect_exit 0 katydid-trainer mlp.json +device=cuda
count() { awk -v name="$1" '$1 == name { print $2 }' counts.*; }
[ "$(count longest_chain_of_a_graph)" -le $(($(count nodes_of_a_graph) - 5)) ] || complain "a chain too long: $(cat counts.*)"
expect_nothing_left
