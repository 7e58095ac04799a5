/* SPDX-License-Identifier: Apache-2.0
 *
 * start: what is in the store when the broker begins: the sessions of whoever had them before, and the retained messages. Clients are taken when all of it is
 * here: a publish that is acknowledged earlier would miss sessions that it is for. */
#ifndef MQTT_BROKER_START_H
#define MQTT_BROKER_START_H

#include <stdint.h>

struct mq_broker;

/* mq_started runs in the end. */
void mq_start_begin(struct mq_broker *b);
void mq_start_end(struct mq_broker *b);
/* What it waits for may be there. */
void mq_start_look(struct mq_broker *b);
/* An instance is gone. */
void mq_start_lost(struct mq_broker *b);
/* broker.c */
void mq_started(struct mq_broker *b);

#endif
