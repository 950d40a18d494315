#include "sweep.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GUESTS_MAX 1000

/* What chance or the number gives: not a part of what was asked for. */
static bool is_chance(const char *key)
{
	static const char *const keys[] = {"digest", "meta", "vmgenid", "smbios1", "lock"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static bool is_mac(const char *s)
{
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

/* MACs, numbers of VMs and volumes, and the nonce of the marker become stars. */
static void add_plain(struct buf *b, const char *text)
{
	for (const char *p = text; *p;) {
		const char *word = p;

		if ((p == text || p[-1] == '=') && is_mac(p)) {
			buf_adds(b, "*");
			p += 17;
			continue;
		}
		if (text_starts(p, " vmid=")) {
			buf_adds(b, " vmid=*");
			break;
		}
		if (p > text && strchr(":/-", p[-1]))
			while (isdigit((unsigned char)*p))
				p++;
		if (p > word)
			buf_adds(b, "*");
		else
			buf_addc(b, *p++);
	}
}

static void add_value(
    struct buf *b, const char *who, const char *kind, const char *key, const char *value, bool ours)
{
	_cleanup_str_ char *plain = mem_strdup(value);
	char *by_hand = strstr(plain, SWEEP_BY_HAND);

	buf_addf(b, "%s %s %s=", who, kind, key);
	if (ours && by_hand)
		memmove(by_hand, by_hand + strlen(SWEEP_BY_HAND),
		    strlen(by_hand + strlen(SWEEP_BY_HAND)) + 1);
	if (ours)
		add_plain(b, plain);
	else
		buf_adds(b, value);
	buf_addc(b, '\n');
}

static const char *ours(struct trial *t, int64_t vmid)
{
	static char name[64];
	const char *desc = sim_guest_get(t->w->sim, vmid, "description");
	const char *p = desc ? strstr(desc, "ramet: " WORLD_ID "/") : NULL;
	size_t n;

	if (!p)
		return NULL;
	p += strlen("ramet: " WORLD_ID "/");
	n = strcspn(p, " ");
	if (n >= sizeof(name))
		return NULL;
	memcpy(name, p, n);
	name[n] = '\0';
	return name;
}

static void add_guest(struct trial *t, int64_t vmid, struct buf *b)
{
	const struct sim *s = t->w->sim;
	const char *name = ours(t, vmid);
	_cleanup_str_ char *who = name ? mem_strdup(name) : mem_printf("%lld", (long long)vmid);
	const struct kv *conf = sim_guest_conf(s, vmid);
	const char *pool = sim_guest_pool(s, vmid);

	buf_addf(b, "%s %s pool %s volumes %zu\n", who,
	    sim_guest_running(s, vmid) ? "running" : "stopped", pool ? pool : "-",
	    sim_volumes_of(s, vmid) - (name && trial_may_leave(t)));
	KV_FOREACH (it, conf) {
		const char *pending = sim_guest_pending(s, vmid, it->key);

		if (is_chance(it->key) || (t->edited && strcmp(it->key, "onboot") == 0))
			continue;
		add_value(b, who, "has", it->key, it->value, name);
		if (pending)
			add_value(b, who, "pends", it->key, pending, name);
	}
}

char *picture_raw(struct trial *t, int64_t vmid)
{
	_cleanup_buf_ struct buf b = {0};
	const struct kv *conf = sim_guest_conf(t->w->sim, vmid);

	for (size_t i = 0; conf && i < conf->n; i++)
		buf_addf(&b, "%s=%s\n", conf->v[i].key, conf->v[i].value);
	return buf_take(&b);
}

char *picture_take(struct trial *t)
{
	int64_t ids[GUESTS_MAX];
	size_t n = sim_guests(t->w->sim, ids, ARRAY_LEN(ids));
	struct strs parts = {0};
	char *s;

	for (size_t i = 0; i < n && i < ARRAY_LEN(ids); i++) {
		_cleanup_buf_ struct buf one = {0};

		if (t->fault == FAULT_TAKEN && ids[i] == t->number && !ours(t, ids[i]))
			continue;
		add_guest(t, ids[i], &one);
		strs_add(&parts, buf_str(&one));
	}
	strs_sort_unique(&parts); /* another number may be right as well */
	s = strs_join(&parts, "");
	strs_fini(&parts);
	return s;
}

char *picture_orphans(struct trial *t)
{
	_cleanup_buf_ struct buf b = {0};

	for (int64_t vmid = 1000; vmid < 1100; vmid++) {
		size_t n = sim_guest_exists(t->w->sim, vmid) ? 0 : sim_volumes_of(t->w->sim, vmid);

		if (n > trial_tells_left(t, vmid))
			buf_addf(&b, "%zu volumes of VM %lld, which does not exist\n", n,
			    (long long)vmid);
	}
	return b.len ? buf_take(&b) : NULL;
}
