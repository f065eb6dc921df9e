#include "tests/cuda/fragment.h"

namespace kd_sim
{

/* A permutation of the 256 elements: steps by an odd number. */
struct spot spot_of(enum role role, unsigned lane, unsigned i)
{
    static const unsigned steps[] = {37, 101, 203}, starts[] = {5, 77, 130};
    unsigned which = static_cast<unsigned>(role), at = lane * FRAGMENT_EACH + i;
    unsigned element = (at * steps[which] + starts[which]) % (FRAGMENT_SIDE * FRAGMENT_SIDE);
    return {element / FRAGMENT_SIDE, element % FRAGMENT_SIDE};
}

static const unsigned whole_warp = 0xFFFFFFFFu;

static void check_matrix(const char *what, const void *matrix, unsigned pitch, size_t bytes,
                         place at)
{
    if (reinterpret_cast<uintptr_t>(matrix) % 32 != 0)
        die("%s at %s:%d of a matrix that is not aligned to 32 bytes", what, at.file, at.line);
    if (pitch * bytes % 16 != 0 || pitch < FRAGMENT_SIDE)
        die("%s at %s:%d with a pitch of %u elements of %zu bytes (at least 16, and a multiple of "
            "16 bytes)",
            what, at.file, at.line, pitch, bytes);
}

/* Each lane compares what it has with what the next one has. */
void meet_at_matrix(const char *what, const void *matrix, unsigned pitch, size_t bytes, place at)
{
    check_matrix(what, matrix, pitch, bytes, at);
    uint64_t mine = reinterpret_cast<uint64_t>(matrix) + static_cast<uint64_t>(pitch) * 0x10001;
    uint64_t next = wait_for({what, at, whole_warp, mine, (lane() + 1) % WARP});
    if (next != mine)
        die("%s at %s:%d: lane %d has another matrix or pitch", what, at.file, at.line,
            (lane() + 1) % WARP);
}

/* ---- products */

/* A warp's; each lane's part until it has taken what became of it. */
struct product {
    struct factors *of_lane[WARP];
    unsigned is_ready; /* lanes whose sums are there, and who do not know yet */
};

static product products[WARPS_MAX];

typedef float matrix[FRAGMENT_SIDE][FRAGMENT_SIDE];

static void multiply_whole(const product &product)
{
    matrix left, right;
    for (unsigned lane = 0; lane < WARP; lane++)
        for (unsigned i = 0; i < FRAGMENT_EACH; i++) {
            spot of_left = spot_of(role::left, lane, i), of_right = spot_of(role::right, lane, i);
            left[of_left.row][of_left.column] = product.of_lane[lane]->left[i];
            right[of_right.row][of_right.column] = product.of_lane[lane]->right[i];
        }
    for (unsigned lane = 0; lane < WARP; lane++)
        for (unsigned i = 0; i < FRAGMENT_EACH; i++) {
            spot at = spot_of(role::sum, lane, i);
            for (unsigned k = 0; k < FRAGMENT_SIDE; k++)
                product.of_lane[lane]->sums[i] += left[at.row][k] * right[k][at.column];
        }
}

/* The first that goes on does it for all: until then none can have changed its part. One that is
 * already at the next product has taken its bit away, and so starts no other. */
void multiply(struct factors &factors, place at)
{
    product &product = products[self->number / WARP];
    unsigned me = 1u << lane();
    product.of_lane[lane()] = &factors;
    wait_for({"mma_sync", at, whole_warp, 0, lane()});
    if (!(product.is_ready & me)) {
        multiply_whole(product);
        product.is_ready = whole_warp;
    }
    product.is_ready &= ~me;
}

} // namespace kd_sim
