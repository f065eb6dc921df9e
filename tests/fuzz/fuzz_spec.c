/* Any bytes as a spec: read, or refused with problems; never a crash, a leak or a hang. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "coordinator/base/mem.h"
#include "coordinator/spec/spec_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const overrides[] = {"parameters.lr.max=0.5", "+seed=3", "~limits", NULL};
    struct kd_spec_options options = {.overrides = size % 2 ? overrides : NULL};
    struct kd_experiment experiment;
    struct kd_problems problems;
    int rc = kd_spec_read_text((const char *)bytes, size, "fuzz.yaml", "/", &options, &experiment,
                               &problems);
    if ((rc == 0) != (problems.n_errors == 0))
        abort();
    kd_experiment_release(&experiment);
    kd_problems_release(&problems);
    return 0;
}
