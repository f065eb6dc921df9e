/* problem.h - something to minimise whose best value is known: a space, a function of its points,
 * and two numbers that make results comparable.
 *
 * Problems are grouped in kinds ("bbob-5d"); a problem's name is KIND/NAME ("bbob-5d/f03"). Each
 * has as many instances as one likes: other shifts, rotations and optima of the same function. A
 * run with seed s solves instance s, so the mean over seeds is one over instances, too.
 *
 *     bbob-2d bbob-5d bbob-10d     BBOB f1 .. f24 (bbob.h), doubles in [-5, 5]
 *     mixint-5d mixint-10d         the same, coordinates with 2, 4, 8, 16 levels and continuous in
 *                                  turn, after bbob-mixint (Tusar, Brockhoff, Hansen: GECCO 2019);
 *                                  the optimum lies on the grid
 *     mixcat-5d mixcat-10d         the same, those with 2, 4 and 8 levels as choices in a shuffled order
 *     tree                         a choice of branches with parameters of their own, some with a choice below it
 *     choices                      one parameter of 1,000 unrelated choices beside two doubles
 *     curve                        training runs of the built-in trainer on examples/digits
 *                                  (make_curves.py), looked up
 *     synth                        learning curves with a formula
 *
 * More are found in a folder of tables (make_tables.py). Tables have one instance. */
#ifndef KD_TESTS_BENCH_SEARCH_PROBLEM_H
#define KD_TESTS_BENCH_SEARCH_PROBLEM_H

#include "coordinator/base/arr.h"
#include "coordinator/base/str.h"
#include "search/space.h"

struct problem {
    char *name; /* owned: KIND/NAME */
    const struct problem_kind *kind;
    int instance;
    struct kd_space space; /* owned */
    double optimum;        /* the smallest value */
    double reference;      /* what a random point gives: the median of 400 */
    double (*evaluate)(const struct problem *, const double *point);
    /* Where there are learning curves: a point is trained for n_steps; `evaluate` is the best
     * report of them all. */
    int n_steps; /* 0 = there are none */
    double (*report)(const struct problem *, const double *point, int step); /* step: from 1 */
    double (*step_s)(const struct problem *, const double *point); /* seconds a step takes */
    void (*free_self)(void *self);
    void *self;
};

/* Several problems that are made the same way. */
struct problem_kind {
    const char *name;
    int n;              /* problems */
    int dim;            /* for `make` */
    bool has_choices;   /* for `make` */
    const char *prefix; /* problems are named PREFIX01 .. */
    bool is_fixed;      /* all instances are the same */
    /* Instead of the prefix: the name of problem number 0 .. n-1, borrowed. */
    const char *(*name_at)(const struct problem_kind *, int number);
    /* Fills all of the problem below `space`, and the space, but not the reference. -1 and err: a
     * file is bad. */
    int (*make)(struct problem *, const struct problem_kind *, int number, struct kd_error *);
};

/* The NULL-terminated list of what is built in. */
extern const struct problem_kind *const problem_kinds[];

/* Adds one to those that problem_find_names and problem_new know; borrowed. Not while other threads
 * make problems. */
void problem_add_kind(const struct problem_kind *kind);

/* Adds the tables KIND-NAME.txt of a folder (table.h) as KIND/NAME; nothing where there is no such
 * folder. */
void problem_add_tables(const char *folder);

typedef KD_ARR(char *) problem_names;

/* The names that match any of the shell patterns, separated by commas, in the order of the
 * kinds. */
void problem_find_names(const char *patterns, problem_names *names);
void problem_names_release(problem_names *names);

/* NULL and err: no such problem. */
struct problem *problem_new(const char *name, int instance, struct kd_error *err);
void problem_free(struct problem *problem);

/* How far a value is from the optimum: 0 there, 1 for what a random point gives and for all that is
 * worse. */
double problem_regret(const struct problem *problem, double value);
double problem_regret_on(double optimum, double reference, double value);

/* For `make`: one more parameter; checked. The name is copied. */
void problem_add_number(struct problem *problem, const char *name, enum kd_param_type type,
                        double min, double max, enum kd_distribution distribution);
void problem_add_choices(struct problem *problem, const char *name, int n);

/* The last parameter is active where `parent` takes one of the values from .. to. */
void problem_add_condition(struct problem *problem, int parent, int from, int to);

#endif
