/* spec_read.c - from a file or a text to a checked experiment: the steps, one after the other. */
#include "coordinator/spec/spec_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"
#include "coordinator/base/str.h"
#include "coordinator/spec/digest.h"
#include "coordinator/spec/images.h"
#include "coordinator/spec/overrides.h"
#include "coordinator/spec/read.h"
#include "coordinator/spec/tree.h"

static const struct kd_mark whole_file = {0, 0, NULL};

/* Is it UTF-8 text at all? Finds the first byte that is not. */
static int check_text(struct kd_findings *findings)
{
    const struct kd_source *source = &findings->source;
    struct kd_mark mark = {1, 1, NULL};
    if (source->length >= 2 &&
        (memcmp(source->text, "\xff\xfe", 2) == 0 || memcmp(source->text, "\xfe\xff", 2) == 0))
        return kd_found_error(findings, whole_file, "is UTF-16: save it as UTF-8"), -1;
    for (size_t i = 0; i < source->length;) {
        const unsigned char *p = (const unsigned char *)source->text + i;
        int n = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
        bool good = *p < 0x80 ? *p >= 0x20 || *p == '\t' || *p == '\n' || *p == '\r'
                              : *p >= 0xc2 && *p < 0xf5;
        for (int k = 1; good && k < n; k++)
            good = (p[k] & 0xc0) == 0x80; /* the NUL at the end stops it */
        if (!good || *p == 0x7f)
            return kd_found_error(findings, whole_file,
                                  "is not a text file: byte 0x%02x at line %d, column %d; is this "
                                  "the spec?",
                                  *p, mark.line, mark.column),
                   -1;
        mark.column = *p == '\n' ? 1 : mark.column + 1;
        mark.line += *p == '\n';
        i += (size_t)n;
    }
    return 0;
}

static void skip_byte_order_mark(struct kd_source *source)
{
    if (source->length >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0) {
        source->text += 3;
        source->length -= 3;
    }
}

static struct kd_node *parse(struct kd_findings *findings)
{
    if (findings->source.length > KD_TREE_MAX_BYTES) {
        kd_found_error(findings, whole_file, "has more than 1 MiB: no Experiment is that long");
        return NULL;
    }
    skip_byte_order_mark(&findings->source);
    if (check_text(findings) != 0)
        return NULL;
    struct kd_node *root = kd_tree_parse(findings);
    bool is_empty = root == NULL || root->kind == KD_NODE_NULL;
    if (is_empty && findings->n_errors == 0)
        kd_found_error(findings, whole_file, "is empty: an Experiment is expected");
    return root;
}

static void check_image(struct kd_reader *reader)
{
    const struct kd_image_map *images = reader->options ? reader->options->images : NULL;
    const struct kd_experiment *experiment = reader->experiment;
    const struct kd_node *template = kd_node_at(reader->root, "spec.trialTemplate");
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
    experiment->canonical = kd_canonical(kd_node_get(reader->root, "spec"));
    kd_sha256_hex(experiment->canonical, strlen(experiment->canonical), experiment->digest);
}

/* Overrides need a spec to change; without one the reading says what is missing. */
static void read_root(struct kd_node *root, const struct kd_spec_options *options,
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
    struct kd_findings findings = {.source = {file_name, whole, length}};
    *experiment = (struct kd_experiment){
        .text = whole, .file = kd_strdup(file_name), .base_dir = kd_strdup(base_dir)};
    struct kd_node *root = parse(&findings);
    if (root && findings.n_errors == 0)
        read_root(root, options, experiment, &findings);
    kd_findings_show(&findings, problems);
    if (problems->n_errors == 0 && options && options->overrides && options->overrides[0]) {
        free(experiment->text);
        experiment->text = kd_resolved(root);
    }
    kd_node_free(root);
    if (problems->n_errors == 0)
        return 0;
    kd_experiment_release(experiment);
    return -1;
}

static int refuse_file(const char *path, const char *format, const char *detail,
                       struct kd_problems *problems)
{
    struct kd_findings findings = {.source = {path, "", 0}};
    kd_found_error(&findings, whole_file, format, detail);
    kd_findings_show(&findings, problems);
    return -1;
}

/* At most one byte more than a spec may have; -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t n = read(fd, buffer + length, size - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        length += (size_t)n;
    }
    return (ssize_t)length;
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
    *experiment = (struct kd_experiment){0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse_file(path, "cannot be read: %s", strerror(errno), problems);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return refuse_file(path, "is a folder: name the YAML file in it%s", "", problems);
    }
    char *buffer = kd_alloc(KD_TREE_MAX_BYTES + 2);
    ssize_t length = read_all(fd, buffer, KD_TREE_MAX_BYTES + 1);
    int error = errno, rc;
    close(fd);
    if (length < 0) {
        rc = refuse_file(path, "cannot be read: %s", strerror(error), problems);
    } else {
        char *folder = folder_of(path);
        rc = kd_spec_read_text(buffer, (size_t)length, path, folder, options, experiment, problems);
        free(folder);
    }
    free(buffer);
    return rc;
}
