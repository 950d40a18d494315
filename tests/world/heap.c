/*
 * heap: malloc and its family for a program that plays thousands of worlds and nothing else.
 *
 * Not for what serves anybody: no checks, no threads, and nothing goes back to the system.
 *
 * A freed piece waits in the list of its size for the next one of that size. A world is over before
 * its memory could fall to pieces; the peak of all worlds is what the process has in the end.
 *
 * Tests: one process without threads, a third of whose time the usual malloc takes.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GRAIN 16      /* sizes up to SMALL are rounded up to it */
#define SMALL 1024    /* larger ones to the next power of two */
#define SMALL_BITS 10 /* of SMALL */
#define LISTS (SMALL / GRAIN + 64)
#define CHUNK ((size_t)32 << 20) /* that is asked of the system */

/* In front of each piece. */
struct head {
	uint32_t list;
	uint32_t shift; /* of an aligned piece: so far into another one */
	struct head *next;
};

static struct head *lists[LISTS];
static char *top, *end;

static uint32_t list_of(size_t size)
{
	if (size <= SMALL)
		return (uint32_t)((size + GRAIN - 1) / GRAIN);
	return SMALL / GRAIN + 64 - (uint32_t)__builtin_clzll(size - 1) - SMALL_BITS;
}

static size_t size_of(uint32_t list)
{
	if (list <= SMALL / GRAIN)
		return (size_t)list * GRAIN;
	return (size_t)SMALL << (list - SMALL / GRAIN);
}

static void *fresh(uint32_t list)
{
	size_t size = size_of(list) + sizeof(struct head);
	struct head *h;

	if ((size_t)(end - top) < size) {
		size_t chunk = size > CHUNK ? size : CHUNK;
		void *p = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED) {
			errno = ENOMEM;
			return NULL;
		}
		top = p;
		end = top + chunk;
	}
	h = (struct head *)(void *)top;
	top += size;
	*h = (struct head){.list = list};
	return h + 1;
}

void *malloc(size_t size)
{
	uint32_t list = list_of(size ? size : 1);
	struct head *h = lists[list];

	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	if (!h)
		return fresh(list);
	lists[list] = h->next;
	h->shift = 0;
	return h + 1;
}

void free(void *p)
{
	struct head *h = (struct head *)p - 1;

	if (!p)
		return;
	h -= h->shift;
	h->next = lists[h->list];
	lists[h->list] = h;
}

/* Told to the compiler as something else, or it makes a call of calloc of it. */
static void *(*volatile const take)(size_t) = malloc;

void *calloc(size_t n, size_t size)
{
	size_t all;
	void *p = __builtin_mul_overflow(n, size, &all) ? NULL : take(all);

	return p ? memset(p, 0, all) : NULL;
}

void *realloc(void *p, size_t size)
{
	struct head *h = (struct head *)p - 1;
	size_t have;
	void *moved;

	if (!p)
		return malloc(size);
	have = size_of(h->list) - h->shift * sizeof(*h);
	if (size <= have)
		return p;
	moved = malloc(size);
	if (moved) {
		memcpy(moved, p, have);
		free(p);
	}
	return moved;
}

void *aligned_alloc(size_t align, size_t size)
{
	size_t room = align > sizeof(struct head) ? align : 0, at;
	char *p = take(size + room);
	struct head *h, *of = (struct head *)(void *)p - 1;

	if (!p || !room)
		return p;
	at = (align - (uintptr_t)p % align) % align;
	if (!at)
		return p;
	h = (struct head *)(void *)(p + at) - 1;
	*h = (struct head){.list = of->list, .shift = (uint32_t)(at / sizeof(*h))};
	return h + 1;
}

void *memalign(size_t align, size_t size)
{
	return aligned_alloc(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	void *p = aligned_alloc(align, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}
