#!/usr/bin/env bash
# What `cmake --install` puts under a prefix is complete and works from there: programs in bin, the launch programs in
# libexec/katydid, documents and examples in share/doc.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

expect_exit 0 cmake --install "${KATYDID_BUILD:-$KATYDID_BIN/..}" --prefix "$work/usr"
for file in bin/katydid libexec/katydid/katydid-supervisor libexec/katydid/katydid-exec; do
    [ -x "usr/$file" ] || fail "$file is not installed"
done
[ ! -x "$KATYDID_BIN/katydid-trainer" ] || [ -x usr/bin/katydid-trainer ] || fail "bin/katydid-trainer is not installed"
for file in README.md LICENSE examples/digits/digits.yaml examples/digits/digits.csv examples/command/train.py; do
    [ -f "usr/share/doc/katydid/$file" ] || fail "share/doc/katydid/$file is not installed"
done
[ -f usr/share/man/man1/katydid.1 ] || fail "share/man/man1/katydid.1 is not installed"
if find usr -name '*.a' -o -name '*cmocka*' | grep -q .; then
    fail "something is installed that nobody asked for: $(find usr -name '*.a' -o -name '*cmocka*')"
fi

# From there a command is run to its end, so the supervisor and katydid-exec were found.
unset KATYDID_LIBEXEC
export PATH="$work/usr/bin:/usr/bin:/bin"
expect_exit 0 katydid version
cp -r usr/share/doc/katydid/examples/command command
expect_exit 0 katydid run command/experiment-python.yaml maxTrialCount=2
expect_sql "2" "SELECT count(*) FROM trials WHERE state = 'Succeeded'"
expect_nothing_left
