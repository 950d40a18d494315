/*
 * mem: allocation, clean-up by scope, and object checks.
 *
 * Not a pool allocator, and not for data from outside without a bound: whoever reads foreign input
 * limits it first (see buf.h). Running out of memory ends the process: everything Ramet must not
 * lose is in Git, in PVE or in the fsynced journal, and code that half-handles ENOMEM is never run.
 *
 * What a function returns by `**ret` or as a fresh pointer belongs to the caller; `_cleanup_(x)`
 * frees it at the end of the scope unless it was passed on with TAKE().
 *
 * Any process, any thread.
 */
#ifndef RAMET_MEM_H
#define RAMET_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Runs fn(&variable) when the variable leaves its scope. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_str_ _cleanup_(mem_free_str)

/* Gives the pointer away: yields its value and leaves NULL behind. */
#define TAKE(p)                                \
	({                                     \
		__typeof__(p) take_tmp_ = (p); \
		(p) = NULL;                    \
		take_tmp_;                     \
	})

/* Object check: the first member of a long-lived struct is `uint32_t magic`. Programming errors
 * only, never input. */
#define CHECK_OBJ(o, m)                                      \
	do {                                                 \
		__typeof__(o) check_obj_ = (o);              \
		if (!check_obj_ || check_obj_->magic != (m)) \
			mem_broken(__FILE__, __LINE__, #o);  \
	} while (0)
#define MUST(cond)                                             \
	do {                                                   \
		if (!(cond))                                   \
			mem_broken(__FILE__, __LINE__, #cond); \
	} while (0)

/* Zeroed memory; size 0 is allowed. Never NULL. */
void *mem_alloc(size_t size);
void *mem_calloc(size_t n, size_t size);
/* Like realloc of n*size bytes with an overflow check. Never NULL. */
void *mem_grow(void *p, size_t n, size_t size);
/* Makes room for one more element in a growing array; *cap is updated. */
#define MEM_PUSH_ROOM(arr, n, cap)                                      \
	do {                                                            \
		if ((n) == (cap)) {                                     \
			(cap) = (cap) ? (cap)*2 : 8;                    \
			(arr) = mem_grow((arr), (cap), sizeof(*(arr))); \
		}                                                       \
	} while (0)

/* Where a key stands in an ascending list of n elements, or would stand: the first index `at` for
 * which `below` no longer holds, else n. `below` is an expression in `at`, such as
 * strcmp(v[at].name, name) < 0. */
#define MEM_PLACE(at, n, below)                                              \
	({                                                                   \
		size_t place_lo_ = 0, place_hi_ = (n);                       \
		while (place_lo_ < place_hi_) {                              \
			size_t at = place_lo_ + (place_hi_ - place_lo_) / 2; \
			if (below)                                           \
				place_lo_ = at + 1;                          \
			else                                                 \
				place_hi_ = at;                              \
		}                                                            \
		place_lo_;                                                   \
	})

/* For qsort and bsearch. */
int mem_compare_u32(const void *a, const void *b);

char *mem_strdup(const char *s);	      /* NULL stays NULL */
char *mem_strndup(const char *s, size_t len); /* len bytes, terminated */
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);
char *mem_vprintf(const char *fmt, va_list ap) PRINTF(1, 0);
/* Frees *p and puts a copy of s (may be NULL) there. */
void mem_replace(char **p, const char *s);

void mem_free_str(char **p); /* free and set to NULL */
/* Overwrites before freeing: for secrets. */
void mem_free_secret(char **p);

_Noreturn void mem_broken(const char *file, int line, const char *what);

#endif
