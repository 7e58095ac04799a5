/* SPDX-License-Identifier: Apache-2.0
 *
 * gateway: the daemon's own object: what its parts share, its connection to our broker, and its life. Of several instances one is at work. */
#ifndef MQTT_GATEWAY_GATEWAY_H
#define MQTT_GATEWAY_GATEWAY_H

#include "common/daemon/daemon.h"
#include "common/mqtt_link/mqtt_link.h"
#include "services/mqtt-gateway/config.h"
#include "services/mqtt-gateway/intake.h"
#include "services/mqtt-gateway/orders.h"

#define MQTT_GATEWAY_ROLE "mqtt-gateway"
/* Of our SUBSCRIBE, and beyond those of messages. */
#define GATEWAY_SUBSCRIBE_ID 65535u

/* Bits of rule.logged beyond those of enum to_user_result. */
#define GATEWAY_SAID_REFUSED (1u << 16)

/* waiting -> opening -> up -> closing -> waiting; closing -> ended */
enum gateway_state { GATEWAY_WAITING, GATEWAY_OPENING, GATEWAY_UP, GATEWAY_CLOSING, GATEWAY_ENDED };

struct gateway {
	struct daemon *daemon;
	struct ipc_bus *bus;
	const struct gateway_config *config;
	const struct log_ctx *log;
	struct net_loop *net;
	struct dns *dns;
	char *domain;
	struct rules *rules, *next_rules; /* in use; to be used when the connection is closed */
	struct mqtt_party party, next_party;
	struct mqtt_link_env env;
	struct mqtt_link link;
	enum gateway_state state;
	bool working; /* it has the domain, and the session in the broker; else it stands by */
	bool subscribing, draining, stopped;
	uint32_t failures; /* since it was last up for a while */
	uint64_t up_ms;
	char why[400]; /* of the last failure, so that it is logged once */
	struct wheel_timer retry;
	struct net_task settle;
	struct intake intake;
	struct orders orders;
};

struct gateway *gateway_new(struct daemon *d, struct err *e);
void gateway_run(struct gateway *g);
void gateway_reload(struct gateway *g);
void gateway_drain(struct gateway *g);
void gateway_free(struct gateway **g);
/* Other instances have come or gone. */
void gateway_look_around(struct gateway *g);
/* Something has come to its end: perhaps it was the last. */
void gateway_look(struct gateway *g);
/* What goes to the broker is appended to it; while the connection is up. */
struct buf *gateway_output(struct gateway *g);
bool gateway_is_host(const struct gateway *g, struct str domain);
/* About a rule, once for each bit and reading of the file. */
void gateway_say_once(struct gateway *g, struct rule *r, uint32_t bit, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* --- broker.c: the connection ------------------------------------------------------------------------------------- */

void broker_init(struct gateway *g);
void broker_connect(struct gateway *g);
/* gateway_closed follows, from the loop. */
void broker_close(struct gateway *g);
void broker_fini(struct gateway *g);
/* It is closed, and not tried again by itself. */
void gateway_closed(struct gateway *g);

#endif
