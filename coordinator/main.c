/* main.c - finds the command that was asked for. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/registry.h"

static int refuse(const char *name)
{
    const char *near = kd_command_nearest(name);
    fprintf(stderr, "katydid: there is no command `%s`.", name);
    if (near != NULL)
        fprintf(stderr, " Did you mean `katydid %s`?", near);
    fputs(" `katydid help` lists them.\n", stderr);
    return KD_EXIT_USAGE;
}

static int run(const struct kd_command *command, int argc, char **argv)
{
    char *program = kd_format("katydid %s", command->name);
    argv[0] = program;
    int code = command->run(argc, argv);
    free(program);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("katydid: cannot write the output");
        return code == KD_EXIT_OK ? KD_EXIT_ERROR : code;
    }
    return code;
}

/* `katydid help NAME` is `katydid NAME --help`. */
static int help(const char *name)
{
    const struct kd_command *command = name == NULL ? NULL : kd_command_find(name);
    if (name != NULL && command == NULL)
        return refuse(name);
    if (command == NULL) {
        kd_commands_print(stdout);
        return KD_EXIT_OK;
    }
    char program[] = "katydid", option[] = "--help", *arguments[] = {program, option, NULL};
    return run(command, 2, arguments);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = KD_EXIT_USAGE; /* argp's own is 64 */
    const char *name = argc > 1 ? argv[1] : "help";
    argp_err_exit_status = KD_EXIT_USAGE;
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct kd_command *command = kd_command_find(name);
    return command == NULL ? refuse(name) : run(command, argc - 1, argv + 1);
}
