#include "marker.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "text.h"

#define PREFIX "ramet:"
#define VMID_WORD "vmid="
#define VMID_MIN 100
#define VMID_MAX 999999999
#define NONCE_CHARS ((size_t)2 * MARKER_NONCE_BYTES)
#define MARKER_LINE_MAX 512

void marker_fini(struct marker *m)
{
	free(m->controller);
	free(m->name);
	free(m->nonce);
	*m = (struct marker){0};
}

/* Length of the line without its end; *ret_next is where the next one begins, NULL at the end. */
static size_t line_at(const char *s, const char **ret_next)
{
	size_t len = strcspn(s, "\n");
	*ret_next = s[len] ? s + len + 1 : NULL;
	return len && s[len - 1] == '\r' ? len - 1 : len;
}

static bool begins_as_marker(const char *line, size_t len)
{
	size_t blank = strspn(line, " \t");
	if (blank > len)
		return false;
	line += blank;
	len -= blank;
	if (len < strlen(PREFIX) || strncasecmp(line, PREFIX, strlen(PREFIX)) != 0)
		return false;
	return memmem(line, len, VMID_WORD, strlen(VMID_WORD)) != NULL;
}

bool marker_is_line(const char *line)
{
	return begins_as_marker(line, strlen(line));
}

static bool is_nonce(const char *s)
{
	return strlen(s) == NONCE_CHARS && strspn(s, "0123456789abcdef") == NONCE_CHARS;
}

/* An id or a name that a marker may hold: no blank, no slash, not empty. */
static bool is_word(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '/' || (unsigned char)s[i] >= 0x7f)
			return false;
	return len > 0;
}

static bool parse_line(const char *line, size_t len, struct marker *ret)
{
	_cleanup_strs_ struct strs words = {0};
	_cleanup_str_ char *text = NULL;
	int64_t vmid;

	if (len > MARKER_LINE_MAX)
		return false;
	text = mem_strndup(line, len);
	if (text_split(text, " \t", true, 8, &words) < 0 || words.n != 4)
		return false;
	const char *slash = strchr(words.v[1], '/');
	const char *number = text_after(words.v[2], VMID_WORD);
	if (!text_eq(words.v[0], PREFIX) || !slash || !number || !is_nonce(words.v[3]))
		return false;
	if (!is_word(words.v[1], (size_t)(slash - words.v[1])) ||
	    !is_word(slash + 1, strlen(slash + 1)))
		return false;
	if (*number == '-' || *number == '0' || text_to_int(number, VMID_MIN, VMID_MAX, &vmid) < 0)
		return false;
	*ret = (struct marker){
	    .controller = mem_strndup(words.v[1], (size_t)(slash - words.v[1])),
	    .name = mem_strdup(slash + 1),
	    .vmid = (uint32_t)vmid,
	    .nonce = mem_strdup(words.v[3]),
	};
	return true;
}

static bool same(const struct marker *a, const struct marker *b)
{
	return text_eq(a->controller, b->controller) && text_eq(a->name, b->name) &&
	       a->vmid == b->vmid && text_eq(a->nonce, b->nonce);
}

enum marker_found marker_find(const char *description, struct marker *ret)
{
	struct marker first = {0};
	bool garbled = false, several = false, found = false;

	for (const char *s = description, *next; s; s = next) {
		struct marker m = {0};
		size_t len = line_at(s, &next);
		if (!begins_as_marker(s, len))
			continue;
		if (!parse_line(s, len, &m)) {
			garbled = true;
		} else if (!found) {
			first = m;
			found = true;
		} else {
			/* The same line twice says nothing new. */
			several |= !same(&first, &m);
			marker_fini(&m);
		}
	}
	if (found && !several) {
		*ret = first;
		return MARKER_OK;
	}
	marker_fini(&first);
	if (several)
		return MARKER_SEVERAL;
	return garbled ? MARKER_GARBLED : MARKER_NONE;
}

char *marker_strip(const char *description)
{
	struct buf out;

	buf_init(&out, 0);
	for (const char *s = description, *next; s; s = next) {
		size_t len = line_at(s, &next);
		if (!begins_as_marker(s, len))
			buf_add(&out, s, next ? (size_t)(next - s) : strlen(s));
	}
	char *text = buf_take(&out);
	if (!text)
		return mem_strdup("");
	text_trim_right(text);
	return text;
}

char *marker_print(const struct marker *m)
{
	return mem_printf(
	    PREFIX " %s/%s " VMID_WORD "%u %s", m->controller, m->name, m->vmid, m->nonce);
}

/* PVE counts characters, not bytes. */
static size_t count_chars(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int marker_join(const char *text, const struct marker *m, char **ret, struct err **err)
{
	_cleanup_str_ char *body = marker_strip(text ? text : "");
	_cleanup_str_ char *line = marker_print(m);
	_cleanup_str_ char *all = *body ? mem_printf("%s\n\n%s", body, line) : mem_strdup(line);

	if (count_chars(all) > MARKER_DESCRIPTION_MAX) {
		err_set(err, ERR_LIMIT,
		    "the description has %zu characters and leaves no room for Ramet's marker",
		    count_chars(body));
		return err_hint(err, "shorten it to %zu characters",
		    (size_t)MARKER_DESCRIPTION_MAX - count_chars(line) - 2);
	}
	*ret = TAKE(all);
	return 0;
}
