/* Gives every file of the folders (or files) named on the command line to LLVMFuzzerTestOneInput: the corpus of a
 * fuzz target as an ordinary test, without libFuzzer. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int n_run;

static int run_file(const char *path)
{
    struct stat st;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &st) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (file)
            fclose(file);
        return -1;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *bytes = malloc(size ? size : 1);
    if (bytes && fread(bytes, 1, size, file) == size) {
        LLVMFuzzerTestOneInput(bytes, size);
        n_run++;
    }
    free(bytes);
    fclose(file);
    return 0;
}

static int run_folder(const char *path, DIR *dir)
{
    char name[4096];
    int rc = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        rc |= run_file(name);
    }
    return rc;
}

int main(int argc, char **argv)
{
    int rc = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        rc |= dir ? run_folder(argv[i], dir) : run_file(argv[i]);
        if (dir)
            closedir(dir);
    }
    printf("%d inputs\n", n_run);
    return rc != 0 || n_run == 0;
}
