#include "trainer/xxh64.h"

#include <string.h>

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* Little-endian machines only, as the rest of a checkpoint. */
static uint64_t word64(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static uint64_t word32(const unsigned char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static uint64_t turn(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ turn(0, lane)) * P1 + P4;
}

static uint64_t hash_stripes(const unsigned char **p, size_t n_stripes, uint64_t seed)
{
    uint64_t lanes[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
    for (; n_stripes > 0; n_stripes--, *p += 32)
        for (int i = 0; i < 4; i++)
            lanes[i] = turn(lanes[i], word64(*p + 8 * i));
    uint64_t hash =
        rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++)
        hash = merge(hash, lanes[i]);
    return hash;
}

static uint64_t hash_tail(const unsigned char *p, size_t n, uint64_t hash)
{
    for (; n >= 8; n -= 8, p += 8)
        hash = rotate(hash ^ turn(0, word64(p)), 27) * P1 + P4;
    for (; n >= 4; n -= 4, p += 4)
        hash = rotate(hash ^ word32(p) * P1, 23) * P2 + P3;
    for (; n > 0; n--, p++)
        hash = rotate(hash ^ *p * P5, 11) * P1;
    return hash;
}

uint64_t kd_xxh64(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t hash = n >= 32 ? hash_stripes(&p, n / 32, seed) : seed + P5;
    hash = hash_tail(p, n % 32, hash + n);
    hash = (hash ^ hash >> 33) * P2;
    hash = (hash ^ hash >> 29) * P3;
    return hash ^ hash >> 32;
}
