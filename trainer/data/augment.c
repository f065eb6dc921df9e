#include "trainer/data/augment.h"

#include <math.h>

#include "coordinator/base/rng.h"
#include "trainer/data/permutation.h"

static const uint64_t SHARE_KEY = 0x6D697873, PARTNER_KEY = 0x6D697870;

const struct kd_option kd_augment_options[] = {
    {.name = "crop",
     .kind = KD_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = 1 << 16,
     .help = "images: moved by up to so many pixels each way, zeros beyond the edge"},
    {.name = "flip",
     .kind = KD_OPTION_BOOL,
     .fallback = "false",
     .help = "images: left to right, every second one"},
    {.name = "cutout",
     .kind = KD_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = 1 << 16,
     .help = "images: a square of so many pixels becomes 0"},
    {.name = "mixup",
     .kind = KD_OPTION_NUMBER,
     .fallback = "0",
     .min = 0,
     .max = 1e6,
     .help =
         "a: each sample is mixed with another of its batch, the share from Beta(a, a); 0: not"},
    {0},
};

struct kd_augment kd_augment_read(const json_t *block)
{
    return (struct kd_augment){
        .crop = kd_option_int(kd_augment_options, block, "crop"),
        .cutout = kd_option_int(kd_augment_options, block, "cutout"),
        .flip = json_is_true(json_object_get(block, "flip")),
        .mixup = kd_option_number(kd_augment_options, block, "mixup"),
    };
}

int kd_augment_check(const struct kd_augment *augment, const struct kd_table *table,
                     struct kd_error *err)
{
    const char *field = augment->crop > 0 ? "crop" : augment->cutout > 0 ? "cutout" : "flip";
    const char *kind = kd_table_is_tokens(table) ? "tokens" : "features";
    if (kd_augment_moves_pixels(augment) && !kd_table_is_images(table))
        return kd_fail(err,
                       "augment.%s: only images can be changed so, but the samples are %s; "
                       "leave it out",
                       field, kind);
    if (augment->mixup > 0 && kd_table_is_tokens(table))
        return kd_fail(err, "augment.mixup: tokens cannot be mixed; leave it out");
    return 0;
}

static double normal(struct kd_rng *rng)
{
    static const double two_pi = 6.283185307179586;
    double radius = sqrt(-2 * log(1 - kd_rng_uniform(rng)));
    return radius * cos(two_pi * kd_rng_uniform(rng));
}

/* The logarithm of a Gamma(a) number (Marsaglia, Tsang: "A simple method for generating gamma
 * variables", 2000). In logarithms, because for a small `a` most numbers are too small for a
 * double. */
static double log_gamma_number(struct kd_rng *rng, double a)
{
    double boost = 0;
    if (a < 1) {
        boost = log(1 - kd_rng_uniform(rng)) / a;
        a += 1;
    }
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(rng), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(1 - kd_rng_uniform(rng)) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

float kd_augment_share(const struct kd_augment *augment, uint64_t seed, int64_t step)
{
    if (augment->mixup == 0)
        return 0;
    struct kd_rng rng = kd_rng_at(kd_hash2(seed, SHARE_KEY), (uint64_t)step);
    double one = log_gamma_number(&rng, augment->mixup);
    double other = log_gamma_number(&rng, augment->mixup);
    double share = 1 / (1 + exp(one - other));
    return (float)(share < 0.5 ? share : 1 - share);
}

void kd_augment_partners(int32_t *partners, int64_t n, uint64_t seed, int64_t step)
{
    kd_permutation_fill(partners, n, kd_hash2(seed, PARTNER_KEY), (uint64_t)step);
}
