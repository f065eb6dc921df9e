/* document.c - reading a file and the checks before its first node. */
#include "coordinator/yaml/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/base/mem.h"

static const struct kd_mark whole_file = {0, 0, NULL};

/* -1 with errno. */
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

char *kd_document_read_fd(int fd, size_t *length, struct kd_error *err)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return kd_fail(err, "is a folder: name the file in it"), NULL;
    char *text = kd_alloc(KD_TREE_MAX_BYTES + 2);
    ssize_t n = read_all(fd, text, KD_TREE_MAX_BYTES + 1);
    if (n < 0) {
        kd_fail_errno(err, "cannot be read");
        free(text);
        return NULL;
    }
    *length = (size_t)n;
    return text;
}

char *kd_document_read(const char *path, size_t *length, struct kd_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return kd_fail_errno(err, "cannot be read"), NULL;
    char *text = kd_document_read_fd(fd, length, err);
    close(fd);
    return text;
}

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
                                  "the right file?",
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

struct kd_yaml *kd_document_parse(struct kd_findings *findings)
{
    if (findings->source.length > KD_TREE_MAX_BYTES) {
        kd_found_error(findings, whole_file, "has more than 1 MiB, which is too long for %s",
                       findings->source.what);
        return NULL;
    }
    skip_byte_order_mark(&findings->source);
    if (check_text(findings) != 0)
        return NULL;
    struct kd_yaml *root = kd_tree_parse(findings);
    bool is_empty = root == NULL || root->kind == KD_NODE_NULL;
    if (is_empty && findings->n_errors == 0)
        kd_found_error(findings, whole_file, "is empty: %s is expected", findings->source.what);
    return root;
}
