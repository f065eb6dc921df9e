#include "trainer/problems.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/base/str.h"

void kd_problems_release(struct kd_problems *problems)
{
    for (size_t i = 0; i < problems->list.n; i++) {
        free(problems->list.items[i].pointer);
        free(problems->list.items[i].message);
    }
    kd_arr_release(&problems->list);
}

void kd_problems_add(struct kd_problems *problems, const char *pointer, const char *format, ...)
{
    char message[KD_ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    kd_arr_push(&problems->list, (struct kd_problem){kd_strdup(pointer), kd_strdup(message)});
}

void kd_problems_add_error(struct kd_problems *problems, const char *pointer,
                           const struct kd_error *error)
{
    bool below = strncmp(error->text, pointer, strlen(pointer)) == 0;
    const char *colon = below ? strstr(error->text, ": ") : NULL;
    if (!colon) {
        kd_problems_add(problems, pointer, "%s", error->text);
        return;
    }
    char *own = kd_strndup(error->text, (size_t)(colon - error->text));
    kd_problems_add(problems, own, "%s", colon + 2);
    free(own);
}

int kd_problems_fail(const struct kd_problems *problems, struct kd_error *err)
{
    if (problems->list.n == 0)
        return 0;
    struct kd_str all = {0};
    for (size_t i = 0; i < problems->list.n; i++) {
        const struct kd_problem *problem = &problems->list.items[i];
        kd_str_addf(&all, "%strainer%s: %s", i ? "\n" : "", problem->pointer, problem->message);
    }
    kd_fail(err, "%s", kd_str_text(&all));
    kd_str_release(&all);
    return -1;
}
