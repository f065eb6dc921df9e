#!/usr/bin/env bash
# text.sh - a text to train on without a network: the licences that Debian and Ubuntu keep on every machine (some 236 kB of English),
# or katydid's own sources where there are none, or the files given.
#
#   examples/gpt/text.sh                  writes examples/gpt/input.txt
#   examples/gpt/text.sh book.txt ...     the same from files of your own
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ $# -gt 0 ]; then
    cat -- "$@" >"$here/input.txt"
elif [ -f /usr/share/common-licenses/GPL-3 ]; then
    cd /usr/share/common-licenses
    cat GPL-1 GPL-2 GPL-3 LGPL-2 LGPL-2.1 LGPL-3 GFDL-1.2 GFDL-1.3 Apache-2.0 MPL-1.1 MPL-2.0 Artistic CC0-1.0 |
        LC_ALL=C tr -cd '\n -~' >"$here/input.txt"
else
    cd "$here/../.."
    find search kernels coordinator trainer -name '*.[ch]' -print0 | LC_ALL=C sort -z | xargs -0 cat | LC_ALL=C tr -cd '\n -~' >"$here/input.txt"
fi
echo "$here/input.txt: $(wc -c <"$here/input.txt") bytes, $(LC_ALL=C grep -o . "$here/input.txt" | LC_ALL=C sort -u | wc -l) different characters"
