#include "coordinator/commands/libraries.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/base/mem.h"
#include "coordinator/store/query.h"

/* How a library says its version. Their headers belong to other rooms, so the functions are looked
 * up by name. */
enum manner { GIVES_TEXT, FILLS_THREE_INTS, GIVES_HEX, ASKS_PCRE2, ASKS_STORE };

static const struct {
    const char *name, *symbol;
    enum manner manner;
} libraries[] = {
    {"sqlite", "", ASKS_STORE},
    {"zmq", "zmq_version", FILLS_THREE_INTS},
    {"jansson", "jansson_version_str", GIVES_TEXT},
    {"yaml", "yaml_get_version_string", GIVES_TEXT},
    {"pcre2", "pcre2_config_8", ASKS_PCRE2},
    {"hwloc", "hwloc_get_api_version", GIVES_HEX},
};

enum { PCRE2_VERSION_QUESTION = 11 };

int kd_n_libraries(void)
{
    return (int)KD_COUNT(libraries);
}

const char *kd_library_name(int i)
{
    return libraries[i].name;
}

static const char *ask(enum manner manner, void *symbol, char buffer[KD_LIBRARY_VERSION_MAX])
{
    int parts[3] = {0};
    unsigned hex = 0;
    switch (manner) {
    case GIVES_TEXT:
        return ((const char *(*)(void))symbol)();
    case FILLS_THREE_INTS:
        ((void (*)(int *, int *, int *))symbol)(&parts[0], &parts[1], &parts[2]);
        break;
    case GIVES_HEX:
        hex = ((unsigned (*)(void))symbol)();
        parts[0] = (int)(hex >> 16), parts[1] = (int)(hex >> 8 & 255), parts[2] = (int)(hex & 255);
        break;
    case ASKS_PCRE2:
        ((int (*)(unsigned, void *))symbol)(PCRE2_VERSION_QUESTION, buffer);
        buffer[strcspn(buffer, " ")] = '\0';
        return buffer;
    case ASKS_STORE:
        return kd_sqlite_version();
    }
    snprintf(buffer, KD_LIBRARY_VERSION_MAX, "%d.%d.%d", parts[0], parts[1], parts[2]);
    return buffer;
}

const char *kd_library_version(int i, char buffer[KD_LIBRARY_VERSION_MAX])
{
    void *symbol = dlsym(RTLD_DEFAULT, libraries[i].symbol);
    if (symbol == NULL && libraries[i].manner != ASKS_STORE)
        return "not loaded";
    return ask(libraries[i].manner, symbol, buffer);
}
