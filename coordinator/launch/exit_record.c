#include "coordinator/launch/exit_record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const words[KD_N_GANG_ENDS] = {
    [KD_END_EXITED] = "exited",           [KD_END_ASKED] = "asked",
    [KD_END_ORPHANED] = "orphaned",       [KD_END_LOST] = "lost",
    [KD_END_UNSTARTABLE] = "unstartable", [KD_END_NO_START] = "no_start",
    [KD_END_MEMORY] = "memory",           [KD_END_GPU_MEMORY] = "gpu_memory",
};

static int write_durably(int dir_fd, const char *name, const char *text)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    size_t length = strlen(text);
    int failed = write(fd, text, length) != (ssize_t)length || fsync(fd) != 0;
    close(fd);
    return failed ? -1 : 0;
}

int kd_exit_record_write(const char *dir, const struct kd_exit_record *record)
{
    char line[1100];
    snprintf(line, sizeof line, "%s %d %d %s\n", words[record->end], record->code, record->signal,
             record->text);
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -1;
    int failed = write_durably(dir_fd, "exit.tmp", line) != 0 ||
                 renameat(dir_fd, "exit.tmp", dir_fd, "exit") != 0 || fsync(dir_fd) != 0;
    close(dir_fd);
    return failed ? -1 : 0;
}

static int find_word(const char *word)
{
    for (int i = 0; i < KD_N_GANG_ENDS; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

int kd_exit_record_read(const char *dir, struct kd_exit_record *record)
{
    char path[4200], line[1100], word[16];
    snprintf(path, sizeof path, "%s/exit", dir);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool is_whole = fgets(line, sizeof line, file) != NULL && strchr(line, '\n') != NULL;
    fclose(file);
    int text_at = 0;
    if (!is_whole ||
        sscanf(line, "%15s %d %d %n", word, &record->code, &record->signal, &text_at) != 3)
        return 0;
    int end = find_word(word);
    if (end < 0)
        return 0;
    record->end = (enum kd_gang_end)end;
    line[strcspn(line, "\n")] = '\0';
    snprintf(record->text, sizeof record->text, "%s", line + text_at);
    return 1;
}
