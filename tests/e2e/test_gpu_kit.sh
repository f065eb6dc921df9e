#!/usr/bin/env bash
# tests/gpu_kit.sh: its folder is whole, works from wherever it lies, and takes nothing from this machine but libc.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=${KATYDID_BIN%/}/..
[ -e "$build/lib/libkatydid_cuda.so" ] || skip "this build has no CUDA plugin"
command -v patchelf >/dev/null || skip "no patchelf"

mkdir theirs && touch theirs/file
expect_exit 1 "$KATYDID_SOURCE/tests/gpu_kit.sh" --build "$build" theirs
expect_in err 'theirs is there, and is no kit: name another folder'
[ -e theirs/file ] || complain "somebody's folder was emptied"

expect_exit 0 "$KATYDID_SOURCE/tests/gpu_kit.sh" --build "$build" kit
rm -rf kit && mkdir elsewhere && tar -C elsewhere -xzf kit.tar.gz
kit=$work/elsewhere/kit
bare() {
    expect_exit 0 env -i PATH="$kit/bin:/usr/bin:/bin" TMPDIR="$TMPDIR" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$@"
}

bare katydid doctor
expect_in out "^cuda plugin +ok +$kit/lib/libkatydid_cuda.so" "^katydid-trainer +ok +$kit/bin/katydid-trainer" '^mpirun +ok +.*Open MPI'

# Libraries and Open MPI's plugins are the kit's.
# shellcheck source=tests/cuda/models.sh
. "$kit/tests/cuda/models.sh"
bare LD_DEBUG=files LD_DEBUG_OUTPUT="$work/opened" mpirun -np 2 --oversubscribe --bind-to none katydid-trainer mlp.yaml +device=cpu
[ "$(grep -c '^epoch=' out)" = 3 ] || complain "not three epochs: $(cat out)"
grep -lE 'initialize program: (mpirun|katydid-trainer)$' opened.* >programs
[ "$(wc -l <programs)" = 3 ] || complain "not mpirun and two ranks: $(cat programs)"
# libtinfo is that of the bash which was mpirun before; PMIx cannot be kept from looking for its plugins here.
foreign=$(xargs grep -h 'calling init: ' <programs | sed 's/.*calling init: //' | grep -v "^$kit/" |
    grep -vE '/(pmix_mca_[^/]*|ld-linux[^/]*|lib(c|m|dl|rt|pthread|util|resolv|tinfo))\.so[^/]*$' | sort -u)
[ -z "$foreign" ] || complain "not the kit's: $foreign"

# It rehearses itself.
bare "$kit/tests/gpu.sh" --sim --results results doctor staged
expect_in results/gpu.md '^\| doctor \|.*\| ok \|' '^\| staged \|.*\| ok \|'
expect_nothing_left
