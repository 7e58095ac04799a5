/* SPDX-License-Identifier: Apache-2.0
 *
 * bridges_load: the file of links from the disk, and the files that it names. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "services/mqtt-bridge/bridges.h"

#define FILE_MAX ((size_t)1 << 20)

static int load_parties(struct bridges *all, struct err *e)
{
	struct err why;

	for (size_t i = 0; i < all->count; i++) {
		struct bridge *b = &all->items[i];

		if (mqtt_party_load(&b->ours, &why) < 0 || mqtt_party_load(&b->remote, &why) < 0)
			return err_set(e, "services.mqtt-bridge: bridge %s: %s", b->name, why.text);
	}
	return 0;
}

struct bridges *bridges_load(const struct bridge_config *config, const char *host, struct err *e)
{
	const char *slash = strrchr(config->bridges, '/');
	char *folder = slash ? mem_strndup(config->bridges, (size_t)(slash - config->bridges)) : mem_strdup(".");
	struct bridges *out = NULL;
	struct buf text = { 0 };
	struct err why;

	if (file_read(config->bridges, FILE_MAX, &text, &why) < 0) {
		err_set(e, "services.mqtt-bridge: %s", why.text);
	} else {
		out = bridges_parse(buf_str(&text), folder, config, host, &why);
		if (!out)
			err_set(e, "%s: %s", config->bridges, why.text);
		else if (load_parties(out, e) < 0)
			bridges_free(&out);
	}
	buf_fini(&text);
	mem_free(folder);
	return out;
}

void bridges_free(struct bridges **bridges)
{
	struct bridges *all = *bridges;

	*bridges = NULL;
	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++) {
		struct bridge *b = &all->items[i];

		mem_free(b->name);
		mem_free(b->state_topic);
		mqtt_party_fini(&b->ours);
		mqtt_party_fini(&b->remote);
		rules_fini(&b->rules);
	}
	mem_free(all->items);
	mem_free(all);
}
