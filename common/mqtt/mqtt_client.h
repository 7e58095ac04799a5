/* SPDX-License-Identifier: Apache-2.0
 *
 * client: the client's end of MQTT 3.1.1 and 5.0 as a state machine without I/O: bytes and time in, events and bytes out. It knows how a connection begins and stays; what
 * the packets identify and who waits for them is relay's business.
 *
 * Events come from within mqtt_client_input and mqtt_client_release. None of them may free the client; it says nothing any more after mqtt_client_end, or on_broken. */
#ifndef COMMON_MQTT_MQTT_CLIENT_H
#define COMMON_MQTT_MQTT_CLIENT_H

#include "common/mqtt/mqtt_packet.h"

#define MQTT_CLIENT_PACKET_MAX (16u << 20) /* of a packet from the broker, bytes; it is told so in 5.0 */

struct mqtt_client;

/* What the broker is asked for. Views and texts must last until mqtt_client_connect returns. */
struct mqtt_client_wish {
	uint8_t version;     /* MQTT_3_1_1 or MQTT_5 */
	bool bridge;         /* 3.1.1: with mosquitto's bit, see mqtt_connect.bridge */
	struct str id;       /* whose session lasts, for ever as far as we can say */
	struct str user;     /* empty: none */
	struct str password; /* bytes; secret */
	uint16_t keep_alive_s;
	uint16_t receive_max;
	struct str state_topic; /* the will: "0", retained; empty: none */
};

struct mqtt_client_events {
	void (*on_connected)(struct mqtt_client *c, void *ctx);
	void (*on_refused)(struct mqtt_client *c, enum mqtt_reason reason, struct str text, void *ctx); /* and no more comes */
	void (*on_publish)(struct mqtt_client *c, const struct mqtt_publish *p, void *ctx);
	void (*on_ack)(struct mqtt_client *c, enum mqtt_type type, const struct mqtt_ack *a, void *ctx);
	void (*on_suback)(struct mqtt_client *c, const struct mqtt_suback *a, void *ctx);
	void (*on_broken)(struct mqtt_client *c, const char *why,
	                  void *ctx); /* the broker broke the rules, or said goodbye: no more comes */
	/* Where to write to; asked for each time. */
	struct buf *(*output)(struct mqtt_client *c, void *ctx);
};

enum mqtt_client_state { MQTT_CLIENT_IDLE, MQTT_CLIENT_CONNECTING, MQTT_CLIENT_LIVE, MQTT_CLIENT_ENDED };

struct mqtt_client {
	const struct mqtt_client_events *events;
	void *ctx;
	enum mqtt_client_state state;
	bool held;             /* what follows CONNACK waits for mqtt_client_release */
	struct mqtt_peer peer; /* the broker */
	struct buf in;         /* the beginning of a packet */
	/* What CONNACK said. */
	bool present; /* the session was there */
	uint8_t qos_max;
	bool retains;
	uint16_t receive_max;
	uint16_t keep_alive_s;
};

/* In a zeroed struct, or one that mqtt_client_fini left. */
void mqtt_client_init(struct mqtt_client *c, const struct mqtt_client_events *events, void *ctx);
void mqtt_client_fini(struct mqtt_client *c);
/* False: something is too long for a CONNECT. */
bool mqtt_client_connect(struct mqtt_client *c, const struct mqtt_client_wish *wish);
/* All of it is taken. */
void mqtt_client_input(struct mqtt_client *c, const char *p, size_t n);
/* mqtt_client_hold: what has come is not looked at before mqtt_client_release. To be called from on_connected. */
void mqtt_client_hold(struct mqtt_client *c);
void mqtt_client_release(struct mqtt_client *c);
void mqtt_client_ping(struct mqtt_client *c);
/* With DISCONNECT, which takes the will back. */
void mqtt_client_end(struct mqtt_client *c);

#endif
