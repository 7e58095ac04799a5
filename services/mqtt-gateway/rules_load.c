/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_load: the file of rules from the disk. */
#include "common/base/file.h"
#include "services/mqtt-gateway/rules.h"

#define FILE_MAX ((size_t)1 << 20)

struct rules *rules_load(const char *path, const struct config_list *hosts, struct err *e)
{
	struct rules *out = NULL;
	struct buf text = { 0 };
	struct err why;

	if (file_read(path, FILE_MAX, &text, &why) < 0) {
		err_set(e, "services.mqtt-gateway: %s", why.text);
	} else {
		out = rules_parse(buf_str(&text), hosts, &why);
		if (!out)
			err_set(e, "%s: %s", path, why.text);
	}
	buf_fini(&text);
	return out;
}
