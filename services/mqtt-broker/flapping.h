/* SPDX-License-Identifier: Apache-2.0
 *
 * flapping: clients that connect and end all the time, by client identifier or by address, are banned for a while (`flapping` in the configuration). How often each did is
 * counted in a table of fixed size: among more than it has room for, who did least is forgotten. Nothing of it outlives the broker. */
#ifndef MQTT_BROKER_FLAPPING_H
#define MQTT_BROKER_FLAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

struct mq_broker;
struct mq_client;
struct mq_flapping;

/* --- the table; pure ------------------------------------------------------------------------------------------------- */

struct mq_flapping *mq_flapping_new(void);
void mq_flapping_free(struct mq_flapping **f);
/* One more of this name. True: it is more than `limit` within the window, which began with the first; it then counts from nothing. */
bool mq_flapping_count(struct mq_flapping *f, struct str name, uint64_t now_ms, uint64_t window_ms, uint32_t limit);

/* --- the broker ------------------------------------------------------------------------------------------------------ */

/* A client that was let in ends; its session and its connection are still known. The other brokers are told, and count it as their own. */
void mq_flapped(struct mq_client *c);
/* The configuration is another one: who is not counted needs no table. */
void mq_flapping_configure(struct mq_broker *b);

#endif
