#include "coordinator/commands/registry.h"

#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"

#define X(group, name) extern const struct kd_command kd_command_##name;
#include "coordinator/commands/commands.def"
#undef X

const struct kd_command *const kd_commands[] = {
#define X(group, name) &kd_command_##name,
#include "coordinator/commands/commands.def"
#undef X
    NULL,
};

enum group {
#define X(id, title) GROUP_##id,
#include "coordinator/commands/command_groups.def"
#undef X
};

static const char *const titles[] = {
#define X(id, title) title,
#include "coordinator/commands/command_groups.def"
#undef X
};

static const enum group group_of[] = {
#define X(group, name) GROUP_##group,
#include "coordinator/commands/commands.def"
#undef X
};

const struct kd_command *kd_command_find(const char *name)
{
    for (int i = 0; kd_commands[i] != NULL; i++)
        if (strcmp(kd_commands[i]->name, name) == 0)
            return kd_commands[i];
    return NULL;
}

const char *kd_command_nearest(const char *name)
{
    const char *names[KD_COUNT(kd_commands)] = {0};
    for (int i = 0; kd_commands[i] != NULL; i++)
        names[i] = kd_commands[i]->name;
    return kd_nearest_name(name, names);
}

static void print_group(FILE *out, enum group group)
{
    bool has_title = false;
    for (int i = 0; kd_commands[i] != NULL; i++) {
        if (group_of[i] != group)
            continue;
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", kd_commands[i]->name, kd_commands[i]->arguments);
        if (!has_title)
            fprintf(out, "\n%s:\n", titles[group]);
        fprintf(out, "  %-24s%s\n", usage, kd_commands[i]->summary);
        has_title = true;
    }
}

void kd_commands_print(FILE *out)
{
    fputs("Usage: katydid COMMAND [OPTION...]\n\n"
          "Tunes hyperparameters by running real training jobs.\n",
          out);
    for (size_t group = 0; group < KD_COUNT(titles); group++)
        print_group(out, (enum group)group);
    fputs("\n`katydid COMMAND --help` shows a command's options; `katydid explain` lists topics.\n",
          out);
}
