/* moves.h - candidates made from the good trials themselves, beside those drawn from their density.
 *
 * A handful of trials has wide kernels (parzen.h: about the range over their number), each along
 * the axes. A move starts at one good trial and goes a share of the difference between two others,
 * so that it follows a valley that is not along an axis and narrows as the good trials draw
 * together (differential evolution: Storn and Price, Journal of Global Optimization 1997), plus a
 * small step of its own. Which candidate is proposed is for the ratio of densities to say, as with
 * all others.
 *
 *     numbers      a + F (b - c) + S range, in the coordinate of axis.h; F uniform in [-0.6, 0.8],
 *                  0 when negative, one for the whole move; S uniform in [-0.1, 0.1]; what leaves
 *                  the range is mirrored back
 *     categorical  b's choice with probability F / 2, else a's
 *     cells        of a number or a category: with probability 0.1 a draw from the parameter's
 *                  distribution, because a small step may not lead out of a cell, and what all good
 *                  trials share would never change
 *     inactive     where a has no value: such a draw */
#ifndef KD_SEARCH_MOVES_H
#define KD_SEARCH_MOVES_H

#include "search/axis.h"
#include "search/history.h"

struct kd_moves {
    const struct kd_axis *axes;       /* borrowed; one per parameter of the history's space */
    const struct kd_history *history; /* borrowed */
    const int *good;                  /* borrowed; numbers of trials */
    int n_good;                       /* 1 at least */
};

/* Writes one value per parameter. start: index into good, or -1 to draw one. */
void kd_moves_draw(const struct kd_moves *moves, int start, struct kd_rng *rng, double *values);

#endif
