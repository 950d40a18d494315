/* A property string that is read and printed again is the same but for blank parts; printed text
 * is a fixed point; what is set can be got. */
#include <stdlib.h>
#include <string.h>

#include "propstr.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	_cleanup_propstr_ struct propstr p = {0}, again = {0};
	if (propstr_parse(text, &p, NULL) < 0)
		return 0;
	_cleanup_str_ char *once = propstr_print(&p);
	MUST(propstr_parse(once, &again, NULL) == 0);
	MUST(again.n == p.n);
	_cleanup_str_ char *twice = propstr_print(&again);
	MUST(text_eq(once, twice));
	propstr_set(&p, "fuzz", "1");
	MUST(text_eq(propstr_get(&p, "fuzz"), "1"));
	propstr_set_lead(&p, "lead");
	MUST(text_eq(propstr_lead(&p), "lead"));
	while (p.n) {
		if (p.v[0].key) {
			_cleanup_str_ char *key = mem_strdup(p.v[0].key);
			MUST(propstr_del(&p, key));
			MUST(!propstr_get(&p, key));
		} else {
			propstr_del_lead(&p);
		}
	}
	return 0;
}
