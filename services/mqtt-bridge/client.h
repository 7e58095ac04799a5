/* SPDX-License-Identifier: Apache-2.0
 *
 * client: the client's end of MQTT 3.1.1 and 5.0 as a state machine without I/O: bytes and time in, events and bytes out. It knows how a connection begins and stays; what
 * the packets identify and who waits for them is relay's business.
 *
 * Events come from within client_input and client_release. None of them may free the client; it says nothing any more after client_end, or on_broken. */
#ifndef MQTT_BRIDGE_CLIENT_H
#define MQTT_BRIDGE_CLIENT_H

#include "common/mqtt/mqtt_packet.h"

#define CLIENT_PACKET_MAX (16u << 20) /* of a packet from the broker, bytes; it is told so in 5.0 */

struct client;

/* What the broker is asked for. Views and texts must last until client_connect returns. */
struct client_wish {
	uint8_t version;     /* MQTT_3_1_1 or MQTT_5 */
	bool bridge;         /* 3.1.1: with mosquitto's bit, see mqtt_connect.bridge */
	struct str id;       /* whose session lasts, for ever as far as we can say */
	struct str user;     /* empty: none */
	struct str password; /* bytes; secret */
	uint16_t keep_alive_s;
	uint16_t receive_max;
	struct str state_topic; /* the will: "0", retained; empty: none */
};

struct client_events {
	void (*on_connected)(struct client *c, void *ctx);
	void (*on_refused)(struct client *c, enum mqtt_reason reason, struct str text, void *ctx); /* and no more comes */
	void (*on_publish)(struct client *c, const struct mqtt_publish *p, void *ctx);
	void (*on_ack)(struct client *c, enum mqtt_type type, const struct mqtt_ack *a, void *ctx);
	void (*on_suback)(struct client *c, const struct mqtt_suback *a, void *ctx);
	void (*on_broken)(struct client *c, const char *why, void *ctx); /* the broker broke the rules, or said goodbye: no more comes */
	/* Where to write to; asked for each time. */
	struct buf *(*output)(struct client *c, void *ctx);
};

enum client_state { CLIENT_IDLE, CLIENT_CONNECTING, CLIENT_LIVE, CLIENT_ENDED };

struct client {
	const struct client_events *events;
	void *ctx;
	enum client_state state;
	bool held;             /* what follows CONNACK waits for client_release */
	struct mqtt_peer peer; /* the broker */
	struct buf in;         /* the beginning of a packet */
	/* What CONNACK said. */
	bool present; /* the session was there */
	uint8_t qos_max;
	bool retains;
	uint16_t receive_max;
	uint16_t keep_alive_s;
};

/* In a zeroed struct, or one that client_fini left. */
void client_init(struct client *c, const struct client_events *events, void *ctx);
void client_fini(struct client *c);
/* False: something is too long for a CONNECT. */
bool client_connect(struct client *c, const struct client_wish *wish);
/* All of it is taken. */
void client_input(struct client *c, const char *p, size_t n);
/* client_hold: what has come is not looked at before client_release. To be called from on_connected. */
void client_hold(struct client *c);
void client_release(struct client *c);
void client_ping(struct client *c);
/* With DISCONNECT, which takes the will back. */
void client_end(struct client *c);

#endif
