/* signed_rank.h - Wilcoxon's signed-rank test: are paired differences above zero?
 *
 * Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945. Ranks of
 * |difference|, ties by their mean rank; zeros count half to each side (zsplit). */
#ifndef KD_SEARCH_SIGNED_RANK_H
#define KD_SEARCH_SIGNED_RANK_H

/* The probability of differences as far above zero as these, or farther, when they are as likely
 * below it: small = they are above. Exact for up to 50 differences without ties and zeros, else by
 * the normal approximation, corrected for ties: scipy.stats.wilcoxon(alternative="greater",
 * zero_method="zsplit"). 1 when n is 0. No difference may be NaN. */
double kd_signed_rank_p(const double *differences, int n);

#endif
