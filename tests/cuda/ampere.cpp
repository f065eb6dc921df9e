#include "tests/cuda/ampere.h"

#include "tests/cuda/runtime.h"

namespace kd_sim
{

static const unsigned whole_warp = 0xFFFFFFFFu;

static unsigned my_lane()
{
    return static_cast<unsigned>(lane());
}

static void check_code(const char *what, place at)
{
    if (my_lane() == 0 && code_architecture() < 80)
        die("%s at %s:%d in code of architecture %d: it is a trap before 80", what, at.file,
            at.line, code_architecture());
}

/* ---- products */

enum { ROWS = 16, COLUMNS = 8, DEPTH = 16 };

/* A warp's; each lane's part until it has taken what became of it. */
struct product {
    struct part_of_product *of_lane[WARP];
    unsigned is_ready; /* lanes whose sums are there, and who do not know yet */
};

static product products[WARPS_MAX];

struct whole {
    float left[ROWS][DEPTH], right[DEPTH][COLUMNS];
};

/* Where element i of what a lane holds stands (PTX ISA, "Matrix fragments for mma.m16n8k16 with
 * floating point type"). */
static void collect(struct whole &whole, const struct part_of_product &part, unsigned lane)
{
    for (unsigned i = 0; i < 8; i++)
        whole.left[lane / 4 + i / 2 % 2 * 8][lane % 4 * 2 + i % 2 + i / 4 * 8] = part.left[i];
    for (unsigned i = 0; i < 4; i++)
        whole.right[lane % 4 * 2 + i % 2 + i / 2 * 8][lane / 4] = part.right[i];
}

static void add_products(const struct whole &whole, struct part_of_product &part, unsigned lane)
{
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < DEPTH; k++)
            part.sums[i] +=
                whole.left[lane / 4 + i / 2 * 8][k] * whole.right[k][lane % 4 * 2 + i % 2];
}

static void multiply_whole(const product &product)
{
    struct whole whole;
    for (unsigned lane = 0; lane < WARP; lane++)
        collect(whole, *product.of_lane[lane], lane);
    for (unsigned lane = 0; lane < WARP; lane++)
        add_products(whole, *product.of_lane[lane], lane);
}

/* The first that goes on does it for all: until then none can have changed its part. One that is
 * already at the next product has taken its bit away, and so starts no other. */
void multiply(struct part_of_product &part, place at)
{
    check_code("kd_multiply", at);
    product &product = products[self->number / WARP];
    unsigned me = 1u << my_lane();
    product.of_lane[my_lane()] = &part;
    wait_for({"kd_multiply", at, whole_warp, 0, lane()});
    if (!(product.is_ready & me)) {
        multiply_whole(product);
        product.is_ready = whole_warp;
    }
    product.is_ready &= ~me;
}

/* ---- matrices */

enum { MATRICES = 4, ROW_BYTES = 16, BANKS_BYTES = 128 };

/* What a warp loads. Two, in turn: who goes on first comes to the next load before others have
 * taken theirs. */
struct loaded {
    const void *address[WARP];
    uint16_t row[WARP][ROW_BYTES / 2];
};

static loaded of_warp[WARPS_MAX][2];
static unsigned which[WARPS_MAX][WARP];
static long conflicts;

long n_bank_conflicts()
{
    return conflicts;
}

static void read_row(loaded &loaded)
{
    memcpy(loaded.row[my_lane()], loaded.address[my_lane()], ROW_BYTES);
}

static void count_conflicts(const loaded &loaded)
{
    for (unsigned matrix = 0; matrix < MATRICES; matrix++) {
        unsigned seen = 0;
        for (unsigned row = 0; row < 8; row++) {
            uintptr_t at = reinterpret_cast<uintptr_t>(loaded.address[matrix * 8 + row]);
            unsigned banks = 1u << at % BANKS_BYTES / ROW_BYTES;
            conflicts += (seen & banks) != 0;
            seen |= banks;
        }
    }
}

static unsigned pair_of(const loaded &loaded, unsigned matrix, bool is_turned)
{
    unsigned near = my_lane() / 4, pair = my_lane() % 4 * 2;
    const uint16_t(*rows)[ROW_BYTES / 2] = loaded.row + matrix * 8;
    uint16_t first = is_turned ? rows[pair][near] : rows[near][pair];
    uint16_t second = is_turned ? rows[pair + 1][near] : rows[near][pair + 1];
    return first | static_cast<unsigned>(second) << 16;
}

void load_matrices(unsigned (&x)[4], const void *row, bool is_turned, place at)
{
    unsigned warp = self->number / WARP;
    loaded &loaded = of_warp[warp][which[warp][my_lane()]++ % 2];
    bool is_early = my_lane() % 2 == 0;
    check_code("kd_load_matrices", at);
    if (reinterpret_cast<uintptr_t>(row) % ROW_BYTES != 0)
        die("kd_load_matrices at %s:%d of a row that is not aligned to 16 bytes", at.file, at.line);
    loaded.address[my_lane()] = row;
    if (is_early)
        read_row(loaded);
    wait_for({"kd_load_matrices", at, whole_warp, 0, lane()});
    if (!is_early)
        read_row(loaded);
    wait_for({"kd_load_matrices, read", at, whole_warp, 0, lane()});
    if (my_lane() == 0)
        count_conflicts(loaded);
    for (unsigned i = 0; i < MATRICES; i++)
        x[i] = pair_of(loaded, i, is_turned);
}

} // namespace kd_sim
