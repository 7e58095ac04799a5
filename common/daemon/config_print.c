/* SPDX-License-Identifier: Apache-2.0
 *
 * config_print: what is in force, as a YAML file that would give the same again. Options of one group stand together in their table. */
#include <stdio.h>

#include "common/daemon/config.h"
#include "common/daemon/config_value.h"

#define GROUP_MAX 256

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_append_cstr(out, "  ");
}

/* Bytes of `name`, up to and with a dot, that `group` (the last option's groups) begins with too. */
static size_t common_groups(const char *name, const char *group)
{
	size_t common = 0;

	for (size_t i = 0; name[i] && name[i] == group[i]; i++)
		if (name[i] == '.')
			common = i + 1;
	return common;
}

static void write_options(const struct config_option *options, const void *base, unsigned depth, struct buf *out)
{
	char group[GROUP_MAX] = "";

	for (const struct config_option *o = options; o->name; o++) {
		size_t common = common_groups(o->name, group);
		unsigned level = depth;
		const char *rest = o->name;
		for (const char *dot = strchr(rest, '.'); dot; rest = dot + 1, dot = strchr(rest, '.'), level++) {
			if ((size_t)(dot - o->name) < common)
				continue;
			indent(out, level);
			buf_printf(out, "%.*s:\n", (int)(dot - rest), rest);
		}
		snprintf(group, sizeof(group), "%.*s", (int)(rest - o->name), o->name);
		indent(out, level);
		buf_printf(out, "%s: ", rest);
		config_value_write(o, base, out);
		buf_append_char(out, '\n');
	}
}

void config_print(const char *role, const struct config_option *options, const struct config_shared *shared, const void *own)
{
	struct buf out = { 0 };

	write_options(config_shared_options, shared, 0, &out);
	buf_printf(&out, "services:\n  %s:%s\n", role, options->name ? "" : " {}");
	write_options(options, own, 2, &out);
	fwrite(out.p + out.start, 1, out.n - out.start, stdout);
	fflush(stdout);
	buf_fini(&out);
}
