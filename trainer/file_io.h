/* file_io.h - bytes at a place in a file, whole or an error that says why; folders made and
 * synced. */
#ifndef KD_TRAINER_FILE_IO_H
#define KD_TRAINER_FILE_IO_H

#include <stdint.h>

#include "coordinator/base/error.h"

/* n bytes from byte `at` on; path is for the text. Reading beyond the end is an error. */
int kd_file_read_at(int fd, const char *path, int64_t at, void *bytes, int64_t n,
                    struct kd_error *err);
int kd_file_write_at(int fd, const char *path, int64_t at, const void *bytes, int64_t n,
                     struct kd_error *err);

/* Gives the file its size, and reserves it on the disk where the file system can: a full disk shows
 * here. */
int kd_file_reserve(int fd, const char *path, int64_t n, struct kd_error *err);

int kd_folder_make(const char *path, struct kd_error *err); /* with those above it */

/* 0: it is a folder in which files can be made, as far as can be told without making one. */
int kd_folder_check(const char *path, struct kd_error *err);

/* Names given in the folder are on the disk when it returns. */
int kd_folder_sync(const char *path, struct kd_error *err);

#endif
