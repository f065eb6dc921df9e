/* registry.h - the commands by name and by group. */
#ifndef KD_COMMANDS_REGISTRY_H
#define KD_COMMANDS_REGISTRY_H

#include <stdio.h>

#include "coordinator/commands/command.h"

const struct kd_command *kd_command_find(const char *name); /* NULL when there is none */

/* The nearest command's name, or NULL. */
const char *kd_command_nearest(const char *name);

/* The commands in their groups with their summaries. */
void kd_commands_print(FILE *out);

#endif
