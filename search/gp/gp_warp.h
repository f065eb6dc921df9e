/* gp_warp.h - objectives to targets that a Gaussian process can follow, whatever their scale.
 *
 * z = (value - best) / spread, from 0 to 1e6, spread the distance of the lower quartile from the
 * best; then the power transform of Yeo and Johnson (Biometrika 87, 2000), which for z >= 0 is that
 * of Box and Cox of 1 + z:
 *
 *     w = ((1 + z)^lambda - 1) / lambda,  ln(1 + z) for lambda = 0,  ln dw/dz = (lambda - 1) ln(1 + z)
 *
 * lambda 1 leaves the shape, 0 looks at the logarithm of how far a value is from the best, below 0
 * the bad ones become alike. Last, to mean 0 and deviation 1. Any finite values, in any order of
 * magnitude, give finite targets. */
#ifndef KD_SEARCH_GP_WARP_H
#define KD_SEARCH_GP_WARP_H

/* The power transform; z >= 0. */
double kd_yeo_johnson(double z, double lambda);

struct kd_warp_scale {
    double best, spread;
};
struct kd_warp_scale kd_warp_scale_of(const double *values, int n); /* finite, n >= 1 */

/* targets[i] of values[i], all finite, n >= 1. Returns the logarithm of the product of dw/dz over
 * the deviation, the Jacobian that makes the evidence of targets under different lambdas
 * comparable. */
double kd_warp(struct kd_warp_scale scale, const double *values, int n, double lambda,
               double *targets);

#endif
