/* SPDX-License-Identifier: Apache-2.0
 *
 * hub: all links of the file, which its instances divide among themselves: start, reload, drain, end. */
#ifndef MQTT_BRIDGE_HUB_H
#define MQTT_BRIDGE_HUB_H

#include "common/daemon/daemon.h"
#include "services/mqtt-bridge/span.h"

#define MQTT_BRIDGE_ROLE "mqtt-bridge"

struct hub {
	struct daemon *daemon;
	const struct bridge_config *config;
	struct net_loop *net;
	struct dns *dns;
	struct bridges *bridges, *next; /* in use; to be used when all links have stopped */
	struct span_env env;
	struct span **links; /* of bridges, by index; NULL: another instance's, or stopped */
	size_t running;
	bool draining;
	struct relay_counts counts;
};

struct hub *hub_new(struct daemon *d, struct err *e);
void hub_run(struct hub *hub);
void hub_reload(struct hub *hub);
void hub_drain(struct hub *hub);
/* Other instances have come or gone. */
void hub_look(struct hub *hub);
void hub_free(struct hub **hub);
/* Over all links. */
double hub_unacknowledged(const struct hub *hub);
uint64_t hub_up(const struct hub *hub);

#endif
