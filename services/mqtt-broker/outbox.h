/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: what a session that lasts is to send next. All of it is rows in the store, by rising seq; the next ones are here as well: those that came while the
 * client kept up, and pages that were read. A row that is here may not be committed yet: it is sent when it is, and nothing behind it before. Pure. */
#ifndef MQTT_BROKER_OUTBOX_H
#define MQTT_BROKER_OUTBOX_H

#include "services/mqtt-broker/message.h"

enum mq_item_state {
	MQ_ITEM_PENDING, /* on its way to the store */
	MQ_ITEM_READY,
	MQ_ITEM_VOID,    /* is not sent: the store had it before, or did not take it */
	MQ_ITEM_RELEASE, /* the client has it, and PUBREL is next */
};

struct mq_item {
	uint64_t seq;
	struct mq_message *message; /* a reference; NULL: MQ_ITEM_RELEASE */
	uint32_t *ids;              /* subscription identifiers, when there are several; owned */
	uint32_t id;                /* the only one; 0: none. With ids: how many */
	uint8_t state;              /* enum mq_item_state */
	uint8_t qos;
	bool retain;
};

/* Empty when zeroed but for next_seq, which is 1 at least; mq_outbox_fini frees. */
struct mq_outbox {
	struct mq_item *items; /* ring */
	uint32_t cap;          /* a power of two */
	uint32_t head, count;
	uint64_t bytes;
	uint64_t next_seq;
	uint64_t read_to; /* rows up to here are, or were, in the ring */
	bool behind;      /* the store has rows beyond it, or may have */
};

void mq_outbox_fini(struct mq_outbox *o);
/* Nothing has been read: all that is in the store is to be sent. */
void mq_outbox_rewind(struct mq_outbox *o);
/* One more row, which is on its way to the store. It is not kept here when the ring has bytes_max or there are rows that must be read before. */
void mq_outbox_push(struct mq_outbox *o, uint64_t seq, struct mq_message *message, const struct mqtt_delivery *d, uint64_t bytes_max);
/* A row that was read, with the next higher seq. Takes over the message's reference; d: qos, retain, identifiers. */
void mq_outbox_add(struct mq_outbox *o, uint64_t seq, struct mq_message *message, const struct mqtt_delivery *d);
/* All rows up to seq are in the ring now. */
void mq_outbox_read(struct mq_outbox *o, uint64_t seq);
/* What became of a pending row. */
void mq_outbox_settle(struct mq_outbox *o, uint64_t seq, enum mq_item_state state);
/* What became of it is not known: it and all behind it is read from the store. */
void mq_outbox_doubt(struct mq_outbox *o, uint64_t seq);
/* The first one above `after` that can be sent is not wanted any more; its seq. 0: there is none, or one that is on its way to the store stands before it. */
uint64_t mq_outbox_drop(struct mq_outbox *o, uint64_t after);
/* The next one that is to be sent; out as it is to be delivered. NULL: none, or it is not in the store yet. */
const struct mq_item *mq_outbox_first(struct mq_outbox *o, struct mqtt_delivery *out);
void mq_outbox_pop(struct mq_outbox *o);

#endif
