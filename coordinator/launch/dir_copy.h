/* dir_copy.h - a folder as it stands now, kept beside the one that lives on.
 *
 * The copy appears whole or not at all: it is made under another name, synced and renamed. */
#ifndef KD_LAUNCH_DIR_COPY_H
#define KD_LAUNCH_DIR_COPY_H

#include "coordinator/base/error.h"

/* KD_COPY_LINK: files are hard links where the file system allows, for programs that never change a
 * file in place (write another one, rename). KD_COPY_BYTES: files of their own, which share blocks
 * where the file system can (copy_file_range). */
enum kd_copy_how { KD_COPY_LINK, KD_COPY_BYTES };

/* `to` is replaced; its parent folder is made. Files that vanish meanwhile are left out; sockets
 * and the like too. A `from` that is not there gives an empty folder. -1 and err: `to` is not
 * there. */
int kd_dir_copy(const char *from, const char *to, enum kd_copy_how how, struct kd_error *err);

#endif
