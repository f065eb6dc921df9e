#!/usr/bin/env bash
# fetch.sh - tiny-shakespeare (1.1 MB, from karpathy/char-rnn) into examples/gpt/input.txt; its checksum is looked at.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt
sum=86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed
curl --fail --location --retry 3 --output "$here/input.txt.part" "$url"
if ! echo "$sum  $here/input.txt.part" | sha256sum --status -c -; then
    rm -f "$here/input.txt.part"
    echo "$url: its sha256 sum is not $sum: the file was changed or cut off" >&2
    exit 1
fi
mv "$here/input.txt.part" "$here/input.txt"
