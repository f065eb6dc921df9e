/* log.h - messages for the person who runs the program, on stderr, one line each.
 *
 * "katydid: text" and "katydid: warning: text". KATYDID_LOG=debug shows the debug lines. Control
 * characters in a line are shown escaped, so that a trial's output cannot drive the terminal. */
#ifndef KD_BASE_LOG_H
#define KD_BASE_LOG_H

enum kd_log_level { KD_LOG_DEBUG, KD_LOG_INFO, KD_LOG_WARNING, KD_LOG_ERROR };

void kd_log(enum kd_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define kd_debug(...) kd_log(KD_LOG_DEBUG, __VA_ARGS__)
#define kd_info(...)  kd_log(KD_LOG_INFO, __VA_ARGS__)
#define kd_warn(...)  kd_log(KD_LOG_WARNING, __VA_ARGS__)

/* Would a line on stderr have to wait for its reader? */
int kd_log_would_block(void);

#endif
