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

static int usage_width(const struct kd_command *command)
{
    return (int)(strlen(command->name) + 1 + strlen(command->arguments));
}

static int widest_usage(void)
{
    int widest = 0;
    for (int i = 0; kd_commands[i] != NULL; i++)
        if (usage_width(kd_commands[i]) > widest)
            widest = usage_width(kd_commands[i]);
    return widest;
}

static void print_group(FILE *out, enum group group)
{
    bool has_title = false;
    int widest = widest_usage();
    for (int i = 0; kd_commands[i] != NULL; i++) {
        const struct kd_command *command = kd_commands[i];
        if (group_of[i] != group)
            continue;
        if (!has_title)
            fprintf(out, "\n%s:\n", titles[group]);
        fprintf(out, "  %s %s%*s%s\n", command->name, command->arguments,
                widest - usage_width(command) + 2, "", command->summary);
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
