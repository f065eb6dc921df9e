/* spec_read.c - from a file or a text to a checked experiment: the steps, one after the other. */
#include "coordinator/spec/spec_read.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/digest.h"
#include "coordinator/spec/images.h"
#include "coordinator/spec/overrides.h"
#include "coordinator/spec/problems.h"
#include "coordinator/spec/read.h"
#include "coordinator/yaml/document.h"

static const struct kd_mark whole_file = {0, 0, NULL};

static void check_image(struct kd_reader *reader)
{
    const struct kd_image_map *images = reader->options ? reader->options->images : NULL;
    const struct kd_experiment *experiment = reader->experiment;
    const struct kd_yaml *template = kd_yaml_at(reader->root, "spec.trialTemplate");
    struct kd_error err;
    if (images && template && experiment->template.kind == KD_TEMPLATE_JOB &&
        experiment->template.image &&
        kd_image_target(images, experiment->template.image, &err) == NULL)
        kd_found_error(reader->findings, template->key_mark, "%s", err.text);
}

static void fill(struct kd_reader *reader)
{
    struct kd_str idle = {0};
    reader->idle = &idle;
    bool is_run = reader->options == NULL || !reader->options->is_for_suggest;
    kd_read_document(reader);
    kd_str_release(&idle);
    if (is_run)
        check_image(reader);
    if (reader->findings->n_errors > 0)
        return;
    if (is_run)
        kd_check_trainer(reader);
    struct kd_experiment *experiment = reader->experiment;
    experiment->canonical = kd_canonical(kd_yaml_get(reader->root, "spec"));
    kd_sha256_hex(experiment->canonical, strlen(experiment->canonical), experiment->digest);
}

/* Overrides need a spec to change; without one the reading says what is missing. */
static void read_root(struct kd_yaml *root, const struct kd_spec_options *options,
                      struct kd_experiment *experiment, struct kd_findings *findings)
{
    struct kd_reader reader = {
        .findings = findings, .experiment = experiment, .options = options, .root = root};
    if (options)
        kd_overrides_apply(root, options->overrides, findings);
    fill(&reader);
}

int kd_spec_read_text(const char *text, size_t length, const char *file_name, const char *base_dir,
                      const struct kd_spec_options *options, struct kd_experiment *experiment,
                      struct kd_problems *problems)
{
    char *whole = kd_alloc(length + 1);
    if (length > 0)
        memcpy(whole, text, length);
    struct kd_findings findings = {.source = {file_name, whole, length, "an Experiment"}};
    *experiment = (struct kd_experiment){
        .text = whole, .file = kd_strdup(file_name), .base_dir = kd_strdup(base_dir)};
    struct kd_yaml *root = kd_document_parse(&findings);
    if (root && findings.n_errors == 0)
        read_root(root, options, experiment, &findings);
    kd_problems_take(problems, &findings);
    if (problems->n_errors == 0 && options && options->overrides && options->overrides[0]) {
        free(experiment->text);
        experiment->text = kd_resolved(root);
    }
    kd_yaml_free(root);
    if (problems->n_errors == 0)
        return 0;
    kd_experiment_release(experiment);
    return -1;
}

static char *folder_of(const char *path)
{
    char *absolute = realpath(path, NULL);
    char *slash = absolute ? strrchr(absolute, '/') : NULL;
    if (slash)
        slash[slash == absolute] = '\0';
    return absolute ? absolute : kd_strdup(".");
}

int kd_spec_read_file(const char *path, const struct kd_spec_options *options,
                      struct kd_experiment *experiment, struct kd_problems *problems)
{
    struct kd_error err;
    size_t length;
    char *text = kd_document_read(path, &length, &err);
    *experiment = (struct kd_experiment){0};
    if (text == NULL) {
        struct kd_findings findings = {.source = {.file = path, .text = ""}};
        kd_found_error(&findings, whole_file, "%s", err.text);
        kd_problems_take(problems, &findings);
        return -1;
    }
    char *folder = folder_of(path);
    int rc = kd_spec_read_text(text, length, path, folder, options, experiment, problems);
    free(folder);
    free(text);
    return rc;
}
