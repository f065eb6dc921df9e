/* document.h - from a file's bytes to its tree: is it a text, is it one document, is there anything
 * in it? */
#ifndef KD_YAML_DOCUMENT_H
#define KD_YAML_DOCUMENT_H

#include "coordinator/base/error.h"
#include "coordinator/yaml/tree.h"

/* The file's bytes with a NUL behind them; the caller frees. At most one byte more than
 * KD_TREE_MAX_BYTES is read, so that kd_document_parse can refuse it. NULL: the text of err does
 * not name the file ("cannot be read: ..."). */
char *kd_document_read(const char *path, size_t *length, struct kd_error *err);
/* The same of what is open already. */
char *kd_document_read_fd(int fd, size_t *length, struct kd_error *err);

/* The tree of findings->source, which loses a byte order mark. NULL or an error in findings when it
 * is none. */
struct kd_yaml *kd_document_parse(struct kd_findings *findings);

#endif
