#include "trainer/standalone.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/base/error.h"
#include "coordinator/base/log.h"
#include "trainer/block_file.h"
#include "trainer/file_io.h"
#include "trainer/models/profile.h"
#include "trainer/progress.h"
#include "trainer/train.h"

enum { REFUSED = 2, INTERRUPTED = 130 }; /* exit statuses; 2: a user has to mend something */

static volatile sig_atomic_t interrupted, has_begun, is_quiet;

/* Nothing is lost before the first step, and data may take minutes to be read. */
static void end_at_once(void)
{
    static const char text[] = "katydid: interrupted before the first step\n";
    if (!is_quiet && write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(INTERRUPTED); /* nobody to tell */
    _exit(INTERRUPTED);
}

static void on_signal(int number)
{
    (void)number;
    if (!has_begun)
        end_at_once();
    interrupted = 1;
}

static void note_begin(void)
{
    has_begun = 1;
}

/* A stack for handlers, unless there is one: oneDNN's products use the stack pointer as one more
 * register, so a handler on the stack of the thread that they interrupt writes into the arenas and
 * the heap. */
static void use_signal_stack(void)
{
    static char room[1 << 16]; /* with the widest registers a frame takes 11 KB */
    stack_t stack = {0};
    if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE))
        return;
    stack = (stack_t){.ss_sp = room, .ss_size = sizeof room};
    if (sigaltstack(&stack, NULL) < 0)
        kd_bug("sigaltstack failed");
}

/* The first signal ends the training at the next step, saved where it can be; the second ends it at
 * once. */
static void catch_signals(int rank)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_ONSTACK};
    is_quiet = rank > 0;
    use_signal_stack();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- the terminal as a sink */

struct terminal {
    struct kd_progress progress;
    bool can_save;
};

static void begin(void *ud, const struct kd_course *course)
{
    kd_progress_begin(&((struct terminal *)ud)->progress, course);
}

static void print_report(void *ud, const struct kd_report *report)
{
    kd_progress_report(&((struct terminal *)ud)->progress, report);
}

static enum kd_word poll_signals(void *ud, int64_t optimizer_step)
{
    struct terminal *terminal = ud;
    (void)optimizer_step;
    kd_progress_tick(&terminal->progress);
    if (!interrupted)
        return KD_WORD_GO;
    return terminal->can_save ? KD_WORD_YIELD : KD_WORD_STOP;
}

/* ---- the configuration */

/* Rank 0 reads the file, so that stdin and files of one host only will do. All ranks get the
 * block. */
static json_t *load_block(struct kd_comm *comm, struct kd_block_file *file)
{
    struct kd_error ignored = {0}; /* rank 0 has said what is wrong */
    json_t *block = comm->rank == 0 ? kd_block_file_read(file) : NULL;
    if (kd_comm_any_failed(comm, comm->rank == 0 && !block, &ignored))
        return NULL;
    char *own = block ? json_dumps(block, JSON_COMPACT) : NULL;
    char *text = kd_comm_wait_text(comm, own);
    json_decref(block);
    block = json_loads(text, 0, NULL);
    free(text);
    free(own);
    return block;
}

/* All ranks find the same, and rank 0 knows the places; what another one alone finds is said as it
 * is. */
static int read_config(struct kd_comm *comm, struct kd_block_file *file, json_t *block,
                       const char *folder, struct kd_config *config)
{
    struct kd_problems problems = {0};
    struct kd_error err = {0};
    kd_config_read(config, block, folder, &problems);
    bool failed = kd_problems_fail(&problems, &err) < 0;
    bool any_failed = kd_comm_any_failed(comm, failed, &err);
    if (failed && comm->rank == 0)
        kd_block_file_refuse(file, &problems);
    else if (any_failed && comm->rank == 0)
        kd_log(KD_LOG_ERROR, "%s", err.text);
    kd_problems_release(&problems);
    return any_failed ? -1 : 0;
}

/* In full, so that a message about a path in it can be followed from anywhere. */
static char *folder_of(const char *path)
{
    char *copy = kd_strdup(strcmp(path, "-") == 0 ? "./-" : path);
    const char *folder = dirname(copy);
    char *full = realpath(folder, NULL);
    char *result = kd_strdup(full ? full : folder);
    free(full);
    free(copy);
    return result;
}

/* ---- running */

static int status_of(const struct kd_outcome *outcome)
{
    static const int statuses[] = {
        [KD_OUTCOME_SUCCEEDED] = 0,
        [KD_OUTCOME_STOPPED] = INTERRUPTED,
        [KD_OUTCOME_YIELDED] = INTERRUPTED,
        [KD_OUTCOME_DIVERGED] = 1,
        [KD_OUTCOME_FAILED] = 1,
        [KD_OUTCOME_OUT_OF_MEMORY] = 1,
        [KD_OUTCOME_GPU_TAKEN] = 1,
        [KD_OUTCOME_DROPPED] = 1,
    };
    return outcome->refused ? REFUSED : statuses[outcome->kind];
}

/* A model that does not fit the data shows only now; its reason begins with a pointer. */
static void say_outcome(struct kd_block_file *file, const struct kd_outcome *outcome)
{
    const char *text = outcome->reason.text;
    struct kd_problems problems = {0};
    if (strncmp(text, "/model:", 7) == 0 || strncmp(text, "/model/", 7) == 0) {
        kd_problems_add_error(&problems, "/model", &outcome->reason);
        kd_block_file_refuse(file, &problems);
        kd_problems_release(&problems);
        return;
    }
    if (outcome->refused)
        kd_log(KD_LOG_ERROR, "%s", text);
    else
        kd_log(status_of(outcome) == 1 ? KD_LOG_ERROR : KD_LOG_INFO, "%s: %s",
               kd_outcome_name(outcome->kind), text);
}

static void say_profile(const struct kd_profile *profile)
{
    struct kd_str text = {0};
    kd_profile_print(profile, &text);
    fputs(kd_str_text(&text), stderr);
    kd_str_release(&text);
}

/* A folder that cannot be had is better known now than after the first epoch. */
static int ready_folder(struct kd_comm *comm, const char *folder)
{
    struct kd_error err;
    bool is_mine = comm->rank == 0 && folder;
    bool failed =
        is_mine && (kd_folder_make(folder, &err) < 0 || kd_folder_check(folder, &err) < 0);
    if (failed)
        kd_log(KD_LOG_ERROR, "--checkpoint-dir: %s; give another folder", err.text);
    return kd_comm_any_failed(comm, failed, &err) ? -1 : 0;
}

static const char ANEW[] =
    "begin anew with --fresh, which removes the checkpoints there, or with another "
    "--checkpoint-dir (--start-from takes weights over into that)";

static int train(struct kd_comm *comm, const struct kd_standalone *options,
                 const struct kd_config *config, struct kd_block_file *file)
{
    struct kd_profile profile = {0};
    struct terminal terminal = {.can_save = options->checkpoint_dir != NULL};
    struct kd_sink sink = {
        .ud = &terminal, .begin = begin, .report = print_report, .poll = poll_signals};
    struct kd_job job = {.config = config,
                         .seed = options->seed,
                         .until = options->until,
                         .checkpoint_dir = options->checkpoint_dir,
                         .resume = !options->fresh,
                         .parent_checkpoint = options->start_from,
                         .anew = ANEW,
                         .begins = note_begin,
                         .sink = comm->rank == 0 ? &sink : NULL,
                         .profile = options->profile ? &profile : NULL};
    struct kd_session session;
    struct kd_outcome outcome;
    kd_progress_init(&terminal.progress, config->report_steps ? "step" : "epoch",
                     config->batch_size, comm->size > 1);
    kd_session_init(&session, comm);
    catch_signals(comm->rank);
    kd_train(&session, &job, &outcome);
    kd_session_release(&session);
    kd_progress_release(&terminal.progress);
    if (comm->rank == 0)
        say_outcome(file, &outcome);
    if (comm->rank == 0 && profile.n_steps > 0)
        say_profile(&profile);
    kd_profile_release(&profile);
    return status_of(&outcome);
}

int kd_standalone_run(struct kd_comm *comm, const struct kd_standalone *options)
{
    struct kd_block_file *file = kd_block_file_new(options->config, options->settings);
    struct kd_config config = {0};
    int status = REFUSED;
    json_t *block = load_block(comm, file);
    char *folder = folder_of(options->config);
    if (block && read_config(comm, file, block, folder, &config) == 0 &&
        ready_folder(comm, options->checkpoint_dir) == 0)
        status = train(comm, options, &config, file);
    kd_config_release(&config);
    kd_block_file_free(file);
    json_decref(block);
    free(folder);
    return status;
}
