/* corpus_main.c - runs a fuzz target over files, as an ordinary test: what a fuzzer once found
 * stays found.
 *
 *     corpus_<name> FILE|FOLDER...
 *
 * Every file of a folder is one input, in the order of their names, each in a heap block of exactly
 * its size, so that a sanitizer sees the first byte read beyond it. An empty input is always run. A
 * missing folder is an error: a corpus that is not found would pass for ever. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_inputs;

static int fail(const char *path)
{
    fprintf(stderr, "corpus: %s: %s\n", path, strerror(errno));
    return -1;
}

static int run_file(const char *path, size_t size)
{
    uint8_t *data = malloc(size > 0 ? size : 1);
    FILE *file = fopen(path, "rb");
    int rc = -1;
    if (data == NULL || file == NULL || fread(data, 1, size, file) != size) {
        fail(path);
        goto out;
    }
    fprintf(stderr, "%s\n", path); /* the last line before a crash names the input */
    LLVMFuzzerTestOneInput(data, size);
    n_inputs++;
    rc = 0;
out:
    if (file != NULL)
        fclose(file);
    free(data);
    return rc;
}

static int run_path(const char *path);

static int run_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return fail(path);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && run_path(child) != 0)
            rc = -1;
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int run_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return fail(path);
    return S_ISDIR(status.st_mode) ? run_folder(path) : run_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    uint8_t nothing = 0;
    int rc = 0;
    LLVMFuzzerTestOneInput(&nothing, 0);
    for (int i = 1; i < argc; i++)
        if (run_path(argv[i]) != 0)
            rc = 1;
    if (n_inputs == 0) {
        fprintf(stderr, "corpus: no input was run; usage: %s FILE|FOLDER...\n", argv[0]);
        rc = 1;
    }
    printf("%d inputs\n", n_inputs);
    return rc;
}
