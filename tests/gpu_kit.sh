#!/usr/bin/env bash
# gpu_kit.sh - a folder that holds all of katydid and of its tests for GPUs, for a machine where nothing may be installed or built.
#
#   tests/gpu_kit.sh [--architectures "90;100"] [--build FOLDER] KIT
#
# Makes the folder KIT and KIT.tar.gz, here, where nvcc, patchelf and the packages of the README are. There it needs an x86-64 Linux
# with this machine's glibc or a newer one, bash, awk, grep and sed, and may lie anywhere: KIT/tests/gpu.sh checks and times the GPU,
# KIT/bin/katydid is katydid.
#
# --architectures  of GPUs (90); the last one also as PTX, for newer ones
# --build FOLDER   takes the programs from this build, which has the CUDA plugin, instead of building into KIT.build
#
# Every program and library finds the others from where it lies itself (DT_RPATH with $ORIGIN), so no LD_LIBRARY_PATH is set, under which
# PyTorch would get libraries of this machine. libc's are those of the machine there. Open MPI's are in mpi/; bin/mpirun tells it so.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
architectures=90
build=
kit=
# shellcheck source=tests/packages.sh
. "$source_dir/tests/packages.sh"

programs=(bin/katydid bin/katydid-supervisor bin/katydid-exec bin/katydid-trainer bin/katydid-bench tests/test_ops_cuda)
# For a rehearsal without a GPU: gpu.sh --sim.
sim_programs=(tests/test_ops_sim tests/libkatydid_cuda_sim.so tests/libnccl_standin.so tests/liblt_standin.so tests/libnvml_standin.so)
scripts=(tests/gpu.sh tests/guarded.sh tests/gpu_checks.sh tests/cuda/models.sh tests/cuda/standin tests/bench/bench.py tests/bench/bench_gpu.py tests/bench/peer_gpu.py
    examples README.md LICENSE)
# Of Open MPI what is for networks between hosts and for OpenSHMEM is left out, with the libraries that it would need.
not_here='libuc[pst]|libfabric|libpsm|libibverbs|librdmacm|liboshmem'
libc='/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|util|resolv|mvec|anl|nsl))\.so[^/]*$'

fail() {
    echo "gpu_kit.sh: $*" >&2
    exit 1
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --architectures | --build)
            [ $# -gt 1 ] || fail "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift
            ;;
        -*) fail "$1 is no option; there are --architectures and --build" ;;
        *) [ -z "$kit" ] || fail "one folder, not two: $kit and $1" && kit=$1 ;;
        esac
        shift
    done
    [ -n "$kit" ] || fail "which folder is the kit to be? tests/gpu_kit.sh FOLDER"
    # A kit is made anew, any other folder is somebody's.
    if [ -e "$kit" ] && [ ! -f "$kit/version" ]; then fail "$kit is there, and is no kit: name another folder"; fi
}

build_all() {
    local generator=()
    build=$kit.build
    command -v ninja >/dev/null && generator=(-G Ninja)
    [ ! -f "$build/CMakeCache.txt" ] || generator=()
    cmake -S "$source_dir" -B "$build" "${generator[@]}" -DKATYDID_CUDA=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DKATYDID_CUDA_ARCHITECTURES="$architectures"
    cmake --build "$build" -j "$(nproc)" --target katydid_cuda katydid_cuda_sim nccl_standin lt_standin nvml_standin \
        "${programs[@]##*/}" test_ops_sim
}

# The libraries that these files need, however deep, without libc's.
libraries_of() {
    ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | grep -vE "$libc" | sort -u
}

copy_programs() {
    local program
    mkdir -p "$kit/bin" "$kit/lib" "$kit/tests/cuda" "$kit/tests/bench"
    for program in "${programs[@]}" lib/libkatydid_cuda.so; do
        [ -e "$build/$program" ] || fail "$build has no $program: build all and bench, with -DKATYDID_CUDA=ON"
        cp "$build/$program" "$kit/$program"
    done
    for program in "${sim_programs[@]}"; do
        [ ! -e "$build/$program" ] || cp "$build/$program" "$kit/$program"
    done
}

copy_scripts() {
    local script
    for script in "${scripts[@]}"; do
        (cd "$source_dir" && find "$script" -type f ! -path '*/data/*' ! -name '*.pyc' ! -name 'input.txt*' ! -name 'katydid.db*') |
            tar -C "$source_dir" -cf - -T - | tar -C "$kit" -xf -
    done
    git -C "$source_dir" describe --always --dirty >"$kit/version" 2>/dev/null || echo "no git" >"$kit/version"
}

# mpirun, and those of its plugins that one host has a use for.
copy_mpi() {
    local plugins plugin
    plugins=$(ompi_info --path pkglibdir --parsable | sed 's/^path:pkglibdir://')
    [ -d "$plugins" ] || fail "ompi_info names no folder of plugins, but \"$plugins\": is Open MPI 4 installed (openmpi-bin)?"
    mkdir -p "$kit/mpi/bin" "$kit/mpi/plugins" "$kit/mpi/share"
    cp -L "$(command -v mpirun)" "$kit/mpi/bin/mpirun"
    cp -L "$(command -v orted)" "$kit/mpi/bin/orted"
    for plugin in "$plugins"/*.so; do
        # Not grep -q, under which ldd would die of a closed pipe.
        ldd "$plugin" | grep -E "$not_here" >/dev/null || cp -L "$plugin" "$kit/mpi/plugins"
    done
    cp "$(ompi_info --path pkgdatadir --parsable | sed 's/^path:pkgdatadir://')"/*.txt "$kit/mpi/share"
    cat >"$kit/bin/mpirun" <<'SH'
#!/usr/bin/env bash
# mpirun - the Open MPI of this folder, wherever it lies. Not by its whole path, which it would take for a prefix of its own.
kit=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
export OPAL_PREFIX=$kit/mpi OPAL_BINDIR=$kit/mpi/bin OPAL_LIBDIR=$kit/lib OPAL_PKGLIBDIR=$kit/mpi/plugins
export OPAL_PKGDATADIR=$kit/mpi/share OPAL_SYSCONFDIR=$kit/mpi/etc
# One host is started on without ssh, which mpirun otherwise wants to see even then; nor are messages to it worth compressing.
export OMPI_MCA_plm=${OMPI_MCA_plm:-isolated} PMIX_MCA_pcompress_base_silence_warning=1
# No plugins of the hwloc that is installed here, if any. PMIx looks for its own where Debian has them, whatever one says, and refuses
# those of another version.
export HWLOC_PLUGINS_PATH=$kit/mpi/none
exec -a mpirun "$kit/mpi/bin/mpirun" "$@"
SH
    chmod +x "$kit/bin/mpirun"
}

copy_libraries() {
    local library
    while read -r library; do
        cp -L "$library" "$kit/lib/"
    done < <(libraries_of "$kit"/bin/katydid* "$kit"/tests/test_ops_* "$kit"/lib/*.so "$kit"/mpi/bin/* "$kit"/mpi/plugins/*)
}

# Of a file in FOLDER/.. as many steps up as that is deep. The order matters: what patchelf wrote, strip may break.
settle() {
    local from=$1
    shift
    chmod u+w "$@"
    strip --strip-unneeded "$@"
    patchelf --force-rpath --set-rpath "\$ORIGIN/$from" "$@"
}

settle_all() {
    settle ../lib "$kit"/bin/katydid*
    find "$kit/tests" -maxdepth 1 \( -name 'test_*' -o -name '*.so' \) | while read -r file; do settle ../lib "$file"; done
    settle . "$kit"/lib/*
    settle ../../lib "$kit"/mpi/bin/* "$kit"/mpi/plugins/*
}

# Nothing may be taken from this machine but libc.
check_closed() {
    local from_here
    from_here=$(libraries_of "$kit"/bin/katydid* "$kit"/tests/test_ops_* "$kit"/lib/* "$kit"/mpi/bin/* "$kit"/mpi/plugins/* |
        grep -vF "$kit/" || true)
    [ -z "$from_here" ] || fail "these would be missed elsewhere:"$'\n'"$from_here"
}

pack() {
    tar -C "$(dirname "$kit")" -czf "$kit.tar.gz" "$(basename "$kit")"
    echo "gpu_kit.sh: $kit.tar.gz, $(du -k "$kit.tar.gz" | cut -f1) KiB (unpacked $(du -sm "$kit" | cut -f1) MiB). There:"
    echo "  tar xzf $(basename "$kit").tar.gz && $(basename "$kit")/tests/gpu.sh --results FOLDER checks"
}

read_options "$@"
for tool in patchelf strip ompi_info mpirun; do
    command -v $tool >/dev/null || fail "no $tool: $(kd_missing_packages patchelf binutils openmpi-bin)is to be installed"
done
[ -n "$build" ] || build_all
rm -rf "$kit" "$kit.tar.gz"
mkdir -p "$kit"
kit=$(cd "$kit" && pwd)
copy_programs
copy_scripts
copy_mpi
copy_libraries
settle_all
check_closed
pack
