/* doctor_command.c - `katydid doctor`: what this machine has, and what may go wrong on it. */
#include <stdarg.h>
#include <stdio.h>

#include "coordinator/base/mem.h"
#include "coordinator/commands/doctor.h"
#include "coordinator/commands/options.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_doctor = {"doctor", "", "What this machine has and lacks", run};

static void (*const checks[])(struct kd_doctor *) = {
#define X(function) kd_check_##function,
#include "coordinator/commands/doctor.def"
#undef X
};

void kd_doctor_add(struct kd_doctor *doctor, const char *what, enum kd_health health,
                   const char *format, ...)
{
    static const char *const names[] = {"ok", "note", "bad"};
    static const enum kd_style styles[] = {KD_STYLE_GOOD, KD_STYLE_WARN, KD_STYLE_BAD};
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kd_table_text(&doctor->table, what);
    kd_table_text(&doctor->table, names[health]);
    kd_table_style(&doctor->table, styles[health]);
    kd_table_text(&doctor->table, text);
    doctor->n_bad += health == KD_HEALTH_BAD;
}

static int run(int argc, char **argv)
{
    struct kd_usage usage = {.command = &kd_command_doctor,
                             .common = KD_OPTION_DB | KD_OPTION_JSON | KD_OPTION_CSV,
                             .doc = "Exit status: 1 when something is bad, else 0."};
    kd_usage_read(&usage, argc, argv);
    struct kd_doctor doctor = {.db = usage.db};
    kd_table_column(&doctor.table, "what");
    kd_table_column(&doctor.table, "health");
    kd_table_column(&doctor.table, "seen");
    for (size_t i = 0; i < KD_COUNT(checks); i++)
        checks[i](&doctor);
    kd_table_print(&doctor.table, usage.format, stdout);
    kd_table_release(&doctor.table);
    return doctor.n_bad > 0 ? KD_EXIT_ERROR : KD_EXIT_OK;
}
