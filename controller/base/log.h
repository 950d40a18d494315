/*
 * log: lines for operators, as text or JSON, on standard error.
 *
 * Not a report (controller/report) and not progress on a terminal (controller/cli).
 *
 * Each line has a level, an object ("vm web-01", "git", "pve pve1"; NULL = none) and a message, and
 * at most LOG_LINE_MAX bytes. Control characters and bytes that are not UTF-8 are escaped, so that
 * a foreign string can neither forge a line nor drive a terminal. Secrets registered with log_mask
 * never appear, whatever part of a message they stand in. State is process-wide: set once at start,
 * before the loop runs.
 *
 * Any process; the git worker's lines come out of the worker itself.
 */
#ifndef RAMET_LOG_H
#define RAMET_LOG_H

#include "err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG__MAX };

#define LOG_LINE_MAX 8192

void log_setup(enum log_level level, bool json);
/* "error", "warn", "info", "debug"; -1 otherwise. */
int log_level_parse(const char *s, enum log_level *ret) MUST_CHECK;
bool log_enabled(enum log_level level);
/* Colour of the level in text lines. log_setup turns it on for a terminal. */
void log_set_color(bool on);
/* Text lines go to the journal of systemd, which has time and level of its own: it takes "<4>". */
void log_set_journal(bool on);
/* The secret is replaced by *** from now on. One shorter than 4 bytes would riddle every line and
 * is not registered. At most 32 secrets: one more, and the oldest is forgotten. */
void log_mask(const char *secret);
/* Wall clock for time stamps, milliseconds; without it lines carry none (tests). */
void log_set_clock(int64_t (*wall_ms)(void));
/* Where lines go instead of standard error (tests); NULL = standard error. */
/* The line comes without its line end. */
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
