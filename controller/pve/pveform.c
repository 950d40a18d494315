#include "pveform.h"

#include "buf.h"
#include "text.h"

char *pveform_encode(const struct kv *params, size_t max, size_t *ret_len)
{
	struct buf b;
	buf_init(&b, max);
	KV_FOREACH (item, params) {
		_cleanup_str_ char *key = text_url_encode(item->key);
		_cleanup_str_ char *value = text_url_encode(item->value);
		buf_addf(&b, "%s%s=%s", b.len ? "&" : "", key, value);
	}
	if (b.overflow) {
		buf_fini(&b);
		return NULL;
	}
	*ret_len = b.len;
	return buf_take(&b);
}
