#include "err.h"

#include <stdlib.h>

static const char *const words[ERR__MAX] = {
#define ERR(code, word, doc) [ERR_##code] = word,
#include "errors.def"
#undef ERR
};

int err_set(struct err **ret, enum err_code code, const char *fmt, ...)
{
	if (!ret)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	/* Printed before the old error goes: the arguments may point into it. */
	char *msg = mem_vprintf(fmt, ap);
	va_end(ap);
	err_free(ret);
	*ret = mem_alloc(sizeof(**ret));
	(*ret)->code = code;
	(*ret)->msg = msg;
	return -1;
}

int err_wrap(struct err **err, const char *fmt, ...)
{
	if (!err || !*err)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *prefix = mem_vprintf(fmt, ap);
	va_end(ap);
	char *msg = mem_printf("%s: %s", prefix, (*err)->msg);
	free((*err)->msg);
	(*err)->msg = msg;
	return -1;
}

int err_hint(struct err **err, const char *fmt, ...)
{
	if (!err || !*err)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	char *hint = mem_vprintf(fmt, ap);
	va_end(ap);
	free((*err)->hint);
	(*err)->hint = hint;
	return -1;
}

int err_retry(struct err **err, int64_t ms)
{
	if (err && *err)
		(*err)->retry_ms = ms;
	return -1;
}

int err_pass(struct err **ret, struct err **from)
{
	if (ret == from)
		return -1;
	if (!ret) {
		err_free(from);
		return -1;
	}
	err_free(ret);
	*ret = TAKE(*from);
	return -1;
}

void err_free(struct err **err)
{
	if (!err || !*err)
		return;
	free((*err)->msg);
	free((*err)->hint);
	free(*err);
	*err = NULL;
}

const char *err_word(enum err_code code)
{
	MUST((unsigned)code < ERR__MAX);
	return words[code];
}

const char *err_msg(const struct err *err)
{
	return err && err->msg ? err->msg : "unknown error";
}
