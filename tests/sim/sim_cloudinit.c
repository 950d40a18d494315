/* What cloud-init gets to read, and what of it has changed since the drive was written. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"

/* Settings of cloud-init's own are listed whether they changed or not. */
static bool own_key(const char *key)
{
	return cloudinit_key(key) && !text_starts(key, "ipconfig");
}

static char *mac_of(struct sim *s, const char *key, const char *value)
{
	_cleanup_kv_ struct kv p = {0};

	return value && net_parse(s, key, value, &p) ? mem_strdup(kv_get(&p, "macaddr")) : NULL;
}

/* Of a network card only the address is written to the drive. */
static bool same(struct sim *s, const char *key, const char *a, const char *b)
{
	_cleanup_str_ char *x = prop_is_net(key) ? mac_of(s, key, a) : mem_strdup(a);
	_cleanup_str_ char *y = prop_is_net(key) ? mac_of(s, key, b) : mem_strdup(b);

	return text_eq(x, y);
}

static void push_row(struct job *j, struct guest *g, struct jsn *a, const char *key)
{
	struct sim *s = j->sim;
	const char *held = kv_get(&g->cloudinit, key), *now = kv_get(&g->conf, key);
	bool changed = g->running && g->has_ci && !same(s, key, held, now);
	struct jsn *row;

	/* A new password goes past what is written down as changed. */
	if (now && !strcmp(key, "cipassword"))
		changed = false;
	if (!changed && (!now || !own_key(key)))
		return;
	row = jsn_new_object();
	jsn_put_str(row, "key", key);
	put_value(s, row, "value", key, changed ? held : now);
	if (changed)
		put_value(s, row, "pending", key, now);
	if (changed && !now)
		jsn_put_int(row, "delete", 1);
	jsn_push(a, row);
}

void api_cloudinit_get(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	struct jsn *a;

	if (!g) {
		job_oops(j, &o);
		return;
	}
	a = jsn_new_array();
	KV_FOREACH (i, &g->conf)
		if (cloudinit_key(i->key) || prop_is_net(i->key) || !strcmp(i->key, "name"))
			push_row(j, g, a, i->key);
	KV_FOREACH (i, &g->cloudinit)
		if (!kv_has(&g->conf, i->key))
			push_row(j, g, a, i->key);
	job_ok(j, a);
}

/* --- the files --- */

static char *hostname(const struct guest *g, char **ret_fqdn)
{
	const char *name = kv_get(&g->conf, "name"), *search = kv_get(&g->conf, "searchdomain");
	char *host = name ? mem_strdup(name) : mem_printf("VM%" PRId64, g->vmid);
	char *dot = strchr(host, '.');

	*ret_fqdn = search && !dot ? mem_printf("%s.%s", host, search) : mem_strdup(host);
	if (dot)
		*dot = '\0';
	return host;
}

static void put_keys(struct buf *b, const char *sshkeys)
{
	_cleanup_str_ char *text = percent_decode(sshkeys, strlen(sshkeys));
	_cleanup_strs_ struct strs lines = {0};

	buf_adds(b, "ssh_authorized_keys:\n");
	if (!text || text_split(text, "\n", true, 1000, &lines) < 0)
		return;
	for (size_t i = 0; i < lines.n; i++)
		buf_addf(b, "  - %s\n", lines.v[i]);
}

static char *user_data(const struct guest *g)
{
	const char *user = kv_get(&g->conf, "ciuser"), *pw = kv_get(&g->conf, "cipassword"),
		   *keys = kv_get(&g->conf, "sshkeys");
	bool root = text_eq(user, "root");
	_cleanup_str_ char *fqdn = NULL;
	_cleanup_str_ char *host = hostname(g, &fqdn);
	struct buf b;

	buf_init(&b, 0);
	buf_addf(&b, "#cloud-config\nhostname: %s\nmanage_etc_hosts: true\nfqdn: %s\n", host, fqdn);
	if (user)
		buf_addf(&b, "user: %s\n", user);
	if (root)
		buf_adds(&b, "disable_root: False\n");
	if (pw)
		buf_addf(&b, "password: %s\n", pw);
	if (keys)
		put_keys(&b, keys);
	buf_adds(&b, "chpasswd:\n  expire: False\n");
	if (!root)
		buf_adds(&b, "users:\n  - default\n");
	buf_addf(&b, "package_upgrade: %s\n",
	    text_eq(kv_get(&g->conf, "ciupgrade"), "0") ? "false" : "true");
	return buf_take(&b);
}

static void put_family(struct buf *b, const struct kv *p, bool six)
{
	const char *ip = kv_get(p, six ? "ip6" : "ip"), *gw = kv_get(p, six ? "gw6" : "gw");
	size_t len = ip ? strcspn(ip, "/") : 0;

	if (!ip)
		return;
	if (!strcmp(ip, "dhcp"))
		buf_addf(b, "      - type: dhcp%s\n", six ? "6" : "4");
	else if (!strcmp(ip, "auto"))
		buf_adds(b, "      - type: ipv6_slaac\n");
	else if (six)
		buf_addf(b, "      - type: static6\n        address: '%s'\n", ip);
	else {
		int64_t bits = 32;

		if (ip[len] && text_to_int(ip + len + 1, 0, 32, &bits) < 0)
			bits = 32;
		uint32_t mask = bits ? 0xffffffffu << (32 - bits) : 0;

		buf_addf(b,
		    "      - type: static\n        address: '%.*s'\n        netmask: "
		    "'%u.%u.%u.%u'\n",
		    (int)len, ip, mask >> 24, mask >> 16 & 255, mask >> 8 & 255, mask & 255);
	}
	if (gw && strcmp(ip, "dhcp") != 0 && strcmp(ip, "auto") != 0)
		buf_addf(b, "        gateway: '%s'\n", gw);
}

static void put_list(struct buf *b, const char *title, const char *words)
{
	_cleanup_strs_ struct strs l = {0};

	if (!words || text_split(words, " ", true, 64, &l) < 0 || !l.n)
		return;
	buf_addf(b, "      %s:\n", title);
	for (size_t i = 0; i < l.n; i++)
		buf_addf(b, "      - '%s'\n", l.v[i]);
}

static char *network_data(struct sim *s, const struct guest *g)
{
	struct buf b;

	buf_init(&b, 0);
	buf_adds(&b, "version: 1\nconfig:\n");
	KV_FOREACH (i, &g->conf) {
		_cleanup_kv_ struct kv p = {0};
		_cleanup_str_ char *mac = NULL;
		_cleanup_str_ char *low = NULL;
		_cleanup_str_ char *key = NULL;
		struct buf e;

		if (!prop_is_net(i->key))
			continue;
		key = mem_printf("ipconfig%s", i->key + strlen("net"));
		if (!kv_has(&g->conf, key))
			continue;
		buf_init(&e, 0);
		schema_split(&SCHEMA_OF("ipconfig", s->v9), kv_get(&g->conf, key), &p, &e);
		buf_fini(&e);
		mac = mac_of(s, i->key, i->value);
		low = text_lower(mac ? mac : "");
		buf_addf(&b,
		    "    - type: physical\n      name: eth%s\n      mac_address: '%s'\n"
		    "      subnets:\n",
		    i->key + strlen("net"), low);
		put_family(&b, &p, false);
		put_family(&b, &p, true);
	}
	/* The node's own resolver is not simulated. */
	buf_adds(&b, "    - type: nameserver\n");
	put_list(&b, "address", kv_get(&g->conf, "nameserver"));
	put_list(&b, "search", kv_get(&g->conf, "searchdomain"));
	return buf_take(&b);
}

static char *meta_data(const char *user, const char *network)
{
	_cleanup_str_ char *both = mem_printf("%s%s", user, network);
	char sum[41];

	sim_sha1(both, strlen(both), sum);
	return mem_printf("instance-id: %s\n", sum);
}

void api_cloudinit_dump(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	const struct guest *g = conf_load(j, j->vmid, &o);
	const char *type = job_param(j, "type");
	_cleanup_str_ char *user = NULL;
	_cleanup_str_ char *network = NULL;
	_cleanup_str_ char *meta = NULL;

	if (!g) {
		job_oops(j, &o);
		return;
	}
	user = user_data(g);
	network = network_data(j->sim, g);
	meta = meta_data(user, network);
	job_ok(j, jsn_new_str(!strcmp(type, "user")	 ? user
			      : !strcmp(type, "network") ? network
							 : meta));
}

/* --- writing the drive --- */

static void cloudinit_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);

	if (!g || !conf_unlocked(g, &o)) {
		job_oops(j, &o);
		return;
	}
	cloudinit_write(j, g);
	job_done(j);
}

void api_cloudinit_put(struct job *j)
{
	job_lock_guest(j, j->vmid, true, cloudinit_locked);
}
