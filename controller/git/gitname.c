#include "gitname.h"
#include "text.h"

#include <string.h>

struct range {
	int32_t first, last;
	const char *what;
};

/* Characters that make two names look alike or that a file system may store in another form. */
static const struct range refused[] = {
    {0x0000, 0x001f, "control character in the name"},
    {0x007f, 0x009f, "control character in the name"},
    {0x00ad, 0x00ad, "invisible character in the name"},
    {0x0300, 0x036f, "combining character in the name"},
    {0x061c, 0x061c, "invisible character in the name"},
    {0x1100, 0x11ff, "combining character in the name"},
    {0x180e, 0x180e, "invisible character in the name"},
    {0x1ab0, 0x1aff, "combining character in the name"},
    {0x1dc0, 0x1dff, "combining character in the name"},
    {0x200b, 0x200f, "invisible character in the name"},
    {0x2028, 0x202e, "invisible character in the name"},
    {0x2060, 0x206f, "invisible character in the name"},
    {0x20d0, 0x20ff, "combining character in the name"},
    {0x3099, 0x309a, "combining character in the name"},
    {0xa960, 0xa97f, "combining character in the name"},
    {0xd7b0, 0xd7ff, "combining character in the name"},
    {0xfe00, 0xfe0f, "invisible character in the name"},
    {0xfe20, 0xfe2f, "combining character in the name"},
    {0xfeff, 0xfeff, "invisible character in the name"},
    {0xfff0, 0xffff, "invisible character in the name"},
    {0xe0000, 0xe0fff, "invisible character in the name"},
};

static bool is_git_disguised(const char *name)
{
	static const char *const forms[] = {".git", "git~1"};
	size_t len = strlen(name);
	/* NTFS drops blanks and dots at the end, and what follows a colon. */
	const char *colon = strchr(name, ':');
	if (colon)
		len = (size_t)(colon - name);
	while (len && (name[len - 1] == ' ' || name[len - 1] == '.'))
		len--;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (len == strlen(forms[i]) && strncasecmp(name, forms[i], len) == 0)
			return true;
	}
	return false;
}

const char *gitname_fault(const char *name)
{
	size_t len = strlen(name);
	if (!len || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "no name at all";
	if (strchr(name, '/'))
		return "slash in the name";
	for (size_t i = 0; i < len;) {
		size_t n;
		int32_t c = text_codepoint(name + i, len - i, &n);
		if (c < 0)
			return "name is not UTF-8";
		for (size_t k = 0; k < ARRAY_LEN(refused); k++) {
			if (c >= refused[k].first && c <= refused[k].last)
				return refused[k].what;
		}
		i += n;
	}
	return is_git_disguised(name) ? "a disguise of .git" : NULL;
}

bool gitname_has_suffix(const char *name, const char *suffixes)
{
	size_t len = strlen(name);
	const char *p = suffixes + strspn(suffixes, " ");
	if (!*p)
		return true;
	while (*p) {
		size_t n = strcspn(p, " ");
		if (len > n && strncasecmp(name + len - n, p, n) == 0)
			return true;
		p += n;
		p += strspn(p, " ");
	}
	return false;
}

void gitname_add_printable(struct buf *b, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len;) {
		size_t n;
		int32_t c = text_codepoint(name + i, len - i, &n);
		if (text_codepoint_is_printable(c)) {
			buf_add(b, name + i, n);
			i += n;
		} else {
			buf_addf(b, "\\x%02x", (unsigned char)name[i]);
			i++;
		}
	}
}

char *gitname_clean(const char *text, size_t max, bool lines)
{
	struct buf b;
	size_t len = strlen(text);

	buf_init(&b, max + 1);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	for (size_t i = 0; i < len;) {
		size_t n;
		int32_t c = text_codepoint(text + i, len - i, &n);
		if (b.len + n > max)
			break;
		bool space = strchr("\t\r\n", text[i]) != NULL;
		if (space && text[i] == '\r')
			;
		else if (space)
			buf_addc(&b, lines ? text[i] : ' ');
		else if (text_codepoint_is_printable(c))
			buf_add(&b, text + i, n);
		else
			buf_addc(&b, '?');
		i += n;
	}
	char *s = buf_take(&b);
	return s ? s : mem_strdup("");
}

bool gitname_is_lfs(const char *data, size_t len)
{
	static const char head[] = "version https://git-lfs.github.com/spec/";
	return len >= sizeof(head) - 1 && len < 1024 && memcmp(data, head, sizeof(head) - 1) == 0;
}

bool gitname_is_sha256(const char *data, size_t len)
{
	static const char word[] = "object-format=sha256";
	return memmem(data, len, word, sizeof(word) - 1) != NULL;
}

int gitname_blame_sha256(struct err **err)
{
	err_set(err, ERR_CONFIG,
	    "the repository names its objects by SHA-256, which ramet cannot read");
	return err_hint(err, "put the manifests into a repository of the usual kind: git init "
			     "--object-format=sha1");
}
