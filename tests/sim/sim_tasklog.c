/* What a task says while it is at work. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_job.h"

__attribute__((format(printf, 3, 0))) static void log_v(
    struct job *j, const char *prefix, const char *fmt, va_list ap)
{
	char *msg = NULL, *rest, *line;

	if (vasprintf(&msg, fmt, ap) < 0)
		return;
	rest = msg;
	while ((line = strsep(&rest, "\n")))
		strs_add_take(&j->task->log, mem_printf("%s%s", prefix, line));
	free(msg);
}

void job_log(struct job *j, const char *fmt, ...)
{
	va_list ap;

	if (!j->task)
		return;
	va_start(ap, fmt);
	log_v(j, "", fmt, ap);
	va_end(ap);
}

void job_warn(struct job *j, const char *fmt, ...)
{
	va_list ap;

	if (!j->task)
		return;
	va_start(ap, fmt);
	log_v(j, j->sim->v9 ? "WARN: " : "", fmt, ap);
	va_end(ap);
	if (j->sim->v9)
		j->task->warnings++;
}
