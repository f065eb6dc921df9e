/* overrides.c - what overrides have to know of a spec. */
#include "coordinator/spec/overrides.h"

#include <string.h>

/* `parameters.lr.max` means the feasibleSpace's. */
static struct kd_yaml *through_space(struct kd_yaml *node, const char *step)
{
    static const char *const fields[] = {"min", "max", "step", "list", "distribution"};
    struct kd_yaml *space = kd_yaml_get(node, "feasibleSpace");
    for (size_t i = 0; space && i < KD_COUNT(fields); i++)
        if (strcmp(fields[i], step) == 0)
            return space;
    return node;
}

/* As one would write who reads the file from its top. */
static bool begins_at_document(const char *override)
{
    return strncmp(override + strspn(override, "+~"), "spec.", 5) == 0;
}

void kd_overrides_apply(struct kd_yaml *document, const char *const *overrides,
                        struct kd_findings *findings)
{
    static const char *const named_lists[] = {"parameters", "algorithmSettings", "metricStrategies",
                                              "trialParameters", NULL};
    static const struct kd_override_rules rules = {.what = "the spec",
                                                   .example = "parameters.lr.max=0.03",
                                                   .named_lists = named_lists,
                                                   .through = through_space};
    struct kd_yaml *spec = kd_yaml_get(document, "spec");
    for (; spec && overrides && *overrides; overrides++)
        if (begins_at_document(*overrides))
            kd_found_error(findings, (struct kd_mark){0, 0, *overrides},
                           "the path begins below spec: leave out \"spec.\"");
        else
            kd_override_apply(spec, *overrides, &rules, findings);
}
