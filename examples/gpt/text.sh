#!/usr/bin/env bash
# text.sh - a text to train on without a network: the licences that Debian and Ubuntu keep on every machine (some 236 kB of English),
# or katydid's own sources where there are none, or the files given.
#
#   examples/gpt/text.sh                  writes examples/gpt/input.txt
#   examples/gpt/text.sh book.txt ...     the same from files of your own, UTF-8
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=$here/input.txt.part
trap 'rm -f "$part"' EXIT

licences() {
    cd /usr/share/common-licenses
    cat GPL-1 GPL-2 GPL-3 LGPL-2 LGPL-2.1 LGPL-3 GFDL-1.2 GFDL-1.3 Apache-2.0 MPL-1.1 MPL-2.0 Artistic CC0-1.0
}

sources() {
    cd "$here/../.."
    find search kernels coordinator trainer -name '*.[ch]' -print0 | LC_ALL=C sort -z | xargs -0 cat
}

# Before anything is replaced: a file that cannot be read leaves the text that is there.
if [ $# -gt 0 ]; then
    cat -- "$@" >"$part"
elif [ -f /usr/share/common-licenses/GPL-3 ]; then
    licences | LC_ALL=C tr -cd '\n -~' >"$part"
else
    sources | LC_ALL=C tr -cd '\n -~' >"$part"
fi
mv "$part" "$here/input.txt"
echo "$here/input.txt: $(wc -c <"$here/input.txt") bytes"
