/* explain_command.c - `katydid explain`: topics, strategies, stoppers and what the built-in trainer
 * knows, from the registries themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/log.h"
#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/options.h"
#include "coordinator/commands/topics.h"
#include "coordinator/commands/view.h"
#include "search/stopper.h"
#include "search/strategy.h"

static int run(int argc, char **argv);

const struct kd_command kd_command_explain = {
    "explain", "[TOPIC]",
    "A topic, strategy, stopper, layer, optimizer, data format ...; without a name, the list", run};

static void print_list(const struct kd_topic *topics, enum kd_format format)
{
    struct kd_table table = {0};
    kd_table_column(&table, "name");
    kd_table_column(&table, "kind");
    kd_table_column(&table, "summary");
    for (; topics->name != NULL; topics++) {
        kd_table_text(&table, topics->name);
        kd_table_text(&table, topics->kind);
        kd_table_text(&table, topics->summary);
    }
    kd_table_print(&table, format, stdout);
    kd_table_release(&table);
}

/* By its name, or by another name of a strategy or stopper. */
static const struct kd_topic *find(const struct kd_topic *topics, const char *name)
{
    const void *about = kd_strategy_find(name);
    if (about == NULL)
        about = kd_stopper_find(name);
    for (; topics->name != NULL; topics++)
        if (strcmp(topics->name, name) == 0 || (about != NULL && topics->about == about))
            return topics;
    return NULL;
}

static int refuse(const struct kd_topic *topics, const char *name)
{
    const char *planned = kd_strategy_planned(name);
    if (planned == NULL)
        planned = kd_stopper_planned(name);
    if (planned != NULL) {
        kd_info("%s (%s) is not supported yet", name, planned);
        return KD_EXIT_NOT_FOUND;
    }
    size_t n = 0;
    while (topics[n].name != NULL)
        n++;
    const char **names = KD_NEW_ARRAY(const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = topics[i].name;
    const char *near = kd_nearest_name(name, names);
    if (near != NULL)
        kd_info("there is nothing about `%s`. Did you mean `katydid explain %s`?", name, near);
    else
        kd_info("there is nothing about `%s`; `katydid explain` lists what there is", name);
    free(names);
    return KD_EXIT_NOT_FOUND;
}

static int print_topic(const struct kd_topic *topic, enum kd_format format)
{
    struct kd_error err = {0};
    struct kd_table table = {0};
    int code = KD_EXIT_OK;
    if (topic->fill(topic, &table, &err) != 0) {
        code = kd_command_fail(&err);
    } else {
        if (format == KD_FORMAT_AS_TABLE)
            printf("%s: %s\n%s", topic->name, topic->summary,
                   kd_table_rows(&table) ? "\n" : "\nIt has no settings.\n");
        if (format != KD_FORMAT_AS_TABLE || kd_table_rows(&table) > 0)
            kd_table_print(&table, format, stdout);
    }
    kd_table_release(&table);
    return code;
}

/* A name may stand for several things: linear is a layer and a schedule. */
static int print_all_called(const struct kd_topic *topic, enum kd_format format)
{
    const char *name = topic->name;
    int code = print_topic(topic, format);
    while (code == KD_EXIT_OK && format == KD_FORMAT_AS_TABLE && (++topic)->name != NULL)
        if (strcmp(topic->name, name) == 0) {
            printf("\n");
            code = print_topic(topic, format);
        }
    return code;
}

static int run(int argc, char **argv)
{
    struct kd_usage usage = {
        .command = &kd_command_explain, .common = KD_OPTION_JSON | KD_OPTION_CSV, .max_words = 1};
    kd_usage_read(&usage, argc, argv);
    struct kd_topics topics = kd_topics_all();
    int code = KD_EXIT_OK;
    if (usage.words[0] == NULL) {
        print_list(topics.items, usage.format);
    } else {
        const struct kd_topic *topic = find(topics.items, usage.words[0]);
        code = topic == NULL ? refuse(topics.items, usage.words[0])
                             : print_all_called(topic, usage.format);
    }
    kd_topics_release(&topics);
    return code;
}
