#!/usr/bin/env bash
# test_bits.sh - do the strategies propose the same points whatever built and runs them?
#
# Builds search/ and bits.c with each compiler that is installed, at -O0 and -O3, runs each program, the optimised ones
# also with the C library's FMA and AVX2 variants masked, and compares what they print: one line per strategy and space.
# A strategy that is added to strategies.def is compared from then on.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
launcher=$(command -v ccache || true)
masked=glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4,-FMA4_Usable,-AVX512F

cd "$root"
sources=$(printf '%s\n' search/*.c search/*/*.c coordinator/base/*.c tests/search/bits.c)

# build COMPILER LEVEL: $work/COMPILER$LEVEL
build() {
    mkdir -p "$work/$1$2.o"
    # shellcheck disable=SC2016  # the inner shell expands these
    printf '%s\n' "$sources" | xargs -P "$(nproc)" -I{} sh -c \
        '$0 -std=c11 -D_GNU_SOURCE -DKATYDID_VERSION=\"bits\" -ffp-contract=off "$1" -I. -c "$3" -o "$2/$(echo "$3" | tr / _).o"' \
        "$launcher $1" "$2" "$work/$1$2.o" {}
    "$1" -o "$work/$1$2" "$work/$1$2.o"/*.o -lm -pthread
}

compared=0
for compiler in gcc clang cc; do
    command -v $compiler >/dev/null || continue
    [ $compiler = cc ] && [ $compared -gt 0 ] && continue
    for level in -O0 -O3; do
        build $compiler $level
        "$work/$compiler$level" >"$work/plain"
        [ $compared -gt 0 ] || cp "$work/plain" "$work/first"
        GLIBC_TUNABLES=$masked "$work/$compiler$level" >"$work/masked"
        for run in plain masked; do
            if ! diff "$work/first" "$work/$run"; then
                echo "$compiler $level ($run): other points (>) than the first build (<)"
                exit 1
            fi
        done
        compared=$((compared + 1))
    done
done
[ $compared -gt 0 ] || { echo "no C compiler to compare with"; exit 77; }
[ -s "$work/first" ] || { echo "bits.c printed nothing"; exit 1; }
echo "$compared builds agree on $(wc -l <"$work/first") runs"
