/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_load: the file of rules from the disk. */
#include <errno.h>
#include <stdio.h>

#include "services/mqtt-gateway/rules.h"

#define FILE_MAX ((size_t)1 << 20)

static int read_file(const char *path, struct buf *out, struct err *e)
{
	FILE *f = fopen(path, "re");
	char chunk[8192];
	size_t n;
	int rc = 0;

	if (!f)
		return err_set(e, "services.mqtt-gateway: %s: %s", path, strerror(errno));
	buf_init(out, FILE_MAX);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && buf_append(out, chunk, n))
		;
	if (ferror(f))
		rc = err_set(e, "services.mqtt-gateway: %s: %s", path, strerror(errno));
	else if (out->overflow)
		rc = err_set(e, "services.mqtt-gateway: %s: larger than 1 MiB", path);
	fclose(f);
	return rc;
}

struct rules *rules_load(const char *path, const struct config_list *hosts, struct err *e)
{
	struct rules *out = NULL;
	struct buf text = { 0 };
	struct err why;

	if (read_file(path, &text, e) == 0) {
		out = rules_parse(buf_str(&text), hosts, &why);
		if (!out)
			err_set(e, "%s: %s", path, why.text);
	}
	buf_fini(&text);
	return out;
}
