#include "pvetoken.h"

#include <string.h>

#include "log.h"
#include "text.h"

#define MAGIC 0x70767475u
#define MAX_BYTES 1024

bool pvetoken_is_valid(const char *s)
{
	size_t len = strlen(s);
	return len > 0 && len <= MAX_BYTES && text_is_printable(s, len) && strchr(s, '!') &&
	       strchr(s, '=');
}

void pvetoken_init(struct pvetoken *t, const struct pvetoken_opts *opts)
{
	*t = (struct pvetoken){.magic = MAGIC, .o = *opts, .text = mem_strdup(opts->token)};
	t->o.token = NULL;
	if (!t->o.probe_ms)
		t->o.probe_ms = PVETOKEN_PROBE_MS;
	log_mask(t->text);
}

void pvetoken_fini(struct pvetoken *t)
{
	mem_free_secret(&t->text);
	t->magic = 0;
}

/* True when there is another one now. While the token is refused this is asked before every call,
 * so that a new one is taken up at once; `quiet` then keeps the log short. */
static bool read_again(struct pvetoken *t, bool quiet)
{
	_cleanup_err_ struct err *err = NULL;
	char *fresh = NULL;
	if (!t->o.read)
		return false;
	if (t->o.read(t->o.arg, &fresh, &err) < 0) {
		if (!quiet)
			log_warn("pve", "%s, ignoring", err_msg(err));
		return false;
	}
	bool is_new = pvetoken_is_valid(fresh) && !text_eq(fresh, t->text);
	if (!pvetoken_is_valid(fresh) && !quiet)
		log_warn("pve", "the token file holds no API token, ignoring");
	if (is_new) {
		log_mask(fresh);
		mem_free_secret(&t->text);
		t->text = TAKE(fresh);
		t->serial++;
	}
	mem_free_secret(&fresh);
	return is_new;
}

bool pvetoken_ask(struct pvetoken *t, struct pvetoken_pass *ret)
{
	CHECK_OBJ(t, MAGIC);
	if (t->refused) {
		bool due = clock_now(t->o.clock) >= t->probe_at;
		if (t->probing || (!read_again(t, !due) && !due))
			return false;
		t->probing = true;
		/* From now on, as it may come to an end without an answer. */
		t->probe_at = clock_now(t->o.clock) + t->o.probe_ms;
	}
	*ret = (struct pvetoken_pass){.probe = t->refused, .serial = t->serial};
	return true;
}

void pvetoken_answered(struct pvetoken *t, int status, const struct pvetoken_pass *pass)
{
	CHECK_OBJ(t, MAGIC);
	bool refused = status == 401;
	if (refused && pass->serial != t->serial)
		return; /* it was the one before that was refused */
	/* A token that was exchanged in the meantime gets its chance at once. */
	if (refused && !t->refused && read_again(t, false))
		return;
	if (refused && !t->refused)
		log_debug("pve", "the cluster refuses the API token, retrying every %lld s",
		    (long long)(t->o.probe_ms / 1000));
	if (!refused && t->refused)
		log_info("pve", "the cluster accepts the API token again");
	/* An answer to a call that went out before says nothing new about a token that failed. */
	if (refused && (!t->refused || pass->probe))
		t->probe_at = clock_now(t->o.clock) + t->o.probe_ms;
	t->refused = refused;
}

void pvetoken_over(struct pvetoken *t, const struct pvetoken_pass *pass)
{
	if (pass->probe)
		t->probing = false;
}
