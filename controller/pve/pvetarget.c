#include "pvetarget.h"

#include <stdlib.h>
#include <string.h>

#include "jsn.h"
#include "text.h"

#define COOL_MS_FIRST 5000
#define COOL_MS_MAX 60000

/* "pve1" of https://pve1.example.org:8006: mostly the node's name; where it is not, nothing is lost
 * but a detour. "" for addresses. */
static char *guess_node(const char *url)
{
	const char *host = text_after(url, "https://");
	size_t len = host ? strcspn(host, ".:/") : 0;
	char *label = mem_strndup(host ? host : "", len);
	if (!text_is_dns_label(label) || strspn(label, "0123456789") == len)
		label[0] = '\0';
	return label;
}

void target_init(struct target *t, const char *url)
{
	*t = (struct target){.url = mem_strdup(url), .node = guess_node(url)};
}

void target_fini(struct target *t)
{
	free(t->url);
	free(t->node);
	free(t->cluster);
	*t = (struct target){0};
}

bool target_is_cool(const struct target *t, int64_t now)
{
	return t->cool_ms > 0 && now < t->cool_until;
}

bool target_cool(struct target *t, int64_t now)
{
	bool fresh = t->cool_ms == 0;
	/* Calls that were under way together count once. */
	if (target_is_cool(t, now))
		return false;
	t->cool_ms = fresh ? COOL_MS_FIRST : t->cool_ms * 2;
	if (t->cool_ms > COOL_MS_MAX)
		t->cool_ms = COOL_MS_MAX;
	t->cool_until = now + t->cool_ms;
	return fresh;
}

void target_learn(struct target *t, int status, const char *body, size_t len)
{
	_cleanup_jsn_ struct jsn *j = NULL;
	_cleanup_str_ char *name = NULL, *node = NULL;
	const struct jsn *rows;
	bool quorate = true;
	t->name_at = INT64_MAX;
	if (status != 200 || jsn_parse(body, len, &j, NULL) < 0) {
		t->vet = VET_SILENT;
		return;
	}
	rows = jsn_get(j, "data");
	for (size_t i = 0; i < jsn_len(rows); i++) {
		const struct jsn *row = jsn_at(rows, i);
		const char *type = jsn_get_text(row, "type"), *said = jsn_get_text(row, "name");
		if (text_eq(type, "cluster") && said) {
			mem_replace(&name, said);
			quorate = jsn_get_int(row, "quorate", 0) == 1;
		}
		if (text_eq(type, "node") && jsn_get_bool(row, "local", false) && said &&
		    text_is_dns_name(said))
			mem_replace(&node, said);
	}
	t->no_quorum = !quorate;
	if (node)
		mem_replace(&t->node, node);
	if (!node && !name) {
		t->vet = VET_SILENT;
		return;
	}
	if (!name) /* a node of its own */
		name = mem_printf("node %s", node);
	mem_replace(&t->cluster, name);
}

const char *target_cluster(const struct target *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].cluster)
			return v[i].cluster;
	return NULL;
}

bool target_vet(struct target *t, const char *cluster)
{
	bool was = t->vet == VET_FOREIGN;
	/* What it said before it could not be reached may not be so any more. */
	if (!t->cluster || !cluster || (t->vet == VET_UNKNOWN && t->name_at != INT64_MAX))
		return false;
	t->vet = text_eq(t->cluster, cluster) ? VET_SAME : VET_FOREIGN;
	return t->vet == VET_FOREIGN && !was;
}

size_t target_after(const struct target *v, size_t n, size_t from, int64_t now)
{
	for (size_t i = 1; i < n; i++) {
		const struct target *t = &v[(from + i) % n];
		if (t->vet != VET_FOREIGN && !t->no_quorum && !target_is_cool(t, now))
			return (from + i) % n;
	}
	return (from + 1) % n;
}

int target_choose(const struct target *v, size_t n, const struct target_wish *w)
{
	int best = -1, best_rank = -1;
	for (size_t i = 0; i < n; i++) {
		const struct target *t = &v[i];
		if ((w->tried & (UINT32_C(1) << i)) || (t->vet == VET_FOREIGN && n > 1))
			continue;
		/* Not cooling first, then with quorum, then the node's own, then the one that
		 * works. */
		int rank = (target_is_cool(t, w->now) || t->denied ? 0 : 8) +
			   (t->no_quorum ? 0 : 4) +
			   (w->node && text_eq_nocase(t->node, w->node) ? 2 : 0) +
			   (i == w->current ? 1 : 0);
		if (rank > best_rank) {
			best = (int)i;
			best_rank = rank;
		}
	}
	return best;
}
