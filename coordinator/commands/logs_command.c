/* logs_command.c - `katydid logs`: what a trial printed, safe for the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/safe_text.h"
#include "coordinator/commands/view.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_logs = {"logs", "[NAME] TRIAL", "What a trial printed", run};

struct request {
    const char *db, *experiment, *attempt_text;
    int trial, attempt; /* attempt 0 = the newest */
    bool follow, raw;
};

enum { FOLLOW_MS = 200, CARRY_MAX = 4 };

/* Where attempt n of a trial writes; DESIGN: <database>.d/NAME/NUMBER/a<n>/log. Owned. */
static char *log_path(const struct kd_view *view, const struct kd_trial_info *trial, int attempt)
{
    if (attempt == 0 && trial->log != NULL)
        return kd_strdup(trial->log);
    return kd_format("%s.d/%s/%d/a%d/log", kd_store_path(view->store), view->experiment.name,
                     trial->number, attempt == 0 ? trial->attempts : attempt);
}

static int find_log(const struct request *request, char **path, bool *is_over)
{
    struct kd_view view;
    struct kd_error err = {0};
    struct kd_trial_info *trial = NULL;
    int n = 0, code = kd_view_open(&view, request->db, request->experiment);
    if (code != KD_EXIT_OK)
        return code;
    if (kd_query_trials(view.store, view.experiment.id, request->trial, &trial, &n, &err) != 0) {
        code = kd_command_fail(&err);
    } else if (n == 0) {
        kd_info("%s has no trial %d; `katydid trials` lists its %d", view.experiment.name,
                request->trial, view.experiment.n_trials);
        code = KD_EXIT_NOT_FOUND;
    } else if (request->attempt > trial[0].attempts) {
        kd_info("trial %d of %s has no attempt %d; its newest is %d", request->trial,
                view.experiment.name, request->attempt, trial[0].attempts);
        code = KD_EXIT_NOT_FOUND;
    } else {
        *path = log_path(&view, &trial[0], request->attempt);
        *is_over = kd_trial_is_terminal(trial[0].state) ||
                   (request->attempt > 0 && request->attempt < trial[0].attempts);
    }
    kd_trial_infos_free(trial, n);
    kd_view_close(&view);
    return code;
}

/* A UTF-8 character may be cut by the end of what was read; its bytes wait in `carry` for the
 * rest. */
static void put(struct kd_str *carry, const char *bytes, size_t n, bool raw, bool is_end)
{
    if (raw) {
        fwrite(bytes, 1, n, stdout);
        return;
    }
    struct kd_str safe = {0};
    kd_str_addn(carry, bytes, n);
    size_t whole = carry->length, back = 0;
    while (!is_end && back < CARRY_MAX - 1 && back < whole &&
           ((unsigned char)carry->text[whole - 1 - back] & 0xc0) == 0x80)
        back++;
    if (!is_end && back < whole && (unsigned char)carry->text[whole - 1 - back] >= 0xc0)
        whole -= back + 1;
    kd_safe_add(&safe, kd_str_text(carry), whole, true);
    fwrite(kd_str_text(&safe), 1, safe.length, stdout);
    memmove(carry->text, carry->text + whole, carry->length - whole);
    carry->length -= whole;
    kd_str_release(&safe);
}

static int copy_rest(int fd, struct kd_str *carry, const struct request *request)
{
    char buffer[16384];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        put(carry, buffer, (size_t)n, request->raw, false);
    fflush(stdout);
    return n < 0 || ferror(stdout) ? -1 : 0;
}

static void wait_a_little(void)
{
    struct timespec pause = {.tv_nsec = FOLLOW_MS * 1000000L};
    nanosleep(&pause, NULL);
}

/* Ends when the trial is over. Whether it is is asked before the last reading, or its last lines
 * could be missed. */
static int follow(int fd, struct kd_str *carry, const struct request *request)
{
    bool is_over = false;
    while (!is_over) {
        char *path = NULL;
        wait_a_little();
        int code = find_log(request, &path, &is_over);
        free(path);
        if (code != KD_EXIT_OK)
            return code;
        if (copy_rest(fd, carry, request) != 0)
            return KD_EXIT_ERROR;
    }
    return KD_EXIT_OK;
}

/* A trial that has not started has no log yet. */
static int open_log(const struct request *request, const char *path, bool is_over)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == ENOENT && request->follow && !is_over) {
        char *again = NULL;
        wait_a_little();
        if (find_log(request, &again, &is_over) != KD_EXIT_OK || again == NULL)
            return -1;
        fd = open(again, O_RDONLY | O_CLOEXEC);
        free(again);
    }
    return fd;
}

static int show(const struct request *request)
{
    char *path = NULL;
    bool is_over = false;
    struct kd_str carry = {0};
    int code = find_log(request, &path, &is_over);
    if (code != KD_EXIT_OK)
        return code;
    int fd = open_log(request, path, is_over);
    if (fd < 0) {
        kd_info("trial %d has no log at %s: %s", request->trial, path, strerror(errno));
        free(path);
        return KD_EXIT_NOT_FOUND;
    }
    if (copy_rest(fd, &carry, request) != 0)
        code = KD_EXIT_ERROR;
    else if (request->follow && !is_over)
        code = follow(fd, &carry, request);
    put(&carry, "", 0, request->raw, true);
    if (code == KD_EXIT_OK && lseek(fd, 0, SEEK_CUR) == 0)
        kd_info("trial %d %s", request->trial,
                is_over ? "printed nothing" : "has printed nothing yet");
    kd_str_release(&carry);
    close(fd);
    free(path);
    return code;
}

static int run(int argc, char **argv)
{
    struct request request = {0};
    const struct kd_option options[] = {
        {"follow", 'f', NULL, "Go on until the trial is over", &request.follow},
        {"attempt", 'a', "N", "Of attempt N (1 is the first; default the newest)",
         &request.attempt_text},
        {"raw", 'r', NULL, "Byte for byte, control characters too", &request.raw},
        {0},
    };
    struct kd_usage usage = {.command = &kd_command_logs,
                             .options = options,
                             .common = KD_OPTION_DB,
                             .min_words = 1,
                             .max_words = 2};
    kd_usage_read(&usage, argc, argv);
    request.db = usage.db;
    request.experiment = usage.n_words == 2 ? usage.words[0] : NULL;
    request.trial = kd_option_int("TRIAL", usage.words[usage.n_words - 1], 0, 0);
    request.attempt = kd_option_int("--attempt", request.attempt_text, 1, 0);
    if (request.trial < 0 || request.attempt < 0)
        return KD_EXIT_USAGE;
    return show(&request);
}
