/* SPDX-License-Identifier: Apache-2.0
 *
 * websocket: who may ask for a WebSocket, and by what path (MQTT 5.0 section 6). */
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

/* [MQTT-6.0.0-3]: the subprotocol is mqtt; those of 3.1 say mqttv3.1. */
static const char *const protocols[] = { "mqtt", "mqttv3.1", NULL };

static enum http_status on_request(struct conn *conn, const struct websocket_request *r, void *ctx)
{
	const struct mq_client *c = ctx;
	const struct mq_config *cfg = c->broker->config;

	(void)conn;
	if (!str_is(r->http->path, cfg->websocket_path))
		return HTTP_NOT_FOUND;
	return websocket_origin_allowed(r, cfg->origins.items, cfg->origins.count) ? HTTP_SWITCHING_PROTOCOLS : HTTP_FORBIDDEN;
}

const struct conn_websocket_options mq_websocket = { .type = WEBSOCKET_BINARY, .protocols = protocols, .on_request = on_request };
