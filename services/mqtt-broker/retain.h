/* SPDX-License-Identifier: Apache-2.0
 *
 * retain: retained messages on their way to the store. Of each topic one at a time; what comes meanwhile follows, and of that only the last: nobody will ever
 * read those between. */
#ifndef MQTT_BROKER_RETAIN_H
#define MQTT_BROKER_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

struct mq_broker;
struct mq_message;
struct mq_publication;
struct mq_tenant;
struct mq_wait;

/* The topic's retained message is this one now. wait: is told when the store has it, or a later one; may be NULL. */
void mq_retain_store(struct mq_tenant *t, struct mq_publication *p, struct mq_wait *wait);
/* Another broker's version. False: of that topic nothing is on its way. Otherwise it takes over the message. */
bool mq_retain_other(struct mq_tenant *t, struct mq_message *m, unsigned qos, uint64_t version);
/* The broker ends. */
void mq_retain_end(struct mq_broker *b);

#endif
