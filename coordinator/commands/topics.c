#include "coordinator/commands/topics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/arr.h"
#include "coordinator/base/str.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/trainer_topics.h"
#include "coordinator/launch/xid.h"
#include "coordinator/spec/experiment.h"
#include "coordinator/store/query.h"
#include "coordinator/trial.h"
#include "search/pair.h"
#include "search/setting.h"
#include "search/stopper.h"
#include "search/strategy.h"

static void add_columns(struct kd_table *table, const char *const *names)
{
    for (; *names != NULL; names++)
        kd_table_column(table, *names);
}

static int fill_states(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"from", "event", "to", "over", NULL};
    (void)topic, (void)err;
    add_columns(table, columns);
    for (int from = 0; from < KD_N_TRIAL_STATES; from++)
        for (int move = 0; move < KD_N_TRIAL_MOVES; move++) {
            enum kd_trial_state to;
            if (!kd_trial_next_state((enum kd_trial_state)from, (enum kd_trial_move)move, &to))
                continue;
            kd_table_text(table, kd_trial_state_name((enum kd_trial_state)from));
            kd_table_text(table, kd_trial_move_text((enum kd_trial_move)move));
            kd_table_text(table, kd_trial_state_name(to));
            kd_table_text(table, kd_trial_is_terminal(to) ? "yes" : "no");
        }
    return 0;
}

static int fill_exit_codes(const struct kd_topic *topic, struct kd_table *table,
                           struct kd_error *err)
{
    static const char *const columns[] = {"status", "meaning", NULL};
    static const struct {
        int code;
        const char *meaning;
    } rows[] = {
#define X(code, meaning) {code, meaning},
#include "coordinator/commands/exit_codes.def"
#undef X
    };
    (void)topic, (void)err;
    add_columns(table, columns);
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        kd_table_int(table, rows[i].code);
        kd_table_text(table, rows[i].meaning);
    }
    return 0;
}

/* A topic that is a list of texts: its columns and rows, from a .def file. */
static void add_texts(struct kd_table *table, const char *const *columns, const char *const *cells,
                      size_t n_cells)
{
    add_columns(table, columns);
    for (size_t i = 0; i < n_cells; i++)
        kd_table_text(table, strcmp(cells[i], "-") == 0 ? NULL : cells[i]);
}

static int fill_spec(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"field", "default", "meaning", NULL};
    static const char *const cells[] = {
#define X(field, fallback, meaning) field, fallback, meaning,
#include "coordinator/commands/spec_fields.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

static int fill_resources(const struct kd_topic *topic, struct kd_table *table,
                          struct kd_error *err)
{
    static const char *const columns[] = {"field", "default", "meaning", NULL};
    static const char *const cells[] = {
#define X(field, fallback, meaning) field, fallback, meaning,
#include "coordinator/commands/resources.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

static int fill_metrics(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"line", "read", NULL};
    static const char *const cells[] = {
#define X(line, read) line, read,
#include "coordinator/commands/metric_lines.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

static int fill_gpus(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"shown as", "attempt_gpus", "meaning", NULL};
    static const char *const cells[] = {
#define X(shown, column, meaning) shown, column, meaning,
#include "coordinator/commands/gpu_columns.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

/* Of NVSwitches. */
static void add_sxids(struct kd_table *table)
{
    static const struct {
        int first, last;
        const char *meaning;
    } rows[] = {
#define X(first, last, meaning) {first, last, meaning},
#include "coordinator/launch/sxid.def"
#undef X
    };
    char numbers[32];
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        bool is_one = rows[i].first == rows[i].last;
        snprintf(numbers, sizeof numbers, is_one ? "SXid %d" : "SXid %d-%d", rows[i].first,
                 rows[i].last);
        kd_table_text(table, numbers);
        kd_table_text(table, "what ran behind NVSwitches is run again, and no GPU there gets a "
                             "trial in this run");
        kd_table_text(table, rows[i].meaning);
    }
    kd_table_text(table, "other SXids");
    kd_table_text(table, "told and passed over");
    kd_table_text(table, "errors of an NVSwitch or a link; a GPU that one hits has an Xid too");
}

static int fill_xid(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"xid", "effect", "meaning", NULL};
    static const char *const effects[] = {
        [KD_XID_OWN] = "the program's own: a trial that dies of it has failed, the GPU goes on",
        [KD_XID_SILENT] = "passed over, for it comes with every program that is killed",
        [KD_XID_NOTED] = "told and passed over",
        [KD_XID_SPOILS] = "what ran there is run again, the GPU goes on",
        [KD_XID_FAILS] = "what ran there is run again, the GPU gets no trial in this run",
    };
    static const int numbers[] = {
#define X(xid, effect, meaning) xid,
#include "coordinator/launch/xid.def"
#undef X
    };
    (void)topic, (void)err;
    add_columns(table, columns);
    for (size_t i = 0; i < KD_COUNT(numbers); i++) {
        kd_table_int(table, numbers[i]);
        kd_table_text(table, effects[kd_xid_effect(numbers[i])]);
        kd_table_text(table, kd_xid_meaning(numbers[i]));
    }
    kd_table_text(table, "others, lost");
    kd_table_text(table, effects[KD_XID_FAILS]);
    kd_table_text(table,
                  "what NVIDIA's Xid catalog has beside these; a GPU that the driver calls lost");
    add_sxids(table);
    return 0;
}

static int fill_trial(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"when", "then", NULL};
    static const char *const cells[] = {
#define X(when, then) when, then,
#include "coordinator/commands/trial_life.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

static int fill_suggest(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"line", "answer", "meaning", NULL};
    static const char *const cells[] = {
#define X(line, answer, meaning) line, answer, meaning,
#include "coordinator/commands/suggest_lines.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

static int fill_environment(const struct kd_topic *topic, struct kd_table *table,
                            struct kd_error *err)
{
    static const char *const columns[] = {"variable", "meaning", NULL};
    static const char *const cells[] = {
#define X(variable, meaning) variable, meaning,
#include "coordinator/commands/environment.def"
#undef X
    };
    (void)topic, (void)err;
    add_texts(table, columns, cells, KD_COUNT(cells));
    return 0;
}

static void add_database_table(void *ud, const char *name, const char *columns)
{
    kd_table_text(ud, name);
    kd_table_text(ud, columns);
}

static int fill_database(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    static const char *const columns[] = {"table", "columns", NULL};
    (void)topic;
    add_columns(table, columns);
    return kd_query_schema(add_database_table, table, err);
}

static const char *const kind_names[] = {
    [KD_SETTING_NUMBER] = "number", [KD_SETTING_INT] = "integer", [KD_SETTING_BOOL] = "bool",
    [KD_SETTING_CHOICE] = "choice", [KD_SETTING_TEXT] = "text",
};

/* "0 to 1", "at least 1", or the choices. */
static void add_accepted(struct kd_table *table, const struct kd_setting *setting)
{
    struct kd_str text = {0};
    char low[KD_NUMBER_MAX], high[KD_NUMBER_MAX];
    bool is_number = setting->kind == KD_SETTING_NUMBER || setting->kind == KD_SETTING_INT;
    if (setting->kind == KD_SETTING_BOOL)
        kd_str_add(&text, "true, false");
    for (int i = 0; setting->choices != NULL && setting->choices[i] != NULL; i++)
        kd_str_addf(&text, "%s%s", i ? ", " : "", setting->choices[i]);
    if (is_number && isfinite(setting->max))
        kd_str_addf(&text, "%s to %s", kd_number_text(setting->min, low),
                    kd_number_text(setting->max, high));
    else if (is_number && isfinite(setting->min))
        kd_str_addf(&text, "at least %s", kd_number_text(setting->min, low));
    kd_table_text(table, text.length ? text.text : NULL);
    kd_str_release(&text);
}

static void add_setting(struct kd_table *table, const struct kd_setting *setting)
{
    kd_table_text(table, setting->name);
    kd_table_text(table, kind_names[setting->kind]);
    kd_table_text(table, setting->fallback);
    add_accepted(table, setting);
    kd_table_text(table, setting->help);
}

static void fill_settings(struct kd_table *table, const struct kd_setting *settings)
{
    static const char *const columns[] = {"setting", "kind", "default", "accepts", "meaning", NULL};
    add_columns(table, columns);
    for (; settings != NULL && settings->name != NULL; settings++)
        add_setting(table, settings);
}

static int fill_strategy(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    (void)err;
    fill_settings(table, ((const struct kd_strategy *)topic->about)->settings);
    return 0;
}

/* Both halves' settings; what both know stands once. */
static int fill_pair(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    const struct kd_pair *pair = topic->about;
    const struct kd_setting *its = pair->stopper->settings;
    struct kd_settings known = {.declared = pair->strategy->settings};
    (void)err;
    fill_settings(table, pair->strategy->settings);
    for (; its != NULL && its->name != NULL; its++)
        if (!kd_settings_has(&known, its->name))
            add_setting(table, its);
    return 0;
}

static int fill_external(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    (void)topic, (void)err;
    fill_settings(table, kd_external_settings);
    return 0;
}

static int fill_stopper(const struct kd_topic *topic, struct kd_table *table, struct kd_error *err)
{
    (void)err;
    fill_settings(table, ((const struct kd_stopper *)topic->about)->settings);
    return 0;
}

typedef KD_ARR(struct kd_topic) topic_list;

static void push(void *ud, struct kd_topic topic)
{
    topic_list *list = ud;
    kd_arr_push(list, topic);
}

struct kd_topics kd_topics_all(void)
{
    static const struct kd_topic fixed[] = {
#define X(function, name, summary) {name, "topic", summary, fill_##function, NULL},
#include "coordinator/commands/topics.def"
#undef X
    };
    topic_list all = {0};
    json_t *description = kd_trainer_description();
    for (size_t i = 0; i < KD_COUNT(fixed); i++)
        kd_arr_push(&all, fixed[i]);
    for (int i = 0; kd_strategies[i] != NULL; i++)
        kd_arr_push(&all,
                    (struct kd_topic){kd_strategies[i]->name, "strategy", kd_strategies[i]->summary,
                                      fill_strategy, kd_strategies[i]});
    for (int i = 0; kd_pairs[i].name != NULL; i++)
        if (kd_stopper_find(kd_pairs[i].name) == NULL)
            kd_arr_push(&all, (struct kd_topic){kd_pairs[i].name, "strategy with stopper",
                                                kd_pairs[i].summary, fill_pair, &kd_pairs[i]});
    kd_arr_push(&all, (struct kd_topic){"external", "strategy",
                                        "points from a process of your own, on the bus",
                                        fill_external, NULL});
    for (int i = 0; kd_stoppers[i] != NULL; i++)
        kd_arr_push(&all, (struct kd_topic){kd_stoppers[i]->name, "stopper",
                                            kd_stoppers[i]->summary, fill_stopper, kd_stoppers[i]});
    kd_trainer_topics(description, push, &all);
    kd_arr_push(&all, (struct kd_topic){0});
    return (struct kd_topics){all.items, description};
}

void kd_topics_release(struct kd_topics *topics)
{
    free(topics->items);
    json_decref(topics->description);
    *topics = (struct kd_topics){0};
}
