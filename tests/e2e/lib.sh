# shellcheck shell=bash
# lib.sh - what the end-to-end tests share: a folder of their own, katydid on the PATH, readable expectations.
#
# A test sources this file, does things and expects things; the first expectation that fails ends it, with what was seen.
#     KATYDID_BIN      folder of the built programs (ctest sets it; default build/bin of this source tree)
#     KATYDID_SOURCE   the source tree
# Sets $work (a temporary folder, the current one; removed at the end unless KATYDID_KEEP=1) and exports KATYDID_DB,
# TMPDIR, XDG_RUNTIME_DIR inside it, and TEST_COOKIE, by which the processes of this test are found (not KATYDID_...: those
# of an outer run do not reach a trial).
set -uo pipefail

KATYDID_SOURCE=${KATYDID_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
KATYDID_BIN=${KATYDID_BIN:-$KATYDID_SOURCE/build/bin}
if [ ! -x "$KATYDID_BIN/katydid" ]; then
    echo "no katydid in $KATYDID_BIN: build first, or set KATYDID_BIN" >&2
    exit 1
fi
export KATYDID_SOURCE KATYDID_BIN PATH="$KATYDID_BIN:$PATH"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

work=$(mktemp -d "${TMPDIR:-/tmp}/katydid-test.XXXXXX")
export TEST_COOKIE="$$-$RANDOM-$RANDOM" KATYDID_DB="$work/katydid.db" NO_COLOR=1
# Short, for a socket's path has room for 107 bytes.
export TMPDIR="$work/tmp" XDG_RUNTIME_DIR="$work/run"
mkdir -p "$TMPDIR" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
cd "$work" || exit 1

# The processes that this test started, however deep: those that inherited its cookie. Not this shell and its helpers.
cookie_pids() {
    local environ pid
    while read -r environ; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        is_helper "$pid" || echo "$pid"
    done < <(grep -lszxF "TEST_COOKIE=$TEST_COOKIE" /proc/[0-9]*/environ)
}

# This shell, a subshell of it, or a command that one of them runs right now (grep, sleep) and that is none of katydid's;
# or already gone.
is_helper() {
    local parent
    case $(cat "/proc/$1/comm" 2>/dev/null) in
    katydid* | mpirun | orted) return 1 ;;
    esac
    parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
    [ -z "$parent" ] || [ "$1" = $$ ] || [ "$1" = "$BASHPID" ] || [ "$parent" = $$ ] || [ "$parent" = "$BASHPID" ]
}

# Those of them with that name.
cookie_pids_named() {
    local pid
    for pid in $(pgrep -x "$1"); do
        grep -qszxF "TEST_COOKIE=$TEST_COOKIE" "/proc/$pid/environ" && echo "$pid"
    done
}

end_own_processes() {
    local pid
    for pid in $(cookie_pids); do
        kill -9 "$pid" 2>/dev/null
    done
}

finish() {
    local rc=$?
    end_own_processes
    if [ "${KATYDID_KEEP:-}" = 1 ]; then
        echo "kept: $work" >&2
    else
        rm -rf "$work"
    fi
    exit $rc
}
trap finish EXIT

fail() {
    echo "FAILED (${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}): $*" >&2
    exit 1
}

# For what this machine lacks: ctest reports the test as skipped.
skip() {
    echo "SKIPPED: $*" >&2
    exit 77
}

# The line of the test that called the helper that calls this.
caller_line() {
    local i
    for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
        if [ "${BASH_SOURCE[i]##*/}" != lib.sh ]; then
            echo "${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
            return
        fi
    done
}

complain() {
    {
        echo "FAILED ($(caller_line)): $*"
        for file in out err; do
            [ -s "$work/$file" ] && echo "--- std$file of the last command:" && tail -n 40 "$work/$file"
        done
    } >&2
    exit 1
}

# expect_exit CODE COMMAND...: runs it with no stdin and a deadline; stdout and stderr are left in $work/out and err.
expect_exit() {
    local wanted=$1 rc
    shift
    timeout --kill-after=10 "${KATYDID_TEST_DEADLINE:-120}" "$@" >"$work/out" 2>"$work/err" </dev/null
    rc=$?
    [ "$rc" = "$wanted" ] || complain "exit code $rc, expected $wanted, of: $*"
}

# expect_in FILE REGEX...: each extended regular expression matches a line of out, err or another file; case is ignored.
expect_in() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        grep -qiE -- "$pattern" "$file" || complain "$file has no line that matches: $pattern"
    done
}

# sql QUERY: one value, or rows with | between columns, from the test's database.
sql() {
    sqlite3 -batch -bail "file:${KATYDID_DB}?mode=ro" "$1" || fail "sqlite3 refused: $1"
}

# expect_sql WANTED QUERY
expect_sql() {
    local seen
    seen=$(sql "$2")
    [ "$seen" = "$1" ] || complain "the database says '$seen', expected '$1', to: $2"
}

# wait_until SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $deadline ] || complain "waited in vain until $what"
        sleep 0.05
    done
}

no_process_left() {
    [ -z "$(cookie_pids)" ]
}

expect_no_process_left() {
    local deadline=$((SECONDS + 10)) pid
    until no_process_left; do
        if [ $SECONDS -ge $deadline ]; then
            for pid in $(cookie_pids); do
                tr '\0' ' ' <"/proc/$pid/cmdline" | sed "s/^/$pid: /" >&2
                echo >&2
            done
            complain "processes are left 10 s after the end"
        fi
        sleep 0.1
    done
}

# Shared memory of ours that nobody maps any more, and leavings in TMPDIR and the runtime folder.
expect_nothing_left() {
    local file
    expect_no_process_left
    for file in /dev/shm/*; do
        if [ ! -e "$file" ] || [ ! "$file" -nt "$work/started" ]; then
            continue
        fi
        case ${file##*/} in
        *katydid* | *kd_* | vader_segment.*) ;;
        *) continue ;;
        esac
        grep -qsF "$file" /proc/[0-9]*/maps || { [ ! -e "$file" ] || complain "left in shared memory: $file"; }
    done
    [ -z "$(find "$TMPDIR" -mindepth 1 -print -quit)" ] || complain "left in TMPDIR: $(find "$TMPDIR" | head)"
    [ -z "$(find "$XDG_RUNTIME_DIR" -type s -print -quit)" ] ||
        complain "a socket is left: $(find "$XDG_RUNTIME_DIR" -type s)"
}
touch "$work/started"

# What must hold of every finished experiment, whatever happened to it.
expect_sound() {
    expect_exit 0 katydid fsck
    expect_exit 0 katydid replay "$@"
}
