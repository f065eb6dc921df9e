#include "coordinator/commands/trainer_topics.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"

extern char **environ;

/* ---- asking the trainer */

static int start(const char *program, pid_t *pid)
{
    int out[2];
    char *const argv[] = {(char *)program, "--describe", NULL};
    posix_spawn_file_actions_t actions;
    if (pipe2(out, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    int failed = posix_spawn(pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    if (!failed)
        return out[0];
    close(out[0]);
    return -1;
}

json_t *kd_trainer_description(void)
{
    char *program = kd_program_path("katydid-trainer");
    pid_t pid;
    int fd = program ? start(program, &pid) : -1;
    free(program);
    if (fd < 0)
        return NULL;
    FILE *answer = fdopen(fd, "r");
    json_t *description = json_loadf(answer, 0, NULL);
    fclose(answer);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return description;
}

/* ---- a topic's table */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* A default, or a bound, as it is written in a spec. */
static void add_value(struct kd_table *table, const json_t *value)
{
    char *text = json_is_string(value) || !value || json_is_null(value)
                     ? NULL
                     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    kd_table_text(table, text ? text : json_string_value(value));
    free(text);
}

static void add_accepted(struct kd_table *table, const json_t *field)
{
    struct kd_str text = {0};
    char low[KD_NUMBER_MAX], high[KD_NUMBER_MAX];
    const json_t *choices = json_object_get(field, "choices"), *choice;
    const json_t *min = json_object_get(field, "min"), *max = json_object_get(field, "max");
    size_t i;
    json_array_foreach(choices, i, choice)
    {
        kd_str_addf(&text, "%s%s", i ? ", " : "", json_string_value(choice));
    }
    if (json_is_number(min) && json_is_number(max))
        kd_str_addf(&text, "%s to %s%s", kd_number_text(json_number_value(min), low),
                    json_is_true(json_object_get(field, "maxExcluded")) ? "below " : "",
                    kd_number_text(json_number_value(max), high));
    kd_table_text(table, text.length ? text.text : NULL);
    kd_str_release(&text);
}

static int fill_fields(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"field", "kind", "default", "accepts", "meaning", NULL};
    const json_t *fields = json_object_get(topic->about, "fields"), *field;
    size_t i;
    (void)err;
    for (int c = 0; columns[c]; c++)
        kd_table_column(table, columns[c]);
    json_array_foreach(fields, i, field)
    {
        bool required = json_is_true(json_object_get(field, "required"));
        char *name = kd_format("%s%s", text_of(field, "name"), required ? " !" : "");
        kd_table_text(table, name);
        kd_table_text(table, text_of(field, "kind"));
        add_value(table, json_object_get(field, "default"));
        add_accepted(table, field);
        kd_table_text(table, text_of(field, "help"));
        free(name);
    }
    return 0;
}

static int fill_named(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    const json_t *item;
    size_t i;
    (void)err;
    kd_table_column(table, "name");
    kd_table_column(table, "meaning");
    json_array_foreach((const json_t *)topic->about, i, item)
    {
        kd_table_text(table, text_of(item, "name"));
        kd_table_text(table, text_of(item, "summary"));
    }
    return 0;
}

/* ---- the topics */

static const struct {
    const char *list, *kind; /* member of the description; what its items are */
} kinds[] = {
    {"layers", "layer"},         {"presets", "model preset"}, {"losses", "loss"},
    {"optimizers", "optimizer"}, {"schedules", "schedule"},
};

static void add_list(const json_t *list, const char *kind, void (*add)(void *ud, struct kd_topic),
                     void *ud)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        add(ud, (struct kd_topic){text_of(item, "name"), kind, text_of(item, "summary"),
                                  fill_fields, item});
    }
}

void kd_trainer_topics(const json_t *description, void (*add)(void *ud, struct kd_topic topic),
                       void *ud)
{
    const json_t *data = json_object_get(description, "data");
    if (!description)
        return;
    add(ud,
        (struct kd_topic){"trainer", "topic", "The fields of trialTemplate.trainer; ! is required",
                          fill_fields, json_object_get(description, "trainer")});
    add(ud, (struct kd_topic){"data", "topic", "The fields of trainer.data that all formats have",
                              fill_fields, data});
    add(ud, (struct kd_topic){"trainer-metrics", "topic", "What the built-in trainer reports",
                              fill_named, json_object_get(description, "metrics")});
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        add_list(json_object_get(description, kinds[i].list), kinds[i].kind, add, ud);
    add_list(json_object_get(data, "formats"), "data format", add, ud);
}
