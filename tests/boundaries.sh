#!/usr/bin/env bash
# boundaries.sh - who may include whom, read from the #include lines themselves.
#
#   tests/boundaries.sh          checks this tree, then plants one violation of each rule in a copy and wants it found
#   tests/boundaries.sh FOLDER   only checks that tree
#
# A room that reaches into another one, or a foreign library used outside its one door, fails here with file:line and
# the rule. Quoted includes start at the repository root; angle brackets are for libc and foreign libraries.
set -eu

# Room (longest match wins) : the rooms that its quoted includes may name, besides itself.
rooms='
search                search coordinator/base
search/math           search/math coordinator/base
kernels               kernels coordinator/base
coordinator           coordinator search
coordinator/base      coordinator/base
coordinator/bus       coordinator/bus coordinator/base
coordinator/yaml      coordinator/yaml coordinator/base
trainer               trainer kernels coordinator/base coordinator/bus coordinator/yaml
tests                 tests search kernels coordinator trainer
examples              examples
'
# The inside of a room : the paths that may see it (prefixes), of those that see the room.
insides='
kernels/cpu           kernels/cpu/ tests/
'

# Foreign header (extended regular expression) : the paths that may include it (prefixes). Tests may use any.
doors='
^sqlite3\.h$                            coordinator/store/
^yaml\.h$                               coordinator/yaml/
^pcre2\.h$                              coordinator/spec/
^zmq(_utils)?\.h$                       coordinator/bus/
^hwloc\.h$|^hwloc/                      coordinator/launch/
^microhttpd\.h$                         coordinator/http/
^curl/                                  coordinator/export/
^mpi\.h$                                trainer/comm/mpi.c
^(dnnl|oneapi/dnnl/).*                  kernels/cpu/
^(cuda|cublas|cudnn|nccl|nvml|nvtx3/|mma\.h).* kernels/cuda/
^jansson\.h$                            coordinator/ trainer/
^ut(hash|list|array|string)\.h$         coordinator/ trainer/
^cmocka\.h$                             tests/
^(argp|getopt)\.h$                      coordinator/ trainer/ tests/
^sanitizer/                             trainer/data/mapping.c
'
# What a room is kept from although the door of its parent is open.
closed='
coordinator/base      ^jansson\.h$|^ut(hash|list|array|string)\.h$
'

# libc, the kernel and the compiler: open to every room.
libc='^(aio|alloca|arpa/inet|assert|byteswap|complex|ctype|dirent|dlfcn|elf|endian|errno|fcntl|features|fenv'
libc+='|float|fnmatch|ftw|glob|grp|ifaddrs|inttypes|iso646|langinfo|libgen|limits|linux/[a-z_]+|locale|malloc'
libc+='|math|mntent|net/if|netdb|netinet/[a-z]+|poll|pthread|pwd|regex|sched|search|semaphore|setjmp|signal'
libc+='|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings'
libc+='|sys/[a-z_]+|syscall|sysexits|syslog|termios|tgmath|time|uchar|ucontext|unistd|utime|wchar|wctype|wordexp'
libc+='|cpuid|[a-z]+mmintrin|immintrin|x86intrin|arm_neon)\.h$'

top_level='^(search|kernels|coordinator|trainer|examples|tests|CMakeLists\.txt|Dockerfile|README\.md|LICENSE)$'
# What a build or a run leaves here and .gitignore names.
ignored='^(build|build-.*|.*\.db|.*\.db-wal|.*\.db-shm|.*\.db\.lock|.*\.db\.d|__pycache__)$'

check_includes() {
    grep -rnHE --include='*.[ch]' --include='*.cu' --include='*.cuh' --include='*.def' --include='*.cpp' \
        --include='*.hpp' '^[[:space:]]*#[[:space:]]*include' search kernels coordinator trainer tests examples \
        2>/dev/null |
        ROOMS=$rooms INSIDES=$insides DOORS=$doors CLOSED=$closed LIBC=$libc awk '
            function split_table(text, keys, values,    lines, n, i, count) {
                n = split(text, lines, "\n")
                for (i = 1; i <= n; i++)
                    if (match(lines[i], /[ \t]+/)) {
                        keys[++count] = substr(lines[i], 1, RSTART - 1)
                        values[count] = substr(lines[i], RSTART + RLENGTH)
                    }
                return count
            }
            function below(path, room) { return index(path, room "/") == 1 }
            function room_of(path,    i, best) {
                for (i = 1; i <= n_rooms; i++)
                    if (below(path, room[i]) && length(room[i]) > length(room[best])) best = i
                return best
            }
            function complain(rule) { printf "%s: %s\n", where, rule; bad = 1 }
            function begins_with_one_of(path, prefixes,    list, n, i) {
                n = split(prefixes, list, " ")
                for (i = 1; i <= n; i++) if (index(path, list[i]) == 1) return 1
                return 0
            }
            function check_inside(path, target,    i) {
                for (i = 1; i <= n_insides; i++)
                    if (below(target, inside[i]) && !begins_with_one_of(path, seen_by[i]))
                        complain("\"" target "\" is the inside of its room, seen by " seen_by[i] " alone")
            }
            function check_quoted(path, target,    mine, theirs, allowed, n, i, reach) {
                if (system_has(target) == 0) { complain("\"" target "\" is not a path from the repository root"); return }
                mine = room_of(path); theirs = room_of(target)
                n = split(may[mine], allowed, " ")
                for (i = 1; i <= n; i++) if (below(target, allowed[i])) { check_inside(path, target); return }
                complain(room[mine] "/ may not include \"" target "\"; it may include: " may[mine])
            }
            function check_angle(path, target,    i) {
                for (i = 1; i <= n_closed; i++)
                    if (below(path, shut[i]) && target ~ shut_to[i]) {
                        complain(shut[i] "/ takes libc only, not <" target ">"); return }
                if (target ~ ENVIRON["LIBC"] || below(path, "tests")) return
                for (i = 1; i <= n_doors; i++)
                    if (target ~ door[i]) {
                        if (begins_with_one_of(path, opens[i])) return
                        complain("<" target "> has its one door in " opens[i]); return
                    }
                complain("<" target "> is a foreign library without a door: give it one in tests/boundaries.sh")
            }
            function system_has(target,    line, found) {
                if (!(target in known)) {
                    found = (getline line < target) >= 0
                    close(target)
                    known[target] = found
                }
                return known[target]
            }
            BEGIN {
                n_rooms = split_table(ENVIRON["ROOMS"], room, may)
                n_insides = split_table(ENVIRON["INSIDES"], inside, seen_by)
                n_doors = split_table(ENVIRON["DOORS"], door, opens)
                n_closed = split_table(ENVIRON["CLOSED"], shut, shut_to)
            }
            {
                split($0, part, ":"); path = part[1]; where = part[1] ":" part[2]
                if (match($0, /include[ \t]*"[^"]*"/)) {
                    target = substr($0, RSTART, RLENGTH); gsub(/include[ \t]*"|"/, "", target)
                    check_quoted(path, target)
                } else if (match($0, /include[ \t]*<[^>]*>/)) {
                    target = substr($0, RSTART, RLENGTH); gsub(/include[ \t]*<|>/, "", target)
                    check_angle(path, target)
                } else
                    complain("an #include that names no file cannot be checked")
            }
            END {
                if (NR == 0) { print "no #include found at all: not a katydid tree?"; bad = 1 }
                exit bad
            }'
}

check_top_level() {
    local entry bad=0
    for entry in *; do
        if [[ ! $entry =~ $top_level && ! $entry =~ $ignored ]]; then
            echo "$entry: the top level is fixed (six folders, CMakeLists.txt, Dockerfile, README.md, LICENSE, dotfiles)"
            bad=1
        fi
    done
    return $bad
}

check_tree() {
    (
        cd "$1"
        rc=0
        check_includes || rc=1
        check_top_level || rc=1
        exit $rc
    )
}

# Path to plant : the line in it : what the complaint must say.
violations='
search/planted.c|#include "coordinator/store/store.h"|search/ may not include
search/planted.c|#include "coordinator/bus/peer.h"|search/ may not include
search/planted.c|#include <jansson.h>|has its one door
kernels/planted.c|#include "search/space.h"|kernels/ may not include
kernels/planted.c|#include "trainer/models/plan.h"|kernels/ may not include
kernels/planted.c|#include <dnnl.h>|has its one door
kernels/cuda/planted.cu|#include <dnnl.hpp>|has its one door
kernels/cpu/planted.c|#include <cuda_runtime.h>|has its one door
kernels/planted.c|#include <cuda_runtime.h>|has its one door
kernels/cuda/planted.cu|#include "tests/planted.h"|kernels/ may not include
kernels/cuda/planted.cuh|#include "trainer/models/plan.h"|kernels/ may not include
trainer/planted.c|#include <cuda_runtime.h>|has its one door
trainer/comm/planted.c|  #  include <nccl.h>|has its one door
trainer/comm/planted.c|#include <mpi.h>|has its one door
trainer/planted.c|#include "search/space.h"|trainer/ may not include
trainer/planted.c|#include "coordinator/trial.h"|trainer/ may not include
trainer/planted.c|#include "coordinator/spec/experiment.h"|trainer/ may not include
trainer/comm/planted.c|#include "kernels/cpu/lanes.h"|is the inside of its room
kernels/planted.c|#include "kernels/cpu/lanes.h"|is the inside of its room
trainer/planted.c|#include <zmq.h>|has its one door
trainer/planted.c|#include <yaml.h>|has its one door
coordinator/planted.c|#include "trainer/models/plan.h"|coordinator/ may not include
coordinator/launch/planted.h|#include "kernels/ops.h"|coordinator/ may not include
coordinator/planted.c|#include <sqlite3.h>|has its one door
coordinator/spec/planted.c|#include <yaml.h>|has its one door
coordinator/store/planted.c|#include <pcre2.h>|has its one door
coordinator/spec/planted.c|#include <hwloc.h>|has its one door
coordinator/planted.c|#include <microhttpd.h>|has its one door
coordinator/planted.c|#include <curl/curl.h>|has its one door
coordinator/planted.c|#include <lua.h>|without a door
coordinator/planted.c|#include "trial.h"|not a path from the repository root
coordinator/planted.c|#include PLANTED|cannot be checked
coordinator/base/planted.c|#include "search/space.h"|coordinator/base/ may not include
coordinator/base/planted.c|#include <jansson.h>|takes libc only
coordinator/bus/planted.c|#include "coordinator/trial.h"|coordinator/bus/ may not include
coordinator/yaml/planted.c|#include "coordinator/spec/experiment.h"|coordinator/yaml/ may not include
coordinator/planted.c|#include "tests/planted.h"|coordinator/ may not include
coordinator/planted.c|#include "examples/planted.h"|coordinator/ may not include
examples/planted.c|#include "coordinator/base/str.h"|examples/ may not include
planted/planted.txt|a seventh folder|the top level is fixed
'

# The copy holds what may be included and no more, so that a check of it costs a few milliseconds.
copy_tree() {
    local folder
    for folder in search kernels coordinator trainer examples tests; do
        mkdir -p "$1/$folder"
    done
    (cd "$2" && find search kernels coordinator trainer \( -name '*.h' -o -name '*.cuh' -o -name '*.def' \) -print0 |
        xargs -0 cp --parents -t "$1")
    : >"$1/tests/planted.h" && : >"$1/examples/planted.h"
}

plant_one() {
    local copy=$1 path=$2 line=$3 complaint=$4 output
    mkdir -p "$copy/$(dirname "$path")"
    printf '%s\n' "$line" >"$copy/$path"
    if output=$(check_tree "$copy" 2>&1); then
        echo "planted violation not found: $path: $line"
        return 1
    fi
    rm -r "${copy:?}/$path"
    rmdir "$copy/planted" 2>/dev/null || true
    [[ $output == "${path%%/planted.txt}"*"$complaint"* ]] && return 0
    printf 'planted %s: %s\n  wanted a complaint with "%s", got: %s\n' "$path" "$line" "$complaint" "$output"
    return 1
}

prove_itself() {
    local copy path line complaint bad=0 n=0
    copy=$(mktemp -d)
    # shellcheck disable=SC2064  # expanded now: the variable is local
    trap "rm -rf '$copy'" EXIT
    copy_tree "$copy" "$1"
    check_tree "$copy" || { echo "the copy without a planted violation does not pass"; return 1; }
    while IFS='|' read -r path line complaint; do
        [ -n "$path" ] || continue
        plant_one "$copy" "$path" "$line" "$complaint" || bad=1
        n=$((n + 1))
    done <<<"$violations"
    [ $bad = 0 ] && echo "boundaries: kept, and $n planted violations were found"
    return $bad
}

if [ $# = 1 ]; then
    check_tree "$1"
    exit
fi
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
check_tree "$source_dir"
prove_itself "$source_dir"
