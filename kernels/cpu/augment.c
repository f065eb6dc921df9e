#include <string.h>

#include "coordinator/base/rng.h"
#include "kernels/cpu/table.h"
#include "kernels/simd.h"

/* What happens to one image. */
struct fate {
    int64_t down, right; /* where in the source the first row and column come from */
    bool flipped;
    int64_t hole_row, hole_column; /* may lie outside */
};

static int64_t below(uint32_t word, int64_t n)
{
    return (int64_t)((uint64_t)word * (uint64_t)n >> 32);
}

static struct fate fate_of(const struct kd_op_augment *a, int64_t sample)
{
    uint32_t words[4];
    kd_philox(kd_hash2(a->turn->seed, KD_AUGMENT_KEY), (uint64_t)sample,
              (uint64_t)a->turn->step << 32, words);
    int64_t middle = below(words[3], a->h * a->w);
    return (struct fate){
        .down = below(words[0], 2 * a->crop + 1) - a->crop,
        .right = below(words[1], 2 * a->crop + 1) - a->crop,
        .flipped = a->flip && words[2] >> 31,
        .hole_row = middle / a->w - a->cutout / 2,
        .hole_column = middle % a->w - a->cutout / 2,
    };
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* y[b] = x[b + right], zeros where x has nothing. */
static void move_row(const float *x, float *y, int64_t w, int64_t channels, int64_t right)
{
    int64_t begin = clamp(-right, 0, w), end = clamp(w - right, begin, w);
    size_t pixel = (size_t)channels * sizeof *y;
    memset(y, 0, (size_t)begin * pixel);
    memset(y + end * channels, 0, (size_t)(w - end) * pixel);
    if (end > begin)
        memcpy(y + begin * channels, x + (begin + right) * channels, (size_t)(end - begin) * pixel);
}

static void flip_row(float *y, int64_t w, int64_t channels)
{
    for (int64_t left = 0, right = w - 1; left < right; left++, right--)
        for (int64_t c = 0; c < channels; c++) {
            float kept = y[left * channels + c];
            y[left * channels + c] = y[right * channels + c];
            y[right * channels + c] = kept;
        }
}

static void cut_hole(const struct kd_op_augment *a, float *y, const struct fate *fate)
{
    int64_t top = clamp(fate->hole_row, 0, a->h);
    int64_t bottom = clamp(fate->hole_row + a->cutout, top, a->h);
    int64_t left = clamp(fate->hole_column, 0, a->w);
    int64_t right = clamp(fate->hole_column + a->cutout, left, a->w);
    for (int64_t row = top; row < bottom; row++)
        memset(y + (row * a->w + left) * a->channels, 0,
               (size_t)((right - left) * a->channels) * sizeof *y);
}

static void augment_image(const struct kd_op_augment *a, const float *x, float *y,
                          const struct fate *fate)
{
    int64_t width = a->w * a->channels;
    for (int64_t row = 0; row < a->h; row++) {
        int64_t from = row + fate->down;
        float *to = y + row * width;
        if (from < 0 || from >= a->h)
            memset(to, 0, (size_t)width * sizeof *to);
        else
            move_row(x + from * width, to, a->w, a->channels, fate->right);
        if (fate->flipped)
            flip_row(to, a->w, a->channels);
    }
    if (a->cutout > 0)
        cut_hole(a, y, fate);
}

void kd_cpu_augment(struct kd_queue *queue, const struct kd_op_augment *a)
{
    (void)queue;
    int64_t size = a->h * a->w * a->channels;
    for (int64_t i = 0; size > 0 && i < a->n; i++) {
        struct fate fate = fate_of(a, a->samples[i]);
        augment_image(a, (const float *)a->x + i * size, (float *)a->y + i * size, &fate);
    }
}

KD_SIMD static void mix(float *x, const float *other, int64_t n, float share)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (1.0f - share) * x[i] + share * other[i];
}

void kd_cpu_mix(struct kd_queue *queue, const struct kd_op_mix *a)
{
    (void)queue;
    mix(a->x, a->other, a->n, a->turn->mix);
}
