#include "search/math/sobol_points.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/rng.h"
#include "search/math/sobol_table.h"

enum { BITS = 32, MAX_DEGREE = KD_COUNT(dims_of_degree) };

struct reader {
    uint64_t at; /* bits read */
};

static uint32_t read_bits(struct reader *reader, int n)
{
    uint64_t word = reader->at / 64, shift = reader->at % 64;
    uint64_t bits = packed[word] >> shift;
    if (shift + (uint64_t)n > 64)
        bits |= packed[word + 1] << (64 - shift);
    reader->at += (uint64_t)n;
    return (uint32_t)(bits & ((UINT64_C(1) << n) - 1));
}

/* V_k = a_1 V_(k-1) ^ ... ^ a_(s-1) V_(k-s+1) ^ V_(k-s) ^ (V_(k-s) >> s), with V_k = m_k 2^(32-k):
 * equation (2) of Joe and Kuo, in fractions. The highest inner coefficient is a_1. */
static void expand(uint32_t v[BITS], int degree, uint32_t inner)
{
    for (int k = degree; k < BITS; k++) {
        v[k] = v[k - degree] ^ (v[k - degree] >> degree);
        for (int j = 1; j < degree; j++) {
            if (inner >> (degree - 1 - j) & 1)
                v[k] ^= v[k - j];
        }
    }
}

static void read_directions(struct reader *reader, int degree, uint32_t v[BITS])
{
    uint32_t inner = read_bits(reader, degree - 1);
    for (int i = 1; i <= degree; i++) {
        uint32_t m = 2 * read_bits(reader, i - 1) + 1;
        v[i - 1] = m << (BITS - i);
    }
    expand(v, degree, inner);
}

static void keep(struct kd_sobol *sobol, int dim, const uint32_t v[BITS])
{
    for (int k = 0; k < BITS; k++)
        sobol->directions[k * sobol->n_dims + dim] = v[k];
}

void kd_sobol_init(struct kd_sobol *sobol, int n_dims)
{
    kd_assert(n_dims >= 0 && n_dims <= KD_SOBOL_DIMS);
    *sobol = (struct kd_sobol){.n_dims = n_dims};
    sobol->directions = KD_NEW_ARRAY(uint32_t, (size_t)BITS * (size_t)n_dims + 1);
    uint32_t v[BITS];
    for (int k = 0; k < BITS; k++)
        v[k] = UINT32_C(1) << (BITS - 1 - k);
    if (n_dims > 0)
        keep(sobol, 0, v);
    struct reader reader = {0};
    int dim = 1;
    for (int degree = 1; degree <= MAX_DEGREE; degree++) {
        for (int i = 0; i < dims_of_degree[degree - 1] && dim < n_dims; i++, dim++) {
            read_directions(&reader, degree, v);
            keep(sobol, dim, v);
        }
    }
}

void kd_sobol_release(struct kd_sobol *sobol)
{
    free(sobol->directions);
    *sobol = (struct kd_sobol){0};
}

/* Room for the digits of a point on the stack. */
struct digits {
    uint32_t of[KD_SOBOL_DIMS];
};

static void find_digits(const struct kd_sobol *sobol, uint32_t index, struct digits *digits)
{
    int n = sobol->n_dims;
    memset(digits->of, 0, (size_t)n * sizeof digits->of[0]);
    uint32_t gray = index ^ index >> 1;
    for (int k = 0; gray >> k != 0; k++) {
        if (!(gray >> k & 1))
            continue;
        const uint32_t *row = &sobol->directions[k * n];
        for (int i = 0; i < n; i++)
            digits->of[i] ^= row[i];
        if (k == BITS - 1)
            break;
    }
}

void kd_sobol_plain(const struct kd_sobol *sobol, uint32_t index, double *out)
{
    struct digits digits;
    find_digits(sobol, index, &digits);
    for (int i = 0; i < sobol->n_dims; i++)
        out[i] = digits.of[i] * 0x1p-32;
}

/* The digits are read six at a time: below each prefix hangs a tree of 63 nodes, whose turns are
 * bits 1 .. 63 of one hash, in the order of a heap. After 24 digits no two of the first 2^24 points
 * share a prefix, so the rest need only be turned by random bits of the prefix. */
static uint64_t scramble(uint32_t digits, uint64_t key)
{
    enum { CHUNK = 6, CHUNKS = 4, REST = 64 - CHUNK * CHUNKS };
    uint64_t turns = 0, prefix = 1;
    for (int i = 1; i <= CHUNKS; i++) {
        uint64_t tree = kd_hash2(key, prefix);
        uint64_t path = (uint64_t)1 << CHUNK | (digits >> (BITS - CHUNK * i) & ((1 << CHUNK) - 1));
        for (int level = CHUNK; level > 0; level--)
            turns = turns << 1 | (tree >> (path >> level) & 1);
        prefix = (uint64_t)1 << CHUNK * i | digits >> (BITS - CHUNK * i);
    }
    turns = turns << REST | kd_hash2(key, prefix) >> (64 - REST);
    return (uint64_t)digits << BITS ^ turns;
}

void kd_sobol_scrambled(const struct kd_sobol *sobol, uint64_t seed, uint32_t index, double *out)
{
    struct digits digits;
    find_digits(sobol, index, &digits);
    for (int i = 0; i < sobol->n_dims; i++) {
        uint64_t scrambled = scramble(digits.of[i], kd_hash2(seed, (uint64_t)i));
        out[i] = (double)(scrambled >> 11) * 0x1p-53;
    }
}

void kd_sobol_point(uint64_t seed, uint32_t index, int n_dims, double *out)
{
    struct kd_sobol sobol;
    kd_sobol_init(&sobol, n_dims);
    kd_sobol_scrambled(&sobol, seed, index, out);
    kd_sobol_release(&sobol);
}
