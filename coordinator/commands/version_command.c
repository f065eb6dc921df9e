/* version_command.c - `katydid version`. */
#include <stdio.h>

#include "coordinator/base/json.h"
#include "coordinator/commands/libraries.h"
#include "coordinator/commands/options.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_version = {"version", "", "This program and its libraries", run};

static void print_json(void)
{
    char text[KD_LIBRARY_VERSION_MAX];
    struct kd_str out = {0};
    struct kd_json json = kd_json_to(&out);
    kd_json_open(&json, '{');
    kd_json_add_int(&json, "schema", KD_JSON_SCHEMA);
    kd_json_add_string(&json, "katydid", KATYDID_VERSION);
    kd_json_key(&json, "libraries");
    kd_json_open(&json, '{');
    for (int i = 0; i < kd_n_libraries(); i++)
        kd_json_add_string(&json, kd_library_name(i), kd_library_version(i, text));
    kd_json_close(&json, '}');
    kd_json_close(&json, '}');
    printf("%s\n", kd_str_text(&out));
    kd_str_release(&out);
}

static int run(int argc, char **argv)
{
    char text[KD_LIBRARY_VERSION_MAX];
    struct kd_usage usage = {.command = &kd_command_version, .common = KD_OPTION_JSON};
    kd_usage_read(&usage, argc, argv);
    if (usage.format == KD_FORMAT_AS_JSON) {
        print_json();
        return KD_EXIT_OK;
    }
    printf("katydid %s (", KATYDID_VERSION);
    for (int i = 0; i < kd_n_libraries(); i++)
        printf("%s%s %s", i ? ", " : "", kd_library_name(i), kd_library_version(i, text));
    puts(")");
    return KD_EXIT_OK;
}
