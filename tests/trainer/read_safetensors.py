"""Reads a checkpoint by the safetensors format alone, checks its checksums, and compares first values:

    read_safetensors.py FILE NAME=VALUE...

Independent of the C code: json, struct, and XXH64 from its specification. Where the package `safetensors` is installed, it
reads the file, too.
"""
import json
import struct
import sys

P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                      0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
MASK = 2**64 - 1
CHUNK = 1 << 20


def rotate(x, by):
    return (x << by | x >> (64 - by)) & MASK


def turn(lane, word):
    return rotate((lane + word * P2) & MASK, 31) * P1 & MASK


def finish(hash_, tail):
    while len(tail) >= 8:
        hash_ = (rotate(hash_ ^ turn(0, struct.unpack("<Q", tail[:8])[0]), 27) * P1 + P4) & MASK
        tail = tail[8:]
    if len(tail) >= 4:
        hash_ = (rotate(hash_ ^ struct.unpack("<I", tail[:4])[0] * P1 & MASK, 23) * P2 + P3) & MASK
        tail = tail[4:]
    for byte in tail:
        hash_ = rotate(hash_ ^ byte * P5 & MASK, 11) * P1 & MASK
    hash_ = (hash_ ^ hash_ >> 33) * P2 & MASK
    hash_ = (hash_ ^ hash_ >> 29) * P3 & MASK
    return hash_ ^ hash_ >> 32


def xxh64(data):
    n_stripes = len(data) // 32
    if n_stripes == 0:
        return finish((P5 + len(data)) & MASK, data)
    lanes = [P1 + P2 & MASK, P2, 0, -P1 & MASK]
    for stripe in struct.iter_unpack("<4Q", data[:32 * n_stripes]):
        lanes = [turn(lane, word) for lane, word in zip(lanes, stripe)]
    hash_ = sum(rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) & MASK
    for lane in lanes:
        hash_ = ((hash_ ^ turn(0, lane)) * P1 + P4) & MASK
    return finish((hash_ + len(data)) & MASK, data[32 * n_stripes:])


def check_sums(image, data_at, metadata):
    data = image[data_at:]
    sums = "".join("%016x" % xxh64(data[i:i + CHUNK]) for i in range(0, len(data), CHUNK))
    assert metadata["chunks"] == sums, "the chunks' checksums"
    digits = metadata["checksum"].encode()
    head = image[:data_at].replace(digits, b"0" * 16, 1)
    assert digits.decode() == "%016x" % xxh64(head), "the header's checksum"


def check_layout(header, n_data):
    """As the reference reader wants it: no gap, no overlap, every byte somebody's."""
    at = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        n = 4
        for dim in entry["shape"]:
            n *= dim
        assert entry["dtype"] == "F32" and begin == at and end == begin + n, name
        at = end
    assert at == n_data, "the data end where the file ends"


def first_value(image, data_at, header, name):
    return struct.unpack_from("<f", image, data_at + header[name]["data_offsets"][0])[0]


def check_with_package(path, header):
    try:
        from safetensors import safe_open
    except ImportError:
        return
    with safe_open(path, framework="np") as opened:
        assert set(opened.keys()) == set(header)
        for name, entry in header.items():
            assert list(opened.get_tensor(name).shape) == entry["shape"], name


def main(path, *expected):
    with open(path, "rb") as file:
        image = file.read()
    data_at = 8 + struct.unpack("<Q", image[:8])[0]
    header = json.loads(image[8:data_at])
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    assert data_at % 64 == 0 and json.loads(metadata["state"])["step"] >= 0
    check_sums(image, data_at, metadata)
    check_layout(header, len(image) - data_at)
    for pair in expected:
        name, value = pair.split("=")
        assert first_value(image, data_at, header, name) == float(value), pair
    check_with_package(path, header)


if __name__ == "__main__":
    main(*sys.argv[1:])
