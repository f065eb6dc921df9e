#!/usr/bin/env bash
# tests/gpu.sh, on the sim and with stand-ins of NVIDIA's programs: it says what is right and what is not, keeps what it knows, ends what
# hangs with all that it started, and keeps its time.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=${KATYDID_BIN%/}/..
[ -e "$build/tests/libkatydid_cuda_sim.so" ] || skip "this build has no sim (no trainer or no C++ compiler)"
gpu() { # CODE ARGUMENT...
    expect_exit "$1" "$KATYDID_SOURCE/tests/gpu.sh" --sim --built "$build" --results "${@:2}"
}

# What is asked for is done, in gpu.sh's order, and is in the table.
gpu 0 good 'losses_mlp' doctor killed_rank search
expect_in good/gpu.md '^\| doctor \|.*\| ok \|' '^\| losses_mlp \|.*\| ok \|' '^\| search \|.*\| ok \|' '^\| killed_rank \|.*\| ok \|' \
    '^gpu.sh: 4 passed, 0 failed, 0 skipped'
expect_in good/checks.log '^==== losses_mlp \(0\)' 'val_loss='
expect_in good/doctor.md '^cuda plugin +ok'
[ ! -e good/failures.log ] || complain "nothing failed: $(cat good/failures.log)"

# What fails is told with its words, and does not keep the others from their turn.
KATYDID_SIM_FAIL=cudaGraphLaunch:1 gpu 1 bad losses_mlp memcheck_gpt killed_rank
expect_in bad/gpu.md '^\| losses_mlp \|.*\| FAILED \([0-9]+\) \|' '^\| memcheck_gpt \|.*\| ok \|' \
    '^\| killed_rank \|.*\| FAILED \([0-9]+\) \|' '1 passed, 2 failed'
expect_in bad/failures.log '^==== losses_mlp' 'cudaGraphLaunch.* failed'

# What hangs is ended, whatever it has started; what has no time left is named.
STANDIN_HANGS=1 gpu 1 late --budget 12 memcheck_mlp memcheck_cnn
expect_in late/gpu.md '^\| memcheck_mlp \|.*\| FAILED \(124\) \|' '^\| memcheck_cnn \|.*\| left out: the time is over' '1 left out'
expect_in late/failures.log 'not done within its time'
expect_no_process_left

# Nothing may stay, also of what ended well.
STANDIN_LEAVES=1 gpu 1 left memcheck_mlp
expect_in left/gpu.md '^\| memcheck_mlp \|.*\| FAILED \(125\) \|'
expect_in left/failures.log 'left behind: sleep'
expect_no_process_left

# A figure is in the table, and that it could not be had.
gpu 0 figure step_fp32
expect_in figure/gpu.md '^## step_fp32' '^mlp-small .*%$'
KATYDID_SIM_FAIL=cudaMalloc:1 gpu 1 figure step_fp32
expect_in figure/gpu.md '^step_fp32: FAILED'

# Words that choose nothing, and a list of those that do.
gpu 2 nothing losses
expect_in err 'losses is no part; tests/gpu.sh --list names them'
gpu 0 nothing --list
expect_in out '^ops +checks ' '^against +times '
[ ! -e nothing ] || complain "a list needs no results"
expect_nothing_left
