#include "search/cmaes/cmaes_margin.h"

#include <math.h>

#include "search/math/special.h"

/* The distance, in deviations, beyond which a normal distribution has the mass p < 1/2. */
static double tail_distance(double p)
{
    double least = 1e-10, most = 0.5 - 1e-10;
    p = p < least ? least : p > most ? most : p;
    return -kd_normal_quantile(p);
}

/* The mean is in the first or the last cell: the one beside it keeps the margin, by moving the mean
 * (equation 14). */
static double pull_to_edge(double mean, double edge, double deviation, double margin)
{
    double distance = deviation * tail_distance(margin), off = fabs(mean - edge);
    if (!(off > distance))
        return mean;
    return mean > edge ? edge + distance : edge - distance;
}

/* Both cells beside the mean's keep margin / 2: what the two have more than that pays for it
 * (equations 15 to 19). */
static void widen(double *mean, double *scale, double from, double to, double deviation,
                  double margin)
{
    double below = kd_normal_cdf((from - *mean) / deviation);
    double above = kd_normal_cdf((*mean - to) / deviation), within = 1 - below - above;
    double low = below > margin / 2 ? below : margin / 2;
    double high = above > margin / 2 ? above : margin / 2;
    double spare = low + within + high - 3 * margin / 2, excess = 1 - low - high - within;
    double low_part = low + excess * (low - margin / 2) / spare;
    double high_part = high + excess * (high - margin / 2) / spare;
    double a = tail_distance(low_part), b = tail_distance(high_part);
    *scale *= (to - from) / ((a + b) * deviation);
    *mean = (from * b + to * a) / (a + b);
}

void kd_margin_correct(const struct kd_chart *chart, double margin, struct kd_cma *cma,
                       double *scales)
{
    for (int j = 0; j < cma->d; j++) {
        double from, to, deviation = cma->sigma * scales[j] * kd_cma_deviation(cma, j);
        if (!kd_chart_has_cells(chart, j) || !(deviation > 0))
            continue;
        kd_chart_cell(chart, j, cma->mean[j], &from, &to);
        if (isinf(from) || isinf(to))
            cma->mean[j] = pull_to_edge(cma->mean[j], isinf(from) ? to : from, deviation, margin);
        else
            widen(&cma->mean[j], &scales[j], from, to, deviation, margin);
    }
}
