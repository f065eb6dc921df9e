#include "coordinator/launch/tree.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/base/arr.h"

struct link {
    pid_t pid, parent;
};

/* The parent stands after the command name, which is in parentheses and may hold anything. */
static bool read_parent(const char *pid_text, pid_t *parent)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid_text);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[n] = '\0';
    const char *after_name = strrchr(line, ')');
    char state;
    return after_name != NULL && sscanf(after_name + 1, " %c %d", &state, parent) == 2;
}

static size_t read_links(struct link **out)
{
    KD_ARR(struct link) links = {0};
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        struct link link = {.pid = atoi(entry->d_name)};
        if (link.pid > 0 && read_parent(entry->d_name, &link.parent))
            kd_arr_push(&links, link);
    }
    if (proc != NULL)
        closedir(proc);
    *out = links.items;
    return links.n;
}

static bool is_below(const struct link *links, size_t n, pid_t pid, pid_t root)
{
    for (int depth = 0; pid > 1 && depth < 1000; depth++) {
        size_t i = 0;
        while (i < n && links[i].pid != pid)
            i++;
        if (i == n)
            return false;
        if (links[i].parent == root)
            return true;
        pid = links[i].parent;
    }
    return false;
}

int kd_tree_signal(pid_t root, int signal_number)
{
    struct link *links;
    size_t n = read_links(&links);
    int found = 0;
    for (size_t i = 0; i < n; i++)
        if (links[i].pid != root && is_below(links, n, links[i].pid, root)) {
            kill(links[i].pid, signal_number);
            found++;
        }
    free(links);
    return found;
}
