/* checkpoint_fixture.h - plans with known values in every arena, saved and restored by any number
 * of ranks (threads). */
#ifndef KD_TESTS_TRAINER_CHECKPOINT_FIXTURE_H
#define KD_TESTS_TRAINER_CHECKPOINT_FIXTURE_H

#include <fcntl.h>
#include <math.h>

#include "tests/trainer/support.h"
#include "tests/trainer/thread_comm.h"
#include "trainer/checkpoint.h"
#include "trainer/models/plan_arena.h"
#include "trainer/models/plan_update.h"
#include "trainer/optim/optimizer.h"

static const char SMALL_MODEL[] = "[{\"linear\": {\"units\": 3}}, {\"relu\": {}},"
                                  " {\"linear\": {\"units\": 2}}]";

/* What a test saves or restores with. */
struct saver {
    const char *folder, *model, *optimizer; /* NULL: SMALL_MODEL, adamw */
    bool zero, averages, statistics, rank_0_alone;
    int64_t step;
    double score;
    struct kd_keeping keeping; /* last = 0: two are kept */
    int status;                /* rank 0's */
    struct kd_error err;
    struct kd_checkpoint_file file;
    struct kd_training_state state; /* what was restored */
    float from;                     /* values are made of it */
    unsigned fresh; /* kinds of arenas, as bits, that a restored plan has zeros in */
};

/* Running statistics as a layer would declare them. */
static inline void add_statistics(struct kd_plan *plan)
{
    static const char *const names[] = {"mean", "variance"};
    for (int i = 0; i < 2; i++) {
        struct kd_plan_tensor tensor = {
            .name = kd_format("layers.1.%s", names[i]), .offset = 3 * i, .shape = {3}, .n_dims = 1};
        kd_arr_push(&plan->statistic_tensors, tensor);
    }
    plan->device->free(plan->statistics);
    plan->n_statistics = 6;
    plan->statistics = plan->device->alloc(6 * sizeof(float));
}

static inline struct kd_plan *checkpoint_plan(const struct saver *saver, struct kd_comm *comm)
{
    struct kd_error err;
    json_t *model = json_loads(saver->model ? saver->model : SMALL_MODEL, 0, NULL);
    struct kd_plan_options options = {.model = model,
                                      .input = {.shape = {{2}, .n_dims = 1}, .n_outputs = 2},
                                      .loss = KD_LOSS_CROSS_ENTROPY,
                                      .max_batch = 4,
                                      .device = kd_device_find("cpu", NULL),
                                      .comm = comm};
    struct kd_plan *plan = kd_plan_new(&options, &err);
    if (!plan)
        fail_msg("%s", err.text);
    json_decref(model);
    const char *optimizer = saver->optimizer ? saver->optimizer : "adamw";
    kd_plan_prepare_update(plan,
                           &(struct kd_update_options){.optimizer = kd_optimizer_find(optimizer),
                                                       .zero = saver->zero,
                                                       .averages = saver->averages});
    if (saver->statistics)
        add_statistics(plan);
    return plan;
}

static inline float value_of(const struct saver *saver, enum kd_arena_kind kind, int64_t i)
{
    return saver->from + (float)kind * 100 + (float)i * 0.5f;
}

static inline struct kd_training_state state_make(const struct saver *saver)
{
    const char *optimizer = saver->optimizer ? saver->optimizer : "adamw";
    return (struct kd_training_state){.step = saver->step,
                                      .updates = saver->step - 1,
                                      .steps_per_epoch = 10,
                                      .seed = UINT64_MAX - 5,
                                      .optimizer = optimizer,
                                      .n_slots = kd_optimizer_find(optimizer)->n_slots,
                                      .window = {.loss_sum = 0.1, .n_correct = 3, .n_seen = 7},
                                      .loss_scale = 512,
                                      .loss_scale_good = 6,
                                      .loss_scale_left_out = 5,
                                      .score = saver->score,
                                      .scored_step = saver->step,
                                      .reports = json_array()};
}

static inline void fill_arenas(const struct saver *saver, struct kd_plan *plan, int n_slots)
{
    struct kd_arena arenas[KD_N_ARENAS];
    int n = kd_arenas_of(plan, n_slots, arenas);
    for (int a = 0; a < n; a++)
        for (int64_t i = arenas[a].begin; i < arenas[a].end; i++)
            arenas[a].values[i - arenas[a].begin] = value_of(saver, arenas[a].kind, i);
}

/* One rank. */
static inline void save_rank(struct kd_comm *comm, void *ud)
{
    struct saver *saver = ud, mine = *saver;
    struct kd_plan *plan = checkpoint_plan(saver, comm);
    struct kd_training_state state = state_make(saver);
    struct kd_checkpoint_place place = {saver->folder, comm, saver->rank_0_alone};
    fill_arenas(saver, plan, state.n_slots);
    if (mine.keeping.last == 0)
        mine.keeping.last = 2;
    if (comm->rank == 0) /* what a training would carry with it */
        state.kept = saver->state.kept;
    mine.status = kd_checkpoint_save(&place, plan, &state, &mine.keeping, &mine.file, &mine.err);
    if (comm->rank == 0) {
        *saver = mine;
        saver->state.kept = state.kept;
        memset(&state.kept, 0, sizeof state.kept);
    }
    kd_training_state_release(&state);
    kd_plan_free(plan);
}

/* Every arena of every rank holds what was saved; those of saver->fresh are zero. */
static inline int compare_arenas(const struct saver *saver, struct kd_plan *plan, int n_slots)
{
    struct kd_arena arenas[KD_N_ARENAS];
    int n = kd_arenas_of(plan, n_slots, arenas), n_wrong = 0;
    for (int a = 0; a < n; a++)
        for (int64_t i = arenas[a].begin; i < arenas[a].end; i++) {
            bool is_fresh = saver->fresh >> arenas[a].kind & 1;
            float expected = is_fresh ? 0 : value_of(saver, arenas[a].kind, i);
            n_wrong += arenas[a].values[i - arenas[a].begin] != expected;
        }
    return n_wrong;
}

static inline void restore_rank(struct kd_comm *comm, void *ud)
{
    struct saver *saver = ud, mine = *saver;
    struct kd_plan *plan = checkpoint_plan(saver, comm);
    struct kd_checkpoint_place place = {saver->folder, comm, saver->rank_0_alone};
    struct kd_checkpoint checkpoint = {0};
    mine.state = state_make(saver);
    json_decref(mine.state.reports);
    mine.state.reports = NULL;
    int found = kd_checkpoint_open_newest(&place, &checkpoint, &mine.err);
    mine.status =
        found > 0 ? kd_checkpoint_restore(&checkpoint, plan, &mine.state, &mine.err) : found;
    if (found > 0 && mine.status == 0 && compare_arenas(saver, plan, mine.state.n_slots) > 0)
        mine.status = -2;
    double n_wrong = mine.status == -2;
    comm->backend->sum_doubles(comm, &n_wrong, 1);
    if (n_wrong > 0)
        mine.status = -2; /* other values than those that were saved, on any rank */
    kd_checkpoint_release(&checkpoint);
    kd_plan_free(plan);
    if (comm->rank == 0)
        *saver = mine;
    else
        kd_training_state_release(&mine.state);
}

static inline void run_saver(struct saver *saver, int n_ranks, thread_rank_fn *run)
{
    run_ranks(n_ranks, run, saver);
}

static inline void saver_release(struct saver *saver)
{
    kd_training_state_release(&saver->state);
}

#endif
