/* tree.h - all processes below one: finding and signalling them. Used by the supervisor, which is a
 * subreaper, so that whatever its children leave behind stays below it. */
#ifndef KD_LAUNCH_TREE_H
#define KD_LAUNCH_TREE_H

#include <sys/types.h>

/* Sends the signal to every process below `root` (not to root). Returns how many there were. */
int kd_tree_signal(pid_t root, int signal_number);

#endif
