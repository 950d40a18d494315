/* Models of CPUs that a cluster has of its own. */
#include <string.h>

#include "sim_auth.h"
#include "sim_conf.h"
#include "sim_schema.h"

#define OWN "custom-"

char *cpu_type(const struct sim *s, const char *value)
{
	_cleanup_kv_ struct kv parts = {0};
	struct buf why;

	if (!value)
		return NULL;
	buf_init(&why, 0);
	schema_split(&SCHEMA_OF("cpu", s->v9), value, &parts, &why);
	buf_fini(&why);
	return mem_strdup(kv_get(&parts, "cputype"));
}

void cpu_check(const struct sim *s, const char *value, struct kv *errors)
{
	_cleanup_str_ char *type = cpu_type(s, value);
	const char *own = type ? text_after(type, OWN) : NULL;

	if (own && !kv_has(errors, "cpu") && !strs_has(&s->cpu_models, own))
		kv_setf(errors, "cpu", "invalid format - Custom cputype '%s' not found\n", own);
}

/* check_cpu_model_access: who changes other things about the CPU needs no right for its model. */
bool conf_may_cpu(struct job *j, const char *value, const char *old, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_str_ char *type = cpu_type(s, value), *had = cpu_type(s, old), *path = NULL;
	const char *own = type ? text_after(type, OWN) : NULL;

	if (!own || text_eq(type, had) || j->trusted || who_is_root(&j->who))
		return true;
	path = s->v9 ? mem_printf("/mapping/cpu/%s", own) : mem_strdup("/nodes");
	return auth_check(
	    s, &j->who, path, s->v9 ? PRIV_BIT(MAPPING_USE) : PRIV_BIT(SYS_AUDIT), false, o);
}
