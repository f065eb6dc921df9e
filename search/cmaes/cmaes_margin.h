/* cmaes_margin.h - values on a grid for CMA-ES, with a margin (Hamano, Saito, Nomura, Shirakawa:
 * "CMA-ES with Margin", arXiv 2205.13482, section 4).
 *
 * Once the deviation is far below the width of a cell, all draws would round to one value for good.
 * After every update the mean and a scale of the coordinate are corrected so that the cells beside
 * the mean's keep a probability of at least margin / 2 each (at the ends of the grid: margin). */
#ifndef KD_SEARCH_CMAES_MARGIN_H
#define KD_SEARCH_CMAES_MARGIN_H

#include "search/cmaes/cmaes_chart.h"
#include "search/cmaes/cmaes_model.h"

/* scales: one per coordinate, what its steps are multiplied by (1 at the beginning and where there
 * are no cells). margin: in (0, 1/2); the paper takes 1 / (d lambda). */
void kd_margin_correct(const struct kd_chart *chart, double margin, struct kd_cma *cma,
                       double *scales);

#endif
