/* SPDX-License-Identifier: Apache-2.0
 *
 * bridges: the file that services.mqtt-bridge.bridges names: which links there are. It is an operator's, read at start and on SIGHUP; errors name the line. README.md has the
 * format. */
#ifndef MQTT_BRIDGE_BRIDGES_H
#define MQTT_BRIDGE_BRIDGES_H

#include "common/mqtt_link/mqtt_party.h"
#include "services/mqtt-bridge/config.h"
#include "services/mqtt-bridge/rules.h"

#define BRIDGES_MAX 64u

struct bridge {
	char *name;
	struct mqtt_party ours, remote;
	char *state_topic; /* where both brokers are told whether it is connected; NULL: nowhere */
	struct rules rules;
};

struct bridges {
	struct bridge *items;
	size_t count;
};

/* What `text` says, with `config` for our broker and host as the name that identifiers begin with. folder: where relative paths start. Certificates and passwords are
 * not read yet. NULL with e set. */
struct bridges *bridges_parse(struct str text, const char *folder, const struct bridge_config *config, const char *host, struct err *e);
/* The same from config->bridges, with everything that it names. */
struct bridges *bridges_load(const struct bridge_config *config, const char *host, struct err *e);
void bridges_free(struct bridges **bridges);

#endif
