/* read_metrics.c - where a program's metrics come from: Katib's metricsCollectorSpec and our
 * trialTemplate.metrics. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/filter.h"
#include "coordinator/spec/read.h"

#define KATIB_FILE "/var/log/katib/metrics.log"

static void add_filter(struct kd_reader *reader, const struct kd_yaml *value,
                       struct kd_metrics_collector *collector)
{
    struct kd_error err;
    const char *pattern = kd_yaml_text(reader, value);
    if (pattern == NULL)
        return;
    struct kd_filter *filter = kd_filter_new(pattern, &err);
    if (filter == NULL)
        kd_found_error(reader->findings, value->mark, "%s", err.text);
    kd_filter_free(filter);
    collector->filters = kd_realloc_array(collector->filters, (size_t)collector->n_filters + 1,
                                          sizeof *collector->filters);
    collector->filters[collector->n_filters++] = kd_strdup(pattern);
}

static void read_filters(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    if (kd_yaml_is_scalar(value))
        add_filter(reader, value, target);
    else if (kd_yaml_expect_list(reader, value, "the filter"))
        for (size_t i = 0; i < value->children.n; i++)
            add_filter(reader, value->children.items[i], target);
}

static void read_format(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const formats[] = {"TEXT", "JSON", NULL};
    static const char *const ours[] = {"text", "json", NULL};
    bool is_lower = value->text && value->text[0] >= 'a';
    int format = kd_yaml_choice(reader, value, "format", is_lower ? ours : formats);
    if (format >= 0)
        *(enum kd_metric_format *)target = (enum kd_metric_format)format;
}

static void check_format(struct kd_reader *reader, const struct kd_yaml *value,
                         const struct kd_metrics_collector *collector)
{
    if (collector->format == KD_FORMAT_JSON && collector->n_filters > 0)
        kd_found_error(reader->findings, value->mark,
                       "a filter does not go with format JSON: a line is one object there");
}

static void read_filter_block(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {{"metricsFormat", read_filters, 0, 0}, {0}};
    kd_fields_read(reader, value, fields, "filter", target);
}

static void read_path_kind(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const char *const kinds[] = {"File", "Directory", NULL};
    (void)target;
    kd_yaml_choice(reader, value, "kind", kinds);
}

static void read_path(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    kd_read_text(reader, value, target);
    bool is_placed =
        value->text && (value->text[0] == '/' || strncmp(value->text, "${trialDir}", 11) == 0);
    if (value->text && !is_placed && value->text[0] != '\0')
        kd_found_error(reader->findings, value->mark, "path must be absolute, not \"%s\"",
                       value->text);
}

#define AT(member) offsetof(struct kd_metrics_collector, member)
static void read_file_path(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"path", read_path, AT(file), 0},
        {"kind", read_path_kind, 0, 0},
        {"format", read_format, AT(format), 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "fileSystemPath", target);
}

static void read_source(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"fileSystemPath", read_file_path, 0, 0},
        {"httpGet", NULL, 0, KD_FIELD_PLANNED},
        {"filter", read_filter_block, 0, 0},
        {0},
    };
    kd_fields_read(reader, value, fields, "source", target);
}

static void read_kind(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    enum { STDOUT, FILE_KIND, N_BUILT };
    static const char *const kinds[] = {
        "StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push", "None", NULL};
    struct kd_metrics_collector *collector = target;
    int kind = kd_yaml_choice(reader, value, "metrics collector", kinds);
    if (kind >= N_BUILT)
        kd_found_error(reader->findings, value->mark,
                       "the metrics collector %s is not supported yet: print the metrics, or use "
                       "File",
                       value->text);
    else if (kind == FILE_KIND && collector->file == NULL)
        collector->file = kd_strdup(KATIB_FILE);
    else if (kind == STDOUT && collector->file) {
        kd_found_error(reader->findings, value->mark, "StdOut takes no fileSystemPath; use File");
    }
}

static void read_kind_block(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"kind", read_kind, 0, KD_FIELD_REQUIRED},
        {"customCollector", NULL, 0, KD_FIELD_PLANNED},
        {0},
    };
    kd_fields_read(reader, value, fields, "collector", target);
}

/* The source first: the kind is checked against it, in whatever order they stand. */
void kd_read_collector(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"collector", NULL, 0, 0}, {"source", NULL, 0, 0}, {0}};
    kd_fields_read(reader, value, fields, "metricsCollectorSpec", target);
    const struct kd_yaml *source = kd_yaml_get(value, "source");
    const struct kd_yaml *kind = kd_yaml_get(value, "collector");
    if (source)
        read_source(reader, source, target);
    if (kind)
        read_kind_block(reader, kind, target);
    check_format(reader, value, target);
}

void kd_read_metrics(struct kd_reader *reader, const struct kd_yaml *value, void *target)
{
    static const struct kd_field fields[] = {
        {"filter", read_filters, 0, 0},
        {"format", read_format, AT(format), 0},
        {"file", kd_read_text, AT(file), 0},
        {0},
    };
    const struct kd_yaml *katibs = kd_yaml_at(reader->root, "spec.metricsCollectorSpec");
    if (katibs) {
        kd_found_error(reader->findings, value->key_mark,
                       "metrics are described in metricsCollectorSpec (line %d) already: keep one",
                       katibs->key_mark.line);
        return;
    }
    kd_fields_read(reader, value, fields, "metrics", target);
    check_format(reader, value, target);
}
