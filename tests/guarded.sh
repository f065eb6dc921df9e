# shellcheck shell=bash
# guarded.sh - running what may hang, on a machine that is lent for minutes: it is ended with all that it started, in whatever process
# group or session, at the latest when the script ends. Sourced, not run (tests/gpu.sh).

work=$(mktemp -d)                 # the folder that it runs in
cookie=guarded-$$-$RANDOM-$RANDOM # in the environment of all that is started, by which it is found
running=''                        # the group of what runs now

# The processes that a part has left, however deep and in whatever group: those that inherited its cookie.
processes_left() {
    grep -lszxF "GPU_CHECK=$cookie" /proc/[0-9]*/environ | sed 's:/proc/\([0-9]*\)/.*:\1:'
}

end_processes() {
    local i pids
    for ((i = 0; i < 50; i++)); do
        pids=$(processes_left)
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086  # a list of numbers
        kill -9 $pids 2>/dev/null
        sleep 0.1
    done
    echo "processes that cannot be killed: $(names_of "$pids")"
}

# Their names, on one line.
names_of() {
    local pid
    for pid in $1; do
        printf '%s (%s) ' "$(cat "/proc/$pid/comm" 2>/dev/null)" "$pid"
    done
}

# guarded SECONDS COMMAND...: in a group of its own, in the folder $work, stopped at its first error; when the time is over it is ended with
# all that it started. Exit status 124: the time was over; 125: it ended, and left processes behind for more than 5 s.
guarded() {
    local end=$((SECONDS + $1)) pid rc pids
    shift
    set -m
    (
        set +m
        cd "$work" || exit 1
        export GPU_CHECK=$cookie
        set -e
        "$@"
    ) </dev/null &
    pid=$!
    running=$pid
    set +m
    while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $end ]; do
        sleep 0.05
    done
    if kill -0 "$pid" 2>/dev/null; then
        kill -9 -- "-$pid"
        { wait "$pid"; } 2>/dev/null
        running=
        end_processes
        echo "not done within its time"
        return 124
    fi
    wait "$pid"
    rc=$?
    running=
    end=$((SECONDS + 5))
    while pids=$(processes_left) && [ -n "$pids" ] && [ $SECONDS -lt $end ]; do
        sleep 0.1
    done
    [ -n "$pids" ] || return $rc
    echo "left behind: $(names_of "$pids")"
    end_processes
    [ $rc = 0 ] || return $rc
    return 125
}

# ---- what runs is ended with the script

finish() {
    [ -z "$running" ] || kill -9 -- "-$running" 2>/dev/null
    end_processes
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
