/* SPDX-License-Identifier: Apache-2.0
 *
 * message: an application message, while it is handed out and while somebody keeps it. What is handed out is a struct of views, so that a message with
 * QoS 0 for ten receivers takes no memory of its own; the first who must keep it makes one counted copy for all. */
#ifndef MQTT_BROKER_MESSAGE_H
#define MQTT_BROKER_MESSAGE_H

#include "common/mqtt/mqtt_deliver.h"

/* Counted; one block with its topic, properties and payload. */
struct mq_message {
	struct mqtt_message m;
	uint64_t expires_ms; /* net_now() at which it expires; 0: never */
	uint32_t refs;
};

struct mq_peer;

/* A message on its way to its receivers. */
struct mq_publication {
	struct mqtt_message m;   /* views */
	struct mq_message *kept; /* the copy, once somebody needed it; NULL before */
	uint64_t expires_ms;
	uint64_t key_origin, key_number; /* its name in queues, where it has one of its own (mqtt_store.proto, MqttQueueRequest); 0: none */
	bool again;                      /* it may be there under this name */
	uint8_t qos;
	bool retain;    /* as published */
	bool asked;     /* a part of the retained ones that a subscription asked for: not dropped for a connection that is full by then */
	bool no_groups; /* shared subscriptions are left out (several.h) */
	bool only_lasting;        /* it has been handed out: only to sessions that last, in case they lack it */
	struct str publisher;     /* client identifier of who published it at another broker, for no-local */
	const void *from;         /* struct mq_session of the publisher, for no-local; NULL: none of them */
	const struct mq_peer *by; /* that has passed it; NULL: it was published here */
};

struct mq_message *mq_message_new(const struct mqtt_message *m, uint64_t expires_ms);
struct mq_message *mq_message_ref(struct mq_message *m);
void mq_message_unref(struct mq_message **m);
size_t mq_message_bytes(const struct mq_message *m);
/* What is left of its life (MQTT-3.3.2-6). False: it has expired. */
bool mq_message_expiry(uint64_t expires_ms, uint64_t now_ms, struct mqtt_delivery *out);

/* A reference for the caller. */
struct mq_message *mq_publication_keep(struct mq_publication *p);
/* All have it. */
void mq_publication_end(struct mq_publication *p);

#endif
