#include "trainer/standalone.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/log.h"
#include "trainer/train.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first signal ends the training at the next step, saved where it can be; the second ends it at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- the terminal as a sink */

struct terminal {
    const char *unit; /* "epoch" or "step" */
    bool can_save;
};

static void print_report(void *ud, const struct kd_report *report)
{
    const struct terminal *terminal = ud;
    printf("%s=%lld", terminal->unit, (long long)report->step);
    for (int i = 0; i < KD_N_METRICS; i++)
        if (report->has[i])
            printf(" %s=%.6g", kd_metrics[i].name, report->values[i]);
    putchar('\n');
    fflush(stdout);
}

static enum kd_word poll_signals(void *ud, int64_t optimizer_step)
{
    const struct terminal *terminal = ud;
    (void)optimizer_step;
    if (!interrupted)
        return KD_WORD_GO;
    return terminal->can_save ? KD_WORD_YIELD : KD_WORD_STOP;
}

/* ---- the configuration */

static json_t *parse(const char *path, struct kd_error *err)
{
    json_error_t where;
    bool is_stdin = strcmp(path, "-") == 0;
    json_t *root = is_stdin ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &where)
                            : json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        kd_fail(err, "%s:%d:%d: %s", is_stdin ? "stdin" : path, where.line, where.column,
                where.text);
        return NULL;
    }
    return root;
}

/* Rank 0 reads the file, so that stdin and files of one host only will do. All ranks get the text. */
static json_t *load_block(struct kd_comm *comm, const char *path, struct kd_error *err)
{
    json_t *root = comm->rank == 0 ? parse(path, err) : NULL;
    if (kd_comm_any_failed(comm, comm->rank == 0 && !root, err))
        return NULL;
    char *own = root ? json_dumps(root, JSON_COMPACT) : NULL;
    char *text = kd_comm_wait_text(comm, own);
    json_decref(root);
    root = json_loads(text, 0, NULL);
    json_t *inner = json_object_get(root, "trainer");
    json_t *block = json_incref(inner ? inner : root);
    json_decref(root);
    free(text);
    free(own);
    return block;
}

static char *folder_of(const char *path)
{
    char *copy = kd_strdup(strcmp(path, "-") == 0 ? "./-" : path);
    char *folder = kd_strdup(dirname(copy));
    free(copy);
    return folder;
}

/* ---- running */

static int status_of(const struct kd_outcome *outcome)
{
    static const int statuses[] = {
        [KD_OUTCOME_SUCCEEDED] = 0, [KD_OUTCOME_STOPPED] = 130, [KD_OUTCOME_YIELDED] = 130,
        [KD_OUTCOME_DIVERGED] = 1,  [KD_OUTCOME_FAILED] = 1,    [KD_OUTCOME_DROPPED] = 1,
    };
    return statuses[outcome->kind];
}

static int train(struct kd_comm *comm, const struct kd_standalone *options,
                 const struct kd_config *config)
{
    struct terminal terminal = {.unit = config->report_steps ? "step" : "epoch",
                                .can_save = options->checkpoint_dir != NULL};
    struct kd_sink sink = {.ud = &terminal, .report = print_report, .poll = poll_signals};
    struct kd_job job = {.config = config,
                         .seed = options->seed,
                         .until = options->until,
                         .checkpoint_dir = options->checkpoint_dir,
                         .resume = !options->fresh,
                         .parent_checkpoint = options->start_from,
                         .sink = comm->rank == 0 ? &sink : NULL};
    struct kd_session session;
    struct kd_outcome outcome;
    kd_session_init(&session, comm);
    catch_signals();
    kd_train(&session, &job, &outcome);
    kd_session_release(&session);
    if (comm->rank == 0)
        kd_log(status_of(&outcome) == 1 ? KD_LOG_ERROR : KD_LOG_INFO, "%s: %s",
               kd_outcome_name(outcome.kind), outcome.reason.text);
    return status_of(&outcome);
}

int kd_standalone_run(struct kd_comm *comm, const struct kd_standalone *options)
{
    struct kd_error err = {0};
    struct kd_problems problems = {0};
    struct kd_config config;
    int status = 2;
    json_t *block = load_block(comm, options->config, &err);
    if (!block) {
        if (comm->rank == 0)
            kd_log(KD_LOG_ERROR, "%s", err.text);
        return status;
    }
    char *folder = folder_of(options->config);
    kd_config_read(&config, block, folder, &problems);
    bool failed = kd_problems_fail(&problems, &err) < 0;
    if (!kd_comm_any_failed(comm, failed, &err))
        status = train(comm, options, &config);
    else if (comm->rank == 0)
        kd_log(KD_LOG_ERROR, "%s", err.text);
    kd_config_release(&config);
    kd_problems_release(&problems);
    json_decref(block);
    free(folder);
    return status;
}
