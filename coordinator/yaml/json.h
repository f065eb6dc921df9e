/* json.h - nodes, and texts that stand for values, as JSON. New references. */
#ifndef KD_YAML_JSON_H
#define KD_YAML_JSON_H

#include <jansson.h>

#include "coordinator/yaml/node.h"

/* Scalars typed as they are; non-finite numbers as text. */
json_t *kd_yaml_json(const struct kd_yaml *node);

/* The same with another way for texts. NULL from it leaves the text out. */
typedef json_t *kd_text_json(void *ud, const struct kd_yaml *text);
json_t *kd_yaml_json_with(const struct kd_yaml *node, kd_text_json *text_json, void *ud);

/* "64" is 64 and "true" is true: the value that a text looks like. What is put in place of a whole
 * ${placeholder}. */
json_t *kd_typed_json(const char *text);

/* A whole number as an integer; non-finite ones as text. */
json_t *kd_number_json(double value);

#endif
