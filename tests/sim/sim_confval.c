/* Values of a write as they come in: checked and brought into their canonical form. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "sim_conf.h"
#include "sim_form.h"
#include "sim_mutant.h"

/* One line of an authorized_keys file: the blob must be what its type says, to its last byte. */
static bool key_line_ok(const char *line)
{
	_cleanup_strs_ struct strs w = {0};
	unsigned char blob[2048];
	size_t len, at, fields = 0;
	int n;

	if (text_split(line, " \t", true, 16, &w) < 0 || w.n < 2)
		return false;
	len = strlen(w.v[1]);
	if (!len || len % 4 || len > 2700)
		return false;
	n = EVP_DecodeBlock(blob, (const unsigned char *)w.v[1], (int)len);
	if (n < 0)
		return false;
	len = (size_t)n - (w.v[1][len - 1] == '=') - (w.v[1][len - 2] == '=');
	for (at = 0; at + 4 <= len; fields++) {
		size_t l = (size_t)blob[at] << 24 | (size_t)blob[at + 1] << 16 |
			   (size_t)blob[at + 2] << 8 | blob[at + 3];

		if (l > len - at - 4 ||
		    (!fields && (l != strlen(w.v[0]) || memcmp(blob + at + 4, w.v[0], l) != 0)))
			return false;
		if (fields == 1 && !strcmp(w.v[0], "ssh-ed25519") && l != 32)
			return false;
		at += 4 + l;
	}
	return at == len && fields >= 2;
}

bool conf_keys_ok(const char *value)
{
	_cleanup_str_ char *text = value ? form_decode(value, strlen(value), false) : NULL;
	_cleanup_strs_ struct strs lines = {0};

	if (!value)
		return true;
	if (text_split(text, "\r\n", true, 256, &lines) < 0)
		return false;
	for (size_t i = 0; i < lines.n; i++)
		if (!key_line_ok(lines.v[i]))
			return false;
	return true;
}

static bool take_value(
    struct job *j, struct confop *op, const char *key, char **value, struct oops *o)
{
	struct sim *s = j->sim;

	if (prop_is_drive(key)) {
		_cleanup_drive_ struct drive d;

		if (!drive_parse(s, key, *value, &d))
			return oops_param(o, key, "unable to parse drive options");
		if (!drive_clean(j, op, key, &d, o))
			return false;
		free(*value);
		*value = drive_print(&d);
	} else if (prop_is_net(key)) {
		const struct guest *had = MUTANT(MAC_KEPT) ? guest_find(s, op->vmid) : NULL;
		char *v = had && kv_has(&had->conf, key) && !strchr(*value, ':')
			      ? mem_strdup(kv_get(&had->conf, key))
			      : net_canonical(s, key, *value);

		free(*value);
		*value = v;
	} else if (!strcmp(key, "vmgenid") && !strcmp(*value, "1")) {
		free(*value);
		*value = sim_uuid(s);
	} else if (!strcmp(key, "hookscript")) {
		return oops_param(o, key, "script '%s' does not exist\n", *value);
	} else if (!strcmp(key, "cpuunits")) {
		int64_t n = strtoll(*value, NULL, 10);

		if (n > s->cpuunits_max) {
			free(*value);
			*value = mem_printf("%" PRId64, s->cpuunits_max);
		}
	}
	return true;
}

bool conf_take_values(struct job *j, struct confop *op, struct oops *o)
{
	_cleanup_kv_ struct kv out = {0};

	KV_FOREACH (i, &op->set) {
		_cleanup_str_ char *v = mem_strdup(i->value);

		if (!take_value(j, op, i->key, &v, o))
			return false;
		kv_set(&out, i->key, v);
	}
	kv_fini(&op->set);
	op->set = out;
	out = (struct kv){0};
	return true;
}
