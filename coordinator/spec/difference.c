#include "coordinator/yaml/difference.h"
#include "coordinator/spec/spec_read.h"

/* parameters.lr.max, not parameters.lr.feasibleSpace.max: as an override would say it. */
char *kd_spec_difference(const char *old_canonical, const char *new_canonical)
{
    static const struct kd_difference_rules rules = {.unsaid = "feasibleSpace"};
    struct kd_str out = {0};
    json_t *before = json_loads(old_canonical, 0, NULL),
           *after = json_loads(new_canonical, 0, NULL);
    kd_difference_add(&out, "", before, after, &rules);
    json_decref(before);
    json_decref(after);
    return kd_str_take(&out);
}
