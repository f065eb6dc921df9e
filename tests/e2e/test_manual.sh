#!/usr/bin/env bash
# What is written about katydid is what it does: the manual has every command and option of the program, `katydid explain spec`
# every field that the parser takes, and the README every command and exit status.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

manual=$KATYDID_SOURCE/coordinator/katydid.1
readme=$KATYDID_SOURCE/README.md
sed -e '/^\.\\"/d' -e 's/\\&//g' "$manual" >page

commands=$(katydid help | sed -nE 's/^  ([a-z]+) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 13 ] || fail "katydid help lists too few commands: $commands"
for command in $commands; do
    grep -qE "^\.It Cm $command( |\$)" page || fail "the manual lacks the command $command"
    grep -qE "^\| \`${command}[ \`]" "$readme" || fail "README.md lacks the command $command"
    for option in $(katydid "$command" --help | sed -nE 's/^ *(-[^ ]+, )?--([a-z-]+).*/\2/p'); do
        grep -qE -- "(Fl -|\| -)$option( |\$)" page || fail "the manual lacks --$option of katydid $command"
    done
    for letter in $(katydid "$command" --help | sed -nE 's/^ *-([^ ]), --.*/\1/p'); do
        grep -qF -- "Fl $letter , " page || fail "the manual lacks -$letter of katydid $command"
    done
done
for command in $commands; do
    katydid "$command" --help
done >help
for command in $commands; do
    expect_exit 2 katydid "$command" --no-such-option
done
sed -nE 's/^\.It .*Fl -([a-z-]+).*/\1/p' page >options
while read -r option; do
    grep -qE -- "--$option([=, ]|\$)" help || fail "the manual has --$option, which no command has"
done <options

katydid explain exit-codes --csv | tail -n +2 | cut -d, -f1 >codes
while read -r code; do
    grep -qx "\.It $code" page || fail "the manual lacks exit status $code"
    grep -q "^| $code |" "$readme" || fail "README.md lacks exit status $code"
done <codes

# The parser's tables: a field that is taken and does something must be explained.
katydid explain spec --csv >fields
katydid explain resources --csv >>fields
taken=$(grep -hE '^ *\{"[A-Za-z]+", .*\}' "$KATYDID_SOURCE"/coordinator/spec/read_{spec,objective,objectives,start,limits,template}.c |
    grep -vE 'KD_FIELD_(PLANNED|IDLE|QUIET)' | sed -nE 's/^ *\{"([A-Za-z]+)",.*/\1/p' | sort -u)
[ "$(wc -w <<<"$taken")" -ge 40 ] || fail "too few fields were found in coordinator/spec: $taken"
for field in $taken; do
    grep -qw "$field" fields || fail "katydid explain spec lacks the field $field"
done

# What the trainer's registries hold is explained too, by their names.
if [ -x "$KATYDID_BIN/katydid-trainer" ]; then
    katydid-trainer --describe | python3 -c 'import json, sys
d = json.load(sys.stdin)
for kind in ("layers", "presets", "losses", "optimizers", "schedules"):
    print("\n".join(item["name"] for item in d[kind]))
print("\n".join(item["name"] for item in d["data"]["formats"]))' >names
    [ "$(wc -l <names)" -ge 40 ] || fail "too few names in katydid-trainer --describe"
    while read -r name; do
        katydid explain "$name" >about || fail "katydid explain $name says nothing"
    done <names
    expect_exit 0 katydid explain linear
    expect_in out 'weighted sum' 'straight line'
fi

if command -v mandoc >/dev/null; then
    expect_exit 0 mandoc -Tlint -W warning "$manual"
fi
