#include "gitaddr.h"
#include "text.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *prefix;
	enum gitaddr_scheme scheme;
} schemes[] = {
    {"file://", GITADDR_FILE},
    {"http://", GITADDR_HTTP},
    {"https://", GITADDR_HTTPS},
    {"ssh://", GITADDR_SSH},
};

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* "%20" → " "; NULL for a NUL or half a sequence. */
static char *decode(const char *s, size_t len)
{
	char *out = mem_strndup(s, len), *w = out;
	for (const char *r = out; *r; r++) {
		if (*r != '%') {
			*w++ = *r;
			continue;
		}
		int hi = hex_digit(r[1]), lo = hi < 0 ? -1 : hex_digit(r[2]);
		if (lo < 0 || hi * 16 + lo == 0) {
			mem_free_str(&out);
			return NULL;
		}
		*w++ = (char)(hi * 16 + lo);
		r += 2;
	}
	*w = '\0';
	return out;
}

/* Host and port; brackets hold an IPv6 address. */
static const char *parse_host(const char *s, size_t len, struct gitaddr *ret)
{
	const char *end = s + len, *host_end;
	int64_t port = 0;

	if (len && s[0] == '[') {
		host_end = memchr(s, ']', len);
		if (!host_end)
			return "the address in brackets has no end";
		ret->host = mem_strndup(s + 1, (size_t)(host_end - s - 1));
		host_end++;
	} else {
		host_end = memchr(s, ':', len);
		if (!host_end)
			host_end = end;
		ret->host = mem_strndup(s, (size_t)(host_end - s));
	}
	if (host_end < end) {
		_cleanup_str_ char *digits =
		    mem_strndup(host_end + 1, (size_t)(end - host_end - 1));
		if (*host_end != ':' || text_to_int(digits, 1, 65535, &port) != 0)
			return "the port is not a number from 1 to 65535";
	}
	ret->port = (int)port;
	if (!ret->host[0])
		return "it has no host";
	/* Nothing that a program could take for an option or a shell for an order. */
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
	if (ret->host[0] == '-' || strspn(ret->host, allowed) != strlen(ret->host))
		return "the host has characters that no host has";
	return NULL;
}

static const char *parse_user(const char *s, size_t len, struct gitaddr *ret)
{
	const char *colon = memchr(s, ':', len);
	ret->has_password = colon != NULL;
	ret->user = decode(s, colon ? (size_t)(colon - s) : len);
	if (!ret->user || ret->user[0] == '-' || !text_is_printable(ret->user, strlen(ret->user)))
		return "the user has characters that no user has";
	return NULL;
}

const char *gitaddr_parse(const char *url, struct gitaddr *ret)
{
	const char *rest = NULL, *fault;

	*ret = (struct gitaddr){0};
	for (size_t i = 0; i < ARRAY_LEN(schemes) && !rest; i++) {
		size_t n = strlen(schemes[i].prefix);
		if (strncasecmp(url, schemes[i].prefix, n) == 0) {
			rest = url + n;
			ret->scheme = schemes[i].scheme;
		}
	}
	if (!rest)
		return "it is none of https, http, ssh and file";
	size_t len = strcspn(rest, "/?#");
	const char *path = rest + len;
	if (ret->scheme == GITADDR_FILE) {
		if (len && !(len == 9 && strncmp(rest, "localhost", len) == 0))
			return "a file address has no host: file:///path";
		ret->host = mem_strdup("");
	} else {
		const char *at = memrchr(rest, '@', len);
		if (at && (fault = parse_user(rest, (size_t)(at - rest), ret)))
			return fault;
		const char *host = at ? at + 1 : rest;
		if ((fault = parse_host(host, (size_t)(path - host), ret)))
			return fault;
	}
	if (strpbrk(path, "?#"))
		return "an address for Git has no ? and no #";
	ret->path = decode(path, strlen(path));
	if (!ret->path)
		return "a percent sign in it stands for nothing";
	if (!ret->path[0] || strcmp(ret->path, "/") == 0)
		return "it has no path";
	return NULL;
}

void gitaddr_fini(struct gitaddr *a)
{
	mem_free_str(&a->user);
	mem_free_str(&a->host);
	mem_free_str(&a->path);
}

bool gitaddr_is_loopback(const struct gitaddr *a)
{
	unsigned dots = 0;
	if (strcasecmp(a->host, "localhost") == 0 || strcmp(a->host, "::1") == 0)
		return true;
	for (const char *p = a->host; *p; p++) {
		if (!strchr("0123456789.", *p))
			return false;
		dots += *p == '.';
	}
	return dots == 3 && text_starts(a->host, "127.");
}
