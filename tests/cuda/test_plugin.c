/* test_plugin.c - libkatydid_cuda.so loads on any machine, with nothing but its one function to
 * see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "kernels/plugin.h"

static const struct kd_plugin *load(void)
{
    void *library = dlopen(KD_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    kd_plugin_fn *plugin = NULL;
    void *symbol = dlsym(library, KD_CUDA_PLUGIN_FUNCTION);
    memcpy(&plugin, &symbol, sizeof symbol);
    assert_non_null(plugin);
    assert_null(dlsym(library, "kd_device_cuda"));
    return plugin();
}

static void the_plugin_fits_this_program(void **state)
{
    (void)state;
    const struct kd_plugin *plugin = load();
    assert_int_equal(plugin->abi, KD_PLUGIN_ABI);
    assert_int_equal(plugin->n_ops, KD_N_OPS);
    assert_int_equal(plugin->call_bytes, sizeof(struct kd_call));
    assert_string_equal(plugin->device->name, "cuda");
    assert_true(strlen(plugin->built_for) > 0);
    assert_string_equal(plugin->device->collectives->name, "nccl");
}

/* With a GPU a queue, without one a text that says what is missing and what to do. */
static void the_device_opens_or_says_why_not(void **state)
{
    (void)state;
    struct kd_error err = {0};
    struct kd_queue *queue = NULL;
    const struct kd_device *device = load()->device;
    if (device->open(0, &queue, &err) == 0) {
        device->close(queue);
        return;
    }
    puts(err.text);
    assert_non_null(strstr(err.text, "device cuda: "));
    assert_non_null(strstr(err.text, "device: cpu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plugin_fits_this_program),
        cmocka_unit_test(the_device_opens_or_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
