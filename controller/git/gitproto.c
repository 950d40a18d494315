#include "gitproto.h"
#include "text.h"

#include <string.h>

/* Wire: one byte type, eight bytes job, then the fields of the type in the order of the table.
 * Numbers are big-endian. A string is four bytes of length, its bytes, and a NUL that is not
 * counted, so that the receiver can use it in place. */

struct field {
	enum gitproto_type type;
	enum gitproto_kind kind;
	const char *name;
	size_t offset;
	int64_t limit;
};

static const struct field fields[] = {
#define GITFIELD(type, kind, member, limit) \
	{GITPROTO_##type, GITPROTO_##kind, #member, offsetof(struct gitproto_msg, member), limit},
#include "gitproto.def"
};

static const struct {
	const char *word;
	char direction;
} types[GITPROTO__MAX] = {
#define GITMSG(type, word, direction) [GITPROTO_##type] = {word, #direction[0]},
#include "gitproto.def"
};

#define EACH_FIELD(f, t)                                                          \
	for (const struct field *f = fields; f < fields + ARRAY_LEN(fields); f++) \
		if (f->type == (t))

const char *gitproto_word(enum gitproto_type type)
{
	return types[type].word;
}

bool gitproto_is_request(enum gitproto_type type)
{
	return types[type].direction == 'R';
}

static bool is_oid(const char *s, size_t len)
{
	return len == 0 || (len == 40 && strspn(s, "0123456789abcdef") == 40);
}

static bool is_text(const char *s, size_t len)
{
	if (!text_is_utf8(s, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* NULL, or what is wrong with a string field of this kind. */
static const char *string_fault(const struct field *f, const char *s, size_t len)
{
	if (len > (size_t)f->limit)
		return "is too long";
	if (memchr(s, 0, len))
		return "has a NUL inside";
	switch (f->kind) {
	case GITPROTO_LINE:
		return text_is_printable(s, len) ? NULL : "is not printable UTF-8";
	case GITPROTO_TEXT:
		return is_text(s, len) ? NULL : "is not printable UTF-8";
	case GITPROTO_OID:
		return is_oid(s, len) ? NULL : "is not an object id";
	case GITPROTO_SECRET:
	case GITPROTO_BYTES:
	case GITPROTO_NUMBER:
	case GITPROTO_TIME:
	case GITPROTO_FLAG:
	case GITPROTO_KIND__MAX:
		break;
	}
	return NULL;
}

static void put_number(struct buf *b, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		buf_addc(b, (char)(v >> (8 * i)));
}

static int encode_field(const struct field *f, const void *at, struct buf *b, struct err **err)
{
	switch (f->kind) {
	case GITPROTO_NUMBER:
	case GITPROTO_TIME: {
		int64_t v = *(const int64_t *)at;
		if (f->kind == GITPROTO_NUMBER && (v < 0 || v > f->limit))
			return err_set(err, ERR_LIMIT, "%s is out of range", f->name);
		put_number(b, (uint64_t)v, 8);
		return 0;
	}
	case GITPROTO_FLAG:
		put_number(b, *(const bool *)at, 1);
		return 0;
	case GITPROTO_BYTES: {
		const struct gitproto_bytes *v = at;
		if (v->len > (size_t)f->limit)
			return err_set(err, ERR_LIMIT, "%s is too long", f->name);
		put_number(b, v->len, 4);
		buf_add(b, v->ptr, v->len);
		return 0;
	}
	case GITPROTO_LINE:
	case GITPROTO_TEXT:
	case GITPROTO_SECRET:
	case GITPROTO_OID: {
		const char *v = *(const char *const *)at;
		size_t len = v ? strlen(v) : 0;
		const char *fault = string_fault(f, v ? v : "", len);
		if (fault)
			return err_set(err, ERR_INPUT, "%s %s", f->name, fault);
		put_number(b, len, 4);
		buf_add(b, v ? v : "", len);
		buf_addc(b, 0);
		return 0;
	}
	case GITPROTO_KIND__MAX:
		break;
	}
	return err_set(err, ERR_INTERNAL, "%s has no kind", f->name);
}

int gitproto_encode(const struct gitproto_msg *msg, struct buf *b, struct err **err)
{
	size_t start = b->len;

	put_number(b, (uint64_t)msg->type, 1);
	put_number(b, msg->job, 8);
	EACH_FIELD(f, msg->type)
	{
		if (encode_field(f, (const char *)msg + f->offset, b, err) != 0) {
			buf_cut(b, start);
			return -1;
		}
	}
	if (b->overflow || b->len - start > GITPROTO_FRAME_MAX) {
		buf_cut(b, start);
		return err_set(err, ERR_LIMIT, "a %s message is too long", types[msg->type].word);
	}
	return 0;
}

struct cursor {
	const char *p;
	size_t left;
};

static bool get_number(struct cursor *c, unsigned bytes, uint64_t *ret)
{
	if (c->left < bytes)
		return false;
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)c->p[i];
	c->p += bytes;
	c->left -= bytes;
	*ret = v;
	return true;
}

/* NULL, or what is wrong. */
static const char *decode_field(const struct field *f, struct cursor *c, void *at)
{
	uint64_t v;

	switch (f->kind) {
	case GITPROTO_NUMBER:
	case GITPROTO_TIME:
		if (!get_number(c, 8, &v))
			return "is cut short";
		if (f->kind == GITPROTO_NUMBER && v > (uint64_t)f->limit)
			return "is out of range";
		*(int64_t *)at = (int64_t)v;
		return NULL;
	case GITPROTO_FLAG:
		if (!get_number(c, 1, &v))
			return "is cut short";
		if (v > 1)
			return "is out of range";
		*(bool *)at = v == 1;
		return NULL;
	case GITPROTO_BYTES:
	case GITPROTO_LINE:
	case GITPROTO_TEXT:
	case GITPROTO_SECRET:
	case GITPROTO_OID: {
		bool bytes = f->kind == GITPROTO_BYTES;
		size_t end = bytes ? 0 : 1;
		if (!get_number(c, 4, &v) || v > (uint64_t)f->limit || c->left < v + end)
			return "is cut short or too long";
		if (!bytes && c->p[v] != 0)
			return "has no end";
		const char *fault = bytes ? NULL : string_fault(f, c->p, v);
		if (fault)
			return fault;
		if (bytes)
			*(struct gitproto_bytes *)at = (struct gitproto_bytes){c->p, v};
		else
			*(const char **)at = c->p;
		c->p += v + end;
		c->left -= v + end;
		return NULL;
	}
	case GITPROTO_KIND__MAX:
		break;
	}
	return "has no kind";
}

int gitproto_decode(const void *data, size_t len, struct gitproto_msg *ret, struct err **err)
{
	struct cursor c = {data, len};
	struct gitproto_msg msg = {0};
	uint64_t type, job;

	if (!get_number(&c, 1, &type) || !get_number(&c, 8, &job) || type >= GITPROTO__MAX)
		return err_set(err, ERR_PROTOCOL, "a message of the git worker has no known type");
	msg.type = (enum gitproto_type)type;
	msg.job = job;
	EACH_FIELD(f, msg.type)
	{
		const char *fault = decode_field(f, &c, (char *)&msg + f->offset);
		if (fault)
			return err_set(err, ERR_PROTOCOL, "%s message of the git worker: %s %s",
			    types[type].word, f->name, fault);
	}
	if (c.left)
		return err_set(err, ERR_PROTOCOL,
		    "%s message of the git worker: %zu bytes too many", types[type].word, c.left);
	*ret = msg;
	return 0;
}
