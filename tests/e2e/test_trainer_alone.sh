#!/usr/bin/env bash
# katydid-trainer train.yaml without a coordinator, alone and under mpirun: the same result, report lines on stdout, and a
# progress line on stderr where that is a terminal.
# shellcheck disable=SC2016  # ${x} is katydid's, not the shell's
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ -x "$KATYDID_BIN/katydid-trainer" ] || skip "this build has no trainer"
cp "$KATYDID_SOURCE/examples/digits/digits.csv" .
cat >train.yaml <<'YAML'
data: {format: csv, path: digits.csv, label: label, split: {val: 0.2, seed: 1}}
model:
  - linear: {units: 32}
  - relu: {}
  - linear: {units: 10}
optimizer: {name: adamw, lr: "${lr}"}
epochs: 3
YAML

accuracy() { sed -n 's/^epoch=3 .*val_accuracy=\([0-9.]*\).*/\1/p' "$1"; }

expect_exit 0 katydid-trainer train.yaml lr=0.003
expect_in out '^epoch=3 train_loss='
[ "$(wc -l <out)" = 3 ] || complain "not one line per epoch"
! grep -q $'[\x1b\r]' out err || complain "terminal codes where there is no terminal"
one=$(accuracy out)
ranks=(mpirun -np 2 --oversubscribe --bind-to none katydid-trainer)
expect_exit 0 "${ranks[@]}" train.yaml lr=0.003
two=$(accuracy out)
awk -v a="$one" -v b="$two" 'BEGIN { d = a - b; exit !(a > 0.8 && d <= 0.01 && d >= -0.01) }' ||
    complain "one rank: $one, two ranks: $two"

# Rank 0 alone says what is wrong, once, and all ranks end.
expect_exit 2 "${ranks[@]}" train.yaml
[ "$(grep -c 'train.yaml:6:30: error: the placeholder ${lr} has no value' err)" = 1 ] || complain "placeholder"
expect_exit 2 "${ranks[@]}" train.yaml lr=0.003 epochs=none
[ "$(grep -c "override 'epochs=none': error: /epochs" err)" = 1 ] || complain "override"

# A signal while the data are opened, which takes seconds here, ends it there.
# The trainer itself: the shell that is to become it catches them too, until it does.
catches() {
    local caught
    [ "/proc/$1/exe" -ef "$KATYDID_BIN/katydid-trainer" ] || return 1
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
    (((0x${caught:-0} & 0x4002) == 0x4002))
}
cat >large.yaml <<'YAML'
data: {format: synthetic, shape: [64], samples: 8000000}
model: [{linear: {units: 10}}]
epochs: 100
YAML
for signal in INT TERM; do
    katydid-trainer large.yaml >out 2>err &
    wait_until 20 "the trainer catches signals" catches $!
    kill "-$signal" $!
    wait $!
    rc=$?
    [ $rc = 130 ] || complain "$signal: exit code $rc"
    [ "$(cat err)" = "katydid: interrupted before the first step" ] || complain "$signal is not heard at once"
    [ ! -s out ] || complain "$signal: it trained"
done

command -v script >/dev/null || skip "no script(1) to make a terminal"
export TERM=xterm
line='epoch 3/3 step 69/69 100% [0-9:]+ elapsed  train_loss [0-9.e-]+'
# mpirun may pass the line on after a report that was written later, so there every report clears its line itself.
declare -A begins=([katydid-trainer]=$'^epoch=\|\x1b\\[Kepoch=' ["${ranks[*]}"]=$'\x1b\\[Kepoch=')
for command in katydid-trainer "${ranks[*]}"; do
    script -qec "$command train.yaml lr=0.003" terminal >/dev/null </dev/null
    expect_in terminal "$line" 'epoch=3 train_loss='
    [ "$(grep -c "${begins[$command]}" terminal)" = 3 ] || complain "$command: a report does not begin its line"
    script -qec "$command train.yaml lr=0.003 >lines" terminal >/dev/null </dev/null
    expect_in terminal "$line"
    ! grep -q 'epoch=' terminal || complain "$command: reports of a file on the terminal"
    [ "$(grep -c '^epoch=' lines)" = 3 ] || complain "$command: reports are missing from the file"
    ! grep -q $'[\x1b\r]' lines || complain "$command: terminal codes in a file"
    TERM=dumb script -qec "$command train.yaml lr=0.003" terminal >/dev/null </dev/null
    ! grep -q $'\x1b' terminal || complain "$command: codes for a dumb terminal"
done
expect_nothing_left
