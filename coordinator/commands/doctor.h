/* doctor.h - the checks of `katydid doctor`: each looks at one thing and adds what it saw. */
#ifndef KD_COMMANDS_DOCTOR_H
#define KD_COMMANDS_DOCTOR_H

#include "coordinator/commands/table.h"

enum kd_health { KD_HEALTH_OK, KD_HEALTH_NOTE, KD_HEALTH_BAD };

struct kd_doctor {
    const char *db; /* --db, or NULL */
    struct kd_table table;
    int n_bad;
};

/* One line: what was looked at, how it is, what was seen. */
void kd_doctor_add(struct kd_doctor *doctor, const char *what, enum kd_health health,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

#define X(function) void kd_check_##function(struct kd_doctor *doctor);
#include "coordinator/commands/doctor.def"
#undef X

#endif
