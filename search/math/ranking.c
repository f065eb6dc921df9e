#include "search/math/ranking.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/error.h"
#include "coordinator/base/mem.h"

enum { KD_RANKING_BLOCK = 128 };

struct kd_ranking_block {
    int n;
    struct kd_place places[KD_RANKING_BLOCK];
};

void kd_ranking_release(struct kd_ranking *ranking)
{
    for (int i = 0; i < ranking->n_blocks; i++)
        free(ranking->blocks[i]);
    free(ranking->blocks);
    *ranking = (struct kd_ranking){0};
}

static bool comes_before(struct kd_place a, struct kd_place b)
{
    return a.value < b.value || (a.value == b.value && a.trial < b.trial);
}

/* The first block whose last place does not come before this one: where it is or would go; the last
 * block when all are before it. */
static int find_block(const struct kd_ranking *ranking, struct kd_place place)
{
    int low = 0, high = ranking->n_blocks - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const struct kd_ranking_block *block = ranking->blocks[middle];
        if (comes_before(block->places[block->n - 1], place))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many places of the block come before this one. */
static int find_in_block(const struct kd_ranking_block *block, struct kd_place place)
{
    int low = 0, high = block->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (comes_before(block->places[middle], place))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct kd_ranking_block *insert_block(struct kd_ranking *ranking, int at)
{
    if (ranking->n_blocks == ranking->capacity) {
        ranking->capacity = ranking->capacity > 0 ? 2 * ranking->capacity : 4;
        ranking->blocks = kd_realloc_array(ranking->blocks, (size_t)ranking->capacity,
                                           sizeof(struct kd_ranking_block *));
    }
    memmove(&ranking->blocks[at + 1], &ranking->blocks[at],
            (size_t)(ranking->n_blocks - at) * sizeof(struct kd_ranking_block *));
    ranking->n_blocks++;
    ranking->blocks[at] = KD_NEW(struct kd_ranking_block);
    return ranking->blocks[at];
}

/* Moves the upper half of a full block into a new one behind it. */
static void split_block(struct kd_ranking *ranking, int at)
{
    enum { HALF = KD_RANKING_BLOCK / 2 };
    struct kd_ranking_block *upper = insert_block(ranking, at + 1), *lower = ranking->blocks[at];
    upper->n = lower->n - HALF;
    memcpy(upper->places, &lower->places[HALF], (size_t)upper->n * sizeof *upper->places);
    lower->n = HALF;
}

void kd_ranking_add(struct kd_ranking *ranking, struct kd_place place)
{
    if (ranking->n_blocks == 0)
        insert_block(ranking, 0);
    int at = find_block(ranking, place);
    if (ranking->blocks[at]->n == KD_RANKING_BLOCK) {
        split_block(ranking, at);
        at = find_block(ranking, place);
    }
    struct kd_ranking_block *block = ranking->blocks[at];
    int i = find_in_block(block, place);
    memmove(&block->places[i + 1], &block->places[i], (size_t)(block->n - i) * sizeof place);
    block->places[i] = place;
    block->n++;
    ranking->n++;
}

void kd_ranking_remove(struct kd_ranking *ranking, struct kd_place place)
{
    kd_assert(ranking->n > 0);
    int at = find_block(ranking, place);
    struct kd_ranking_block *block = ranking->blocks[at];
    int i = find_in_block(block, place);
    kd_assert(i < block->n && block->places[i].trial == place.trial);
    block->n--;
    ranking->n--;
    memmove(&block->places[i], &block->places[i + 1], (size_t)(block->n - i) * sizeof place);
    if (block->n > 0)
        return;
    free(block);
    ranking->n_blocks--;
    memmove(&ranking->blocks[at], &ranking->blocks[at + 1],
            (size_t)(ranking->n_blocks - at) * sizeof(struct kd_ranking_block *));
}

int kd_ranking_rank(const struct kd_ranking *ranking, struct kd_place place)
{
    if (ranking->n == 0)
        return 0;
    int at = find_block(ranking, place), rank = find_in_block(ranking->blocks[at], place);
    for (int i = 0; i < at; i++)
        rank += ranking->blocks[i]->n;
    return rank;
}

int kd_ranking_below(const struct kd_ranking *ranking, double value)
{
    return kd_ranking_rank(ranking, (struct kd_place){.value = value, .trial = INT_MIN});
}

struct kd_place kd_ranking_at(const struct kd_ranking *ranking, int k)
{
    kd_assert(k >= 0 && k < ranking->n);
    int at = 0;
    for (; k >= ranking->blocks[at]->n; at++)
        k -= ranking->blocks[at]->n;
    return ranking->blocks[at]->places[k];
}

double kd_ranking_quantile(const struct kd_ranking *ranking, double share)
{
    if (ranking->n == 0)
        return NAN;
    double position = share * (ranking->n - 1), below = floor(position);
    double low = kd_ranking_at(ranking, (int)below).value, weight = position - below;
    if (weight <= 0)
        return low;
    double high = kd_ranking_at(ranking, (int)below + 1).value;
    /* Not low + weight * (high - low): the difference of 1e308s overflows. */
    return low == high ? low : (1 - weight) * low + weight * high;
}
