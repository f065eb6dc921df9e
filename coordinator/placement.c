#include "coordinator/placement.h"

#include <limits.h>
#include <string.h>

#include "coordinator/base/error.h"

/* How good a set is; the worst pair of a single GPU is INT_MAX. */
struct fit {
    int worst, sum, rest;
};

struct search {
    const struct kd_links *links;
    int wanted, n;
    int at[KD_LINKS_MAX];     /* position of the n free ones, ascending */
    int to_all[KD_LINKS_MAX]; /* of each, the sum over its pairs with the other free ones */
    int chosen[KD_LINKS_MAX]; /* ascending while searching exactly */
    bool found;
    struct fit best_fit;
    int best[KD_LINKS_MAX];
};

static int score(const struct search *search, int i, int j)
{
    return search->links->score[search->at[i]][search->at[j]];
}

static void begin(struct search *search, const struct kd_links *links, const bool *is_free, int n,
                  int wanted)
{
    *search = (struct search){.links = links, .wanted = wanted};
    for (int i = 0; i < n; i++)
        if (is_free[i])
            search->at[search->n++] = i;
    for (int i = 0; i < search->n; i++)
        for (int j = 0; j < search->n; j++)
            search->to_all[i] += score(search, i, j) > 0 ? score(search, i, j) : 0;
}

static bool is_better(const struct fit *a, const struct fit *b)
{
    if (a->worst != b->worst)
        return a->worst > b->worst;
    return a->sum != b->sum ? a->sum > b->sum : a->rest < b->rest;
}

/* Keeps what is chosen when it is better than the best so far; so of equals the first stays. */
static void offer(struct search *search, struct fit fit)
{
    for (int i = 0; i < search->wanted; i++)
        fit.rest += search->to_all[search->chosen[i]];
    fit.rest -= 2 * fit.sum; /* each pair inside was counted from both ends */
    if (search->found && !is_better(&fit, &search->best_fit))
        return;
    search->found = true;
    search->best_fit = fit;
    memcpy(search->best, search->chosen, sizeof search->best);
}

/* ---- all sets ---- */

static struct fit fit_with(const struct search *search, struct fit fit, int n_chosen, int next)
{
    for (int i = 0; i < n_chosen; i++) {
        int pair = score(search, search->chosen[i], next);
        fit.worst = pair < fit.worst ? pair : fit.worst;
        fit.sum += pair;
    }
    return fit;
}

/* Ascending sets in order of their positions, those left out that cannot be the best any more. */
static void try_sets(struct search *search, int n_chosen, int from, struct fit fit)
{
    if (n_chosen == search->wanted) {
        offer(search, fit);
        return;
    }
    for (int next = from; next <= search->n - (search->wanted - n_chosen); next++) {
        struct fit more = fit_with(search, fit, n_chosen, next);
        bool is_hopeless = search->found && more.worst < search->best_fit.worst;
        if (more.worst == KD_LINK_NEVER || is_hopeless)
            continue;
        search->chosen[n_chosen] = next;
        try_sets(search, n_chosen + 1, next + 1, more);
    }
}

static bool are_few_sets(int n, int wanted)
{
    double sets = 1;
    for (int i = 0; i < wanted; i++)
        sets = sets * (n - i) / (i + 1);
    return sets <= KD_PLACEMENT_EXACT;
}

/* ---- growing ---- */

/* A gang that grows, and of each GPU outside what it would add: its worst pair with the gang, their
 * sum, its to_all. */
struct growth {
    bool is_in[KD_LINKS_MAX];
    struct fit adds[KD_LINKS_MAX];
    struct fit fit;
};

static void take_in(const struct search *search, struct growth *growth, int next)
{
    const struct fit *adds = &growth->adds[next];
    growth->is_in[next] = true;
    growth->fit.worst = adds->worst < growth->fit.worst ? adds->worst : growth->fit.worst;
    growth->fit.sum += adds->sum;
    for (int i = 0; i < search->n; i++) {
        int pair = score(search, i, next);
        if (pair < growth->adds[i].worst)
            growth->adds[i].worst = pair;
        growth->adds[i].sum += pair;
    }
}

/* -1: none of the same kind is left. */
static int best_next(const struct search *search, const struct growth *growth)
{
    int best = -1;
    for (int i = 0; i < search->n; i++) {
        if (growth->is_in[i] || growth->adds[i].worst == KD_LINK_NEVER)
            continue;
        if (best < 0 || is_better(&growth->adds[i], &growth->adds[best]))
            best = i;
    }
    return best;
}

static void grow_from(struct search *search, int start)
{
    struct growth growth = {.fit = {.worst = INT_MAX}};
    for (int i = 0; i < search->n; i++)
        growth.adds[i] = (struct fit){.worst = INT_MAX, .rest = search->to_all[i]};
    int next = start;
    for (int size = 0; size < search->wanted; size++) {
        if (next < 0)
            return;
        take_in(search, &growth, next);
        next = best_next(search, &growth);
    }
    int n_chosen = 0;
    for (int i = 0; i < search->n; i++)
        if (growth.is_in[i])
            search->chosen[n_chosen++] = i;
    offer(search, growth.fit);
}

bool kd_placement_pick(const struct kd_links *links, const bool *is_free, int n, int wanted,
                       int *picked)
{
    struct search search;
    kd_assert(n >= 0 && n <= KD_LINKS_MAX && wanted >= 0);
    begin(&search, links, is_free, n, wanted);
    if (wanted > search.n)
        return false;
    if (are_few_sets(search.n, wanted))
        try_sets(&search, 0, 0, (struct fit){.worst = INT_MAX});
    else
        for (int start = 0; start < search.n; start++)
            grow_from(&search, start);
    for (int i = 0; i < wanted && search.found; i++)
        picked[i] = search.at[search.best[i]];
    return search.found;
}
