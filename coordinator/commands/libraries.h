/* libraries.h - which versions of which libraries this program runs with, asked of the libraries
 * themselves. */
#ifndef KD_COMMANDS_LIBRARIES_H
#define KD_COMMANDS_LIBRARIES_H

enum { KD_LIBRARY_VERSION_MAX = 64 };

int kd_n_libraries(void);
const char *kd_library_name(int i);
/* "4.3.4", or "not loaded"; buffer is used where the library gives numbers. */
const char *kd_library_version(int i, char buffer[KD_LIBRARY_VERSION_MAX]);

#endif
