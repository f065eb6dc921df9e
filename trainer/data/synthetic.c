/* synthetic.c - data made up from a seed, for trying a model and for tests: no file, any shape, and
 * something to learn.
 *
 * Features and images are their class's prototype plus noise (an image's prototype is made of large
 * patches, so that crops keep it). A token is followed by its successor in a random cycle, or, in
 * one place of four, by any. */
#include <inttypes.h>
#include <string.h>

#include "coordinator/base/rng.h"
#include "trainer/data/labels.h"

static const struct kd_option fields[] = {
    {.name = "kind",
     .kind = KD_OPTION_CHOICE,
     .fallback = "features",
     .choices = (const char *const[]){"features", "images", "tokens", NULL},
     .help = "what a sample is"},
    {.name = "shape",
     .kind = KD_OPTION_LIST,
     .required = true,
     .help = "of one sample: [features], [h, w, channels] or [tokens]"},
    {.name = "classes",
     .kind = KD_OPTION_INT,
     .fallback = "10",
     .min = 2,
     .max = 1 << 20,
     .help = "classes; of tokens: the vocabulary"},
    {.name = "samples",
     .kind = KD_OPTION_INT,
     .fallback = "1000",
     .min = 2,
     .max = 1e9,
     .help = "how many"},
    {.name = "noise",
     .kind = KD_OPTION_NUMBER,
     .fallback = "1",
     .min = 0,
     .max = 1e6,
     .help = "its size beside the prototypes'"},
    {.name = "seed",
     .kind = KD_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = 9007199254740991.0,
     .help = "of everything"},
    {0},
};

enum kind { FEATURES, IMAGES, TOKENS };
enum { PATCHES = 4, GREY = 128, CONTRAST = 50, DIM_MAX = 1 << 20 };
static const int64_t BYTES_MAX = INT64_C(1) << 36;
static const uint64_t PROTOTYPES = 0x70726F74, SAMPLES = 0x73616D70;

struct recipe {
    enum kind kind;
    int64_t n, classes;
    uint64_t seed;
    float noise;
    struct kd_shape shape;
};

static int read_shape(struct recipe *recipe, const json_t *list, struct kd_error *err)
{
    int n_dims = recipe->kind == IMAGES ? 3 : 1;
    if (json_array_size(list) != (size_t)n_dims)
        return kd_fail(err, "shape: %s have %d numbers, such as %s, not %zu",
                       recipe->kind == IMAGES   ? "images"
                       : recipe->kind == TOKENS ? "tokens"
                                                : "features",
                       n_dims, recipe->kind == IMAGES ? "[32, 32, 3]" : "[64]",
                       json_array_size(list));
    recipe->shape.n_dims = n_dims;
    for (int i = 0; i < n_dims; i++) {
        double dim = json_number_value(json_array_get(list, (size_t)i));
        if (!(dim >= 1 && dim <= DIM_MAX) || dim != (double)(int64_t)dim)
            return kd_fail(err, "shape: number %d is %g, not a whole number from 1 to %d", i, dim,
                           DIM_MAX);
        recipe->shape.dims[i] = (int64_t)dim;
    }
    return 0;
}

static int read_recipe(const json_t *block, bool peek, struct recipe *recipe, struct kd_error *err)
{
    *recipe = (struct recipe){
        .kind = (enum kind)kd_option_choice(fields, block, "kind"),
        .n = kd_option_int(fields, block, "samples"),
        .classes = kd_option_int(fields, block, "classes"),
        .seed = (uint64_t)kd_option_int(fields, block, "seed"),
        .noise = (float)kd_option_number(fields, block, "noise"),
    };
    if (read_shape(recipe, json_object_get(block, "shape"), err) < 0)
        return -1;
    double bytes = (double)recipe->n * 4;
    for (int i = 0; i < recipe->shape.n_dims; i++)
        bytes *= (double)recipe->shape.dims[i];
    if (bytes > (double)BYTES_MAX)
        return kd_fail(err,
                       "samples: %" PRId64 " samples of this shape are %.0f GiB in memory; "
                       "ask for fewer",
                       recipe->n, bytes / 0x1p30);
    if (peek)
        recipe->n = 1;
    return 0;
}

/* [-1, 1) */
static float draw(struct kd_rng *rng)
{
    return (float)(int32_t)(kd_rng_u32(rng) >> 8) * 0x1p-23f - 1.0f;
}

/* [classes][numbers of a prototype]; the caller frees. */
static float *make_prototypes(const struct recipe *recipe, int64_t size)
{
    struct kd_rng rng = kd_rng_at(recipe->seed, PROTOTYPES);
    float *prototypes = KD_NEW_ARRAY(float, (size_t)(recipe->classes * size));
    for (int64_t i = 0; i < recipe->classes * size; i++)
        prototypes[i] = draw(&rng);
    return prototypes;
}

static void make_features(const struct recipe *recipe, struct kd_table *table)
{
    int64_t f = recipe->shape.dims[0];
    float *prototypes = make_prototypes(recipe, f);
    float *x = KD_NEW_ARRAY(float, (size_t)(recipe->n * f));
    for (int64_t i = 0; i < recipe->n; i++) {
        struct kd_rng rng = kd_rng_at(kd_hash2(recipe->seed, SAMPLES), (uint64_t)i);
        const float *prototype = prototypes + i % recipe->classes * f;
        for (int64_t j = 0; j < f; j++)
            x[i * f + j] = prototype[j] + recipe->noise * draw(&rng);
    }
    free(prototypes);
    table->element = KD_ELEMENT_F32;
    table->floats = x;
    kd_table_own(table, x, f * (int64_t)sizeof *x);
}

static uint8_t pixel(float value)
{
    float grey = GREY + CONTRAST * value;
    return (uint8_t)(grey < 0 ? 0 : grey > 255 ? 255 : grey);
}

static void make_images(const struct recipe *recipe, struct kd_table *table)
{
    int64_t h = recipe->shape.dims[0], w = recipe->shape.dims[1], c = recipe->shape.dims[2];
    int64_t size = h * w * c, patches = PATCHES * PATCHES * c;
    float *prototypes = make_prototypes(recipe, patches);
    uint8_t *x = KD_NEW_ARRAY(uint8_t, (size_t)(recipe->n * size));
    for (int64_t i = 0; i < recipe->n; i++) {
        struct kd_rng rng = kd_rng_at(kd_hash2(recipe->seed, SAMPLES), (uint64_t)i);
        const float *prototype = prototypes + i % recipe->classes * patches;
        for (int64_t j = 0; j < size; j++) {
            int64_t row = j / c / w * PATCHES / h, column = j / c % w * PATCHES / w;
            float value = prototype[(row * PATCHES + column) * c + j % c];
            x[i * size + j] = pixel(value + recipe->noise * draw(&rng));
        }
    }
    free(prototypes);
    table->element = KD_ELEMENT_U8;
    kd_table_own(table, x, size);
}

/* successor[token], one cycle through all (Sattolo's shuffle). */
static uint32_t *make_cycle(const struct recipe *recipe)
{
    struct kd_rng rng = kd_rng_at(recipe->seed, PROTOTYPES);
    uint32_t *successor = KD_NEW_ARRAY(uint32_t, (size_t)recipe->classes);
    for (int64_t i = 0; i < recipe->classes; i++)
        successor[i] = (uint32_t)i;
    for (int64_t i = recipe->classes - 1; i > 0; i--) {
        uint64_t j = kd_rng_below(&rng, (uint64_t)i);
        uint32_t kept = successor[i];
        successor[i] = successor[j];
        successor[j] = kept;
    }
    return successor;
}

static void make_tokens(const struct recipe *recipe, struct kd_table *table)
{
    int64_t n = recipe->n * recipe->shape.dims[0] + 1;
    struct kd_rng rng = kd_rng_at(kd_hash2(recipe->seed, SAMPLES), 0);
    uint32_t *successor = make_cycle(recipe), *x = KD_NEW_ARRAY(uint32_t, (size_t)n);
    for (int64_t i = 1; i < n; i++) {
        uint32_t word = kd_rng_u32(&rng);
        x[i] = word >> 30 ? successor[x[i - 1]]
                          : (uint32_t)((uint64_t)(word << 2) * (uint64_t)recipe->classes >> 32);
    }
    free(successor);
    table->vocabulary = recipe->classes;
    table->element = KD_ELEMENT_U32;
    kd_table_own(table, x, recipe->shape.dims[0] * (int64_t)sizeof *x);
}

static int open_synthetic(const struct kd_data_source *source, struct kd_table *table,
                          struct kd_error *err)
{
    static void (*const make[])(const struct recipe *,
                                struct kd_table *) = {make_features, make_images, make_tokens};
    struct recipe recipe;
    if (read_recipe(source->block, source->peek, &recipe, err) < 0)
        return -1;
    make[recipe.kind](&recipe, table);
    table->n = recipe.n;
    table->shape = recipe.shape;
    if (recipe.kind == TOKENS)
        return 0;
    kd_labels_begin(table, source);
    for (int64_t i = 0; i < table->n; i++)
        if (kd_labels_take(table, source, i, (double)(i % recipe.classes), recipe.classes - 1) < 0)
            return kd_fail(err, "sample %" PRId64 ": target 0 is %" PRId64 KD_TARGET_NO_SHARE, i,
                           i % recipe.classes);
    if (table->labels)
        table->max_label = (int32_t)recipe.classes - 1;
    /* Whatever is ignored, some of at least two labels count; of one row that is looked at, perhaps
     * none. */
    table->max_label_at = table->labels ? kd_strdup("synthetic data") : NULL;
    return 0;
}

const struct kd_data_format kd_data_format_synthetic = {
    .name = "synthetic",
    .summary = "made up from a seed: features, images or tokens that can be learnt",
    .fields = fields,
    .open = open_synthetic,
};
