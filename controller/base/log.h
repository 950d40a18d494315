/*
 * log: lines for operators, as text or JSON, on standard error.
 *
 * Not a report (controller/report) and not progress on a terminal (controller/cli).
 *
 * Each line has a level, an object ("vm web-01", "git", "pve pve1") and key=value fields from the
 * context of the caller. Secrets registered with log_mask never appear, whatever part of a message
 * they stand in. State is process-wide: set once at start, before the loop runs.
 *
 * Any process; the git worker's lines come out of the worker itself.
 */
#ifndef RAMET_LOG_H
#define RAMET_LOG_H

#include "err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG__MAX };

void log_setup(enum log_level level, bool json);
/* "error", "warn", "info", "debug"; -1 otherwise. */
int log_level_parse(const char *s, enum log_level *ret) MUST_CHECK;
bool log_enabled(enum log_level level);
/* The secret (≥ 4 bytes) is replaced by *** from now on. At most 32 secrets. */
void log_mask(const char *secret);
/* Wall clock for time stamps, milliseconds; without it lines carry none (tests). */
void log_set_clock(int64_t (*wall_ms)(void));
/* Where lines go instead of standard error (tests); NULL = standard error. */
void log_set_sink(void (*sink)(const char *line, void *arg), void *arg);

void log_line(enum log_level level, const char *object, const char *fmt, ...) PRINTF(3, 4);
#define log_error(obj, ...) log_line(LOG_ERROR, obj, __VA_ARGS__)
#define log_warn(obj, ...) log_line(LOG_WARN, obj, __VA_ARGS__)
#define log_info(obj, ...) log_line(LOG_INFO, obj, __VA_ARGS__)
#define log_debug(obj, ...)                                    \
	do {                                                   \
		if (log_enabled(LOG_DEBUG))                    \
			log_line(LOG_DEBUG, obj, __VA_ARGS__); \
	} while (0)

#endif
