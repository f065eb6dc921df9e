#!/usr/bin/env bash
# fetch.sh - the image sets that these examples can train on, from where their authors keep them; each file's checksum is looked at.
#
#   examples/cnn/fetch.sh cifar10          into examples/cnn/data/cifar-10-batches-bin/
#   examples/cnn/fetch.sh mnist            into examples/cnn/data/mnist/
#   examples/cnn/fetch.sh fashion-mnist    into examples/cnn/data/fashion-mnist/
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=${KATYDID_DATA:-$here/data}

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# fetch URL FILE ALGORITHM SUM: a file that is there and sound is left alone; one that is not as it should be is not kept.
fetch() {
    local url=$1 file=$2 algorithm=$3 sum=$4
    if [ -f "$file" ] && echo "$sum  $file" | "${algorithm}sum" --status -c -; then
        return
    fi
    mkdir -p "$(dirname "$file")"
    echo "fetching $url"
    curl --fail --location --retry 3 --output "$file.part" "$url"
    if ! echo "$sum  $file.part" | "${algorithm}sum" --status -c -; then
        rm -f "$file.part"
        echo "$url: its $algorithm sum is not $sum: the file was changed or cut off" >&2
        exit 1
    fi
    mv "$file.part" "$file"
}

# fetch_idx FOLDER URL NAME MD5: one of MNIST's files, unpacked.
fetch_idx() {
    fetch "$2/$3.gz" "$data/$1/$3.gz" md5 "$4"
    gzip --decompress --keep --force "$data/$1/$3.gz"
}

cifar10() {
    fetch https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz "$data/cifar-10-binary.tar.gz" sha256 \
        c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd
    tar -xzf "$data/cifar-10-binary.tar.gz" -C "$data"
}

mnist() {
    local url=https://ossci-datasets.s3.amazonaws.com/mnist
    fetch_idx mnist $url train-images-idx3-ubyte f68b3c2dcbeaaa9fbdd348bbdeb94873
    fetch_idx mnist $url train-labels-idx1-ubyte d53e105ee54ea40749a09fcbcd1e9432
    fetch_idx mnist $url t10k-images-idx3-ubyte 9fb629c4189551a2d022fa330f9573f3
    fetch_idx mnist $url t10k-labels-idx1-ubyte ec29112dd5afa0611ce80d1b7f02629c
}

fashion_mnist() {
    local url=http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
    fetch_idx fashion-mnist $url train-images-idx3-ubyte 8d4fb7e6c68d591d4c3dfef9ec88bf0d
    fetch_idx fashion-mnist $url train-labels-idx1-ubyte 25c81989df183df01b3e8a0aad5dffbe
    fetch_idx fashion-mnist $url t10k-images-idx3-ubyte bef4ecab320f06d8554ea6380940ec79
    fetch_idx fashion-mnist $url t10k-labels-idx1-ubyte bb300cfdad3c16e7a12a480ee83cd310
}

[ $# -gt 0 ] || usage
for set in "$@"; do
    case $set in
    cifar10) cifar10 ;;
    mnist) mnist ;;
    fashion-mnist) fashion_mnist ;;
    *) usage ;;
    esac
done
