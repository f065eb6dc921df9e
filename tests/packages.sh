# shellcheck shell=bash
# packages.sh - the Debian and Ubuntu packages that katydid needs, in one list; sourced, not run.
#
# Used by examples/quickstart.sh (build), tests/run.sh (build and tests) and the Dockerfile (build).
#     kd_install_packages "the build" $KD_BUILD_PACKAGES
# A name with a ? before it is installed only where the archive has it.

# shellcheck disable=SC2034  # the lists are for those who source this file
KD_BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libzmq3-dev libjansson-dev libsqlite3-dev
    libyaml-dev libpcre2-dev libhwloc-dev uthash-dev libopenmpi-dev openmpi-bin libdnnl-dev"
# Ubuntu 22.04 has the sanitizer and fuzzer libraries inside clang's own packages, newer ones in libclang-rt-dev.
# shellcheck disable=SC2034
KD_TEST_PACKAGES="clang g++ ?libclang-rt-dev libcmocka-dev python3 python3-zmq sqlite3 util-linux procps"
# With a CUDA toolkit every kernel is also compiled for the V100, which CUDA 13 left behind and clang did not, and a kit is made for
# machines where nothing may be installed (tests/gpu_kit.sh).
if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
    KD_TEST_PACKAGES+=" ?clang-19 ?patchelf"
fi

kd_is_installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

kd_archive_has() {
    apt-cache show "$1" >/dev/null 2>&1
}

# The names among "$@" that are not installed. Before the first `apt-get update` nothing is known of the archive, and
# optional ones count as missing.
kd_missing_packages() {
    local package name
    for package in "$@"; do
        name=${package#\?}
        kd_is_installed "$name" && continue
        [ "$package" != "$name" ] && kd_archive_has gcc && ! kd_archive_has "$name" && continue
        printf '%s ' "$name"
    done
}

kd_apt_get() {
    local as=()
    [ "$(id -u)" = 0 ] || as=(sudo)
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=400 "$@" </dev/null
}

# kd_install_packages WHY PACKAGE...: says what is missing, then installs it.
kd_install_packages() {
    local why=$1 missing
    shift
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "Packages: no apt-get here. $why needs what Debian calls: $*"
        return 0
    fi
    missing=$(kd_missing_packages "$@")
    if [ -z "$missing" ]; then
        echo "Packages: everything that $why needs is installed."
        return 0
    fi
    echo "Packages: $why needs these; installing them with apt-get now: $missing"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "Neither root nor sudo: as root, run  apt-get install $missing" >&2
        return 1
    fi
    kd_apt_get update || return 1
    missing=$(kd_missing_packages "$@")
    # shellcheck disable=SC2086  # a list of words
    kd_apt_get install -y --no-install-recommends $missing
}
