#include "tests/bench/search/kinds.h"

#include "tests/bench/search/bbob.h"

#define BBOB(name_, dim_)                                                                          \
    &(const struct problem_kind)                                                                   \
    {                                                                                              \
        .name = name_, .n = BBOB_FUNCTIONS, .dim = dim_, .prefix = "f", .make = problem_make_bbob  \
    }
#define MIXED(name_, dim_, has_choices_)                                                           \
    &(const struct problem_kind)                                                                   \
    {                                                                                              \
        .name = name_, .n = BBOB_FUNCTIONS, .dim = dim_, .has_choices = has_choices_,              \
        .prefix = "f", .make = problem_make_mixed                                                  \
    }

const struct problem_kind *const problem_kinds[] = {
    BBOB("bbob-2d", 2),
    BBOB("bbob-5d", 5),
    BBOB("bbob-10d", 10),
    MIXED("mixint-5d", 5, false),
    MIXED("mixint-10d", 10, false),
    MIXED("mixcat-5d", 5, true),
    MIXED("mixcat-10d", 10, true),
    &(const struct problem_kind){.name = "tree", .n = 8, .prefix = "t", .make = problem_make_tree},
    &(const struct problem_kind){
        .name = "choices", .n = 4, .prefix = "c", .make = problem_make_choices},
    &(const struct problem_kind){.name = "curve",
                                 .n = 4,
                                 .is_fixed = true,
                                 .name_at = problem_curve_name,
                                 .make = problem_make_curve},
    &(const struct problem_kind){
        .name = "synth", .n = 8, .prefix = "s", .make = problem_make_synth},
    NULL,
};
