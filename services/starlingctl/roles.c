/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/roles.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct role roles[ROLE_COUNT] = {
	{ "router", 1, 1 },
	{ "storage", 2, 1 },
	{ "auth", 3, 1 },
	{ "session-manager", 3, 1 },
	{ "c2s-edge", 4, 1 },
	{ "s2s", 4, 1 },
	{ "mqtt-broker", 4, 1 },
	/* They need ports, and names or addresses that clients reach: only where the operator says so. */
	{ "proxy65", 4, 0 },
	{ "turn-relay", 4, 0 },
	/* They do nothing without a file of links, or of rules. */
	{ "mqtt-bridge", 4, 0 },
	{ "mqtt-gateway", 4, 0 },
};
/* clang-format on */

static int role_index(const char *name, size_t n)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strlen(roles[i].name) == n && strncmp(roles[i].name, name, n) == 0)
			return i;
	return -1;
}

int roles_parse_scale(const char *text, unsigned counts[ROLE_COUNT], struct err *e)
{
	while (text && *text) {
		size_t n = strcspn(text, ",");
		size_t name = strcspn(text, "=,");
		int role = role_index(text, name);
		char *end;
		unsigned long count;

		if (role < 0)
			return err_set(e, "--scale: no role '%.*s'", (int)name, text);
		if (name == n)
			return err_set(e, "--scale: %s=N is needed", roles[role].name);
		count = strtoul(text + name + 1, &end, 10);
		if (end != text + n || end == text + name + 1 || count > ROLE_MAX_SCALE)
			return err_set(e, "--scale: %s: a number from 0 to %d is needed", roles[role].name, ROLE_MAX_SCALE);
		counts[role] = (unsigned)count;
		text += n + (text[n] == ',');
	}
	return 0;
}
