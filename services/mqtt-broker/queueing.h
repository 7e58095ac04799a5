/* SPDX-License-Identifier: Apache-2.0
 *
 * queueing: one message on its way into the queues of the sessions that last: one call of the store, or several one after the other where there are more than
 * one takes. It is tried again until it is there, under the same name, so that no queue gets it twice. */
#ifndef MQTT_BROKER_QUEUEING_H
#define MQTT_BROKER_QUEUEING_H

#include "common/mqtt/mqtt_deliver.h"

struct mq_broker;
struct mq_publication;
struct mq_queueing;
struct mq_session;
struct mq_tenant;
struct mq_wait;

/* For at most `most` sessions, each once. shared: the copies for members of shared subscriptions, who may get one of their own beside (section 4.8.2). wait:
 * is told in the end; may be NULL. */
struct mq_queueing *mq_queueing_new(struct mq_tenant *t, struct mq_publication *p, uint32_t most, bool shared, struct mq_wait *wait);
/* One more session, which lasts; d: qos above 0, retain, identifiers. */
void mq_queueing_add(struct mq_queueing *q, struct mq_session *s, const struct mqtt_delivery *d);
/* All are in it. */
void mq_queueing_send(struct mq_queueing *q);
/* The broker ends: what is on its way goes on, but nobody hears of it. */
void mq_queueings_end(struct mq_broker *b);

#endif
