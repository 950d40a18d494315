#include "rootcmd.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "text.h"

#define NODE_CHARS 63
#define SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-"

/* Nothing that a terminal or a page of Markdown would take for something else. */
static bool is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' || *p == '`')
			return false;
	return true;
}

static char *quote(const char *text)
{
	struct buf b;

	if (!is_plain(text))
		return NULL;
	buf_init(&b, 0);
	buf_addc(&b, '\'');
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			buf_adds(&b, "'\\''");
		else
			buf_addc(&b, *p);
	}
	buf_addc(&b, '\'');
	return buf_take(&b);
}

char *rootcmd_word(const char *text)
{
	bool safe = *text && *text != '-' && !text[strspn(text, SAFE)];

	return safe ? mem_strdup(text) : quote(text);
}

static char *on(const char *node)
{
	_cleanup_str_ char *shown = text_oneline(node ? node : "its node", NODE_CHARS);

	return mem_printf("as root on %s", shown);
}

char *rootcmd_clear(const char *node, uint32_t vmid, const char *task, bool purge)
{
	_cleanup_str_ char *where = on(node);

	return mem_printf("%s, after making sure that no %s: `qm unlock %u && qm destroy %u%s`",
	    where, task, vmid, vmid, purge ? " --purge" : "");
}

char *rootcmd_destroy(const char *node, uint32_t vmid)
{
	_cleanup_str_ char *where = on(node);

	return mem_printf("%s: `qm destroy %u --purge`", where, vmid);
}

char *rootcmd_free(const char *node, const char *volume)
{
	_cleanup_str_ char *where = on(node), *word = rootcmd_word(volume);

	return mem_printf("%s: pvesm free %s", where, word ? word : "…");
}

char *rootcmd_set(const char *node, uint32_t vmid, const char *key, const char *value)
{
	_cleanup_str_ char *where = on(node), *word = value ? quote(value) : NULL;

	if (!value)
		return mem_printf("%s: `qm set %u --delete %s`", where, vmid, key);
	return word ? mem_printf("%s: `qm set %u --%s %s`", where, vmid, key, word) : NULL;
}
