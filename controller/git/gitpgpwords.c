#include "gitpgpwords.h"
#include "crypt.h"
#include "text.h"

#include <string.h>

#define BEGIN "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define END "-----END PGP PUBLIC KEY BLOCK-----"
#define STATUS "[GNUPG:] "
/* What comes after a word of the status: as many as anything here looks at. */
#define ARGS_MAX 16
#define ERRSIG_NO_KEY "9"

/* The end of each signature is one of these lines. */
enum result { GOODSIG, EXPSIG, EXPKEYSIG, REVKEYSIG, BADSIG, ERRSIG, RESULT__MAX };

static const char *const result_words[RESULT__MAX] = {
    [GOODSIG] = "GOODSIG",
    [EXPSIG] = "EXPSIG",
    [EXPKEYSIG] = "EXPKEYSIG",
    [REVKEYSIG] = "REVKEYSIG",
    [BADSIG] = "BADSIG",
    [ERRSIG] = "ERRSIG",
};

struct said {
	unsigned results, valid, started;
	enum result last;
	bool no_key;
	int64_t expired_at; /* of the key; the earliest of those told */
	int64_t made_at;    /* the signature */
};

static int64_t seconds_of(const struct strs *w, size_t i)
{
	int64_t v;
	return i < w->n && text_to_int(w->v[i], 0, INT64_MAX, &v) == 0 ? v : -1;
}

static void take_words(struct said *s, const struct strs *w)
{
	const char *word = w->v[0];

	for (int r = 0; r < RESULT__MAX; r++) {
		if (strcmp(word, result_words[r]) != 0)
			continue;
		s->results++;
		s->last = (enum result)r;
		/* keyid, public key algorithm, digest, class, time, reason */
		s->no_key = r == ERRSIG && w->n > 6 && strcmp(w->v[6], ERRSIG_NO_KEY) == 0;
	}
	s->started += strcmp(word, "NEWSIG") == 0;
	if (strcmp(word, "KEYEXPIRED") == 0) {
		int64_t at = seconds_of(w, 1);
		if (s->expired_at < 0 || at < s->expired_at)
			s->expired_at = at;
	}
	/* fingerprint, date, time */
	if (strcmp(word, "VALIDSIG") == 0) {
		s->valid++;
		s->made_at = seconds_of(w, 3);
	}
}

static void take_line(struct said *s, const char *line, size_t len)
{
	_cleanup_str_ char *copy = mem_strndup(line, len);
	_cleanup_strs_ struct strs words = {0};
	const char *rest = text_after(copy, STATUS);

	/* A line with more words than anybody looks at ends in a user's name. */
	if (!rest)
		return;
	for (size_t n = 0; *rest && n < ARGS_MAX; n++) {
		size_t part = strcspn(rest, " \r");
		strs_add_take(&words, mem_strndup(rest, part));
		rest += part;
		rest += strspn(rest, " \r");
	}
	if (words.n)
		take_words(s, &words);
}

enum gitverdict gitpgpwords_verdict(const char *lines, int status)
{
	struct said s = {.expired_at = -1, .made_at = -1, .last = RESULT__MAX};

	while (*lines) {
		size_t len = strcspn(lines, "\n");
		take_line(&s, lines, len);
		lines += len + (lines[len] != '\0');
	}
	if (s.results > 1 || s.started > 1 || s.valid > 1)
		return GITVERDICT_SEVERAL;
	switch (s.last) {
	case GOODSIG:
		return status == 0 && s.valid ? GITVERDICT_GOOD : GITVERDICT_UNREADABLE;
	case EXPKEYSIG:
		return status == 0 && s.valid && s.made_at >= 0 && s.made_at < s.expired_at
			   ? GITVERDICT_GOOD
			   : GITVERDICT_KEY_EXPIRED;
	case EXPSIG:
		return GITVERDICT_SIGNATURE_EXPIRED;
	case REVKEYSIG:
		return GITVERDICT_REVOKED;
	case BADSIG:
		return GITVERDICT_OTHER_CONTENT;
	case ERRSIG:
		return s.no_key ? GITVERDICT_NOT_IN_KEYRING : GITVERDICT_UNREADABLE;
	case RESULT__MAX:
		break;
	}
	return GITVERDICT_UNREADABLE;
}

bool gitpgpwords_is_armoured(const char *data, size_t len)
{
	return memmem(data, len, BEGIN, strlen(BEGIN)) != NULL;
}

/* The body of a block: after the empty line that ends its headers, up to its checksum. */
static bool add_block(const char *text, size_t len, struct buf *ret)
{
	_cleanup_str_ char *block = mem_strndup(text, len);
	char *body = strstr(block, "\n\n");
	if (!body)
		return false;
	char *sum = strstr(body, "\n=");
	if (sum)
		sum[1] = '\0';
	return crypt_base64_decode(body, ret);
}

bool gitpgpwords_unarmour(const char *text, struct buf *ret)
{
	struct buf unix_text;
	bool any = false, good = true;

	buf_init(&unix_text, 0);
	for (const char *p = text; *p; p++) {
		if (*p != '\r')
			buf_addc(&unix_text, *p);
	}
	const char *at = buf_str(&unix_text);
	while (good && (at = strstr(at, BEGIN))) {
		at += strlen(BEGIN);
		const char *end = strstr(at, END);
		good = end && add_block(at, (size_t)(end - at), ret);
		any = true;
	}
	buf_fini(&unix_text);
	return good && any;
}
