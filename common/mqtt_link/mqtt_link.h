/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt_link: one connection to a broker, as its client: from the name to CONNACK, keep-alive, goodbye. When to try again is its owner's
 * business. */
#ifndef COMMON_MQTT_LINK_MQTT_LINK_H
#define COMMON_MQTT_LINK_MQTT_LINK_H

#include "common/base/log.h"
#include "common/mqtt/mqtt_client.h"
#include "common/mqtt_link/mqtt_dial.h"
#include "common/net/conn.h"

struct mqtt_link;

/* From the loop, or from within mqtt_client_release; never from within the functions below. */
struct mqtt_link_events {
	void (*on_up)(struct mqtt_link *l);
	/* It cannot go on: mqtt_link_close is to follow, from there or soon. level: of a log line, a warning where somebody has to act. */
	void (*on_failed)(struct mqtt_link *l, enum log_level level, const char *why);
	/* The same, before CONNACK: the broker takes none of what was asked for; reason is MQTT_SUCCESS where it closed without a word. */
	void (*on_refused)(struct mqtt_link *l, enum mqtt_reason reason, const char *why);
	void (*on_closed)(struct mqtt_link *l); /* conn is gone; on_failed came before unless it was closed by us */
	void (*on_publish)(struct mqtt_link *l, const struct mqtt_publish *p);
	void (*on_ack)(struct mqtt_link *l, enum mqtt_type type, const struct mqtt_ack *a);
	void (*on_suback)(struct mqtt_link *l, const struct mqtt_suback *a);
};

/* What links share; outlives them, and may change. */
struct mqtt_link_env {
	struct net_loop *net;
	struct dns *dns;
	uint32_t connect_ms; /* from the name to CONNACK */
	uint32_t close_ms;   /* of a closing connection, until it is cut */
};

struct mqtt_link {
	const struct mqtt_link_env *env;
	const struct mqtt_link_events *events;
	const struct mqtt_party *party;
	const char *state_topic;                  /* where the broker has a retained 1 or 0, the will's included; NULL: nowhere */
	const struct mqtt_party_address *address; /* the one in use */
	struct mqtt_client client;
	struct mqtt_dial *dial;
	struct conn *conn; /* NULL: none */
	uint16_t receive_max;
	bool bridge_bit; /* asked for with it (mqtt_client.h) */
	bool closing;    /* by us */
	char where[NET_ADDR_TEXT_MAX];
	struct wheel_timer timer; /* until CONNACK; then the next ping */
};

/* All that is given outlives the link. */
void mqtt_link_init(struct mqtt_link *l, const struct mqtt_link_env *env, const struct mqtt_link_events *events,
                    const struct mqtt_party *party, const char *state_topic);
void mqtt_link_open(struct mqtt_link *l, const struct mqtt_party_address *to, uint16_t receive_max, bool bridge_bit);
/* Goodbye, or away at once where there is nobody to say it to; on_closed follows when there was a conn. */
void mqtt_link_close(struct mqtt_link *l);
/* Gone at once, without another event. */
void mqtt_link_drop(struct mqtt_link *l);
/* "1" or "0", retained, if there is a topic for it. */
void mqtt_link_say_state(struct mqtt_link *l, const char *state);

#endif
