#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
	fprintf(stderr, "ramet: out of memory (%zu bytes wanted)\n", size);
	abort();
}

_Noreturn void mem_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "ramet: bug at %s:%d: %s does not hold\n", file, line, what);
	abort();
}

void *mem_calloc(size_t n, size_t size)
{
	/* calloc(0, …) may give NULL, which callers would take for failure or for "none". */
	void *p = n && size ? calloc(n, size) : calloc(1, 1);
	if (!p)
		out_of_memory(n * size);
	return p;
}

void *mem_alloc(size_t size)
{
	return mem_calloc(1, size);
}

void *mem_grow(void *p, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		out_of_memory(SIZE_MAX);
	/* realloc to 0 frees in some libraries and not in others. */
	void *grown = realloc(p, bytes ? bytes : 1);
	if (!grown)
		out_of_memory(bytes);
	return grown;
}

char *mem_strndup(const char *s, size_t len)
{
	MUST(len < SIZE_MAX);
	char *copy = mem_grow(NULL, len + 1, 1);
	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

int mem_compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

char *mem_strdup(const char *s)
{
	return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_vprintf(const char *fmt, va_list ap)
{
	char *s, room[256]; /* vasprintf is slow with the short texts that most are */
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(room, sizeof(room), fmt, ap);
	if (len >= 0 && (size_t)len < sizeof(room))
		s = mem_strndup(room, (size_t)len);
	/* Fails for want of memory, or for a text beyond INT_MAX, which nothing here may reach. */
	else if (vasprintf(&s, fmt, again) < 0)
		out_of_memory(0);
	va_end(again);
	return s;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = mem_vprintf(fmt, ap);
	va_end(ap);
	return s;
}

void mem_replace(char **p, const char *s)
{
	/* Copied first: s may point into *p. */
	char *copy = mem_strdup(s);
	free(*p);
	*p = copy;
}

void mem_free_str(char **p)
{
	free(*p);
	*p = NULL;
}

void mem_free_secret(char **p)
{
	if (*p)
		explicit_bzero(*p, strlen(*p));
	mem_free_str(p);
}
