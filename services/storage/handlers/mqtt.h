/* SPDX-License-Identifier: Apache-2.0
 *
 * mqtt: what the methods for mqtt-brokers share (migrations/0004_mqtt.sql has the tables, docs/decisions/0036-storage-mqtt.md the reasons). */
#ifndef STORAGE_HANDLERS_MQTT_H
#define STORAGE_HANDLERS_MQTT_H

#include "ipc/proto/mqtt_store.pb-c.h"
#include "ipc/proto/storage.pb-c.h"
#include "services/storage/op.h"

#define MQTT_PAGE_MAX  500u
#define MQTT_NAME_MAX  65800u /* of a session, or of a topic with its tenant */
#define MQTT_ALIVE_MAX 1024u  /* there are no more slots to own */

/* Of bus.proto's hash over the whole name: not hash_slot(), which leaves out what stands behind a slash. */
uint32_t mqtt_slot(struct str name);
/* The slot is the lower part of a session's number. */
static inline uint32_t mqtt_session_slot(uint64_t session)
{
	return (uint32_t)(session & 1023);
}

/* Locks of sessions' slots lie between the spool's and the stripes' of retained messages (methods.c). An even one is held alone, the odd one behind it is the
 * same lock, shared: who needs it both ways gets it alone first. */
uint32_t mqtt_lock(uint32_t slot, bool shared);
#define MQTT_STRIPES 64u
uint32_t mqtt_stripe(struct str topic);
uint32_t mqtt_stripe_lock(uint32_t stripe);

/* Two parameters, session and epoch, and the session's lock. 0 or INVALID. */
int mqtt_bind_fence(struct op *op, const Starling__MqttFence *fence, bool shared, const char **why);
/* One parameter: a text that is a name, not empty and not overlong. 0 or INVALID, with `bad` as the reason. */
int mqtt_bind_name(struct op *op, const char *name, size_t max, const char *bad, const char **why);
/* One parameter: the packed message with its payload, at most `max` bytes. 0 or INVALID. */
int mqtt_bind_message(struct op *op, const Starling__MqttMessage *message, struct str payload, size_t max, const char **why);
/* One parameter: the numbers as a text, since an array cannot have rows of different lengths; those above INT64_MAX are left out. */
void mqtt_bind_numbers(struct op *op, const uint64_t *numbers, size_t n);
/* One parameter, int8[]. */
void mqtt_bind_array(struct pg_args *args, const uint64_t *numbers, size_t n);

/* Null for null; in the scratch arena. */
Starling__MqttMessage *mqtt_read_message(struct op *op, const PGresult *res, int row, int column);
/* Columns next_seq, queued, filters, bits, received, from `column` on; in the scratch arena. */
void mqtt_read_rest(struct op *op, const PGresult *res, int row, int column, Starling__MqttSession *out);
/* As op_row_ok, in MQTT's words. */
bool mqtt_row_ok(struct op *op, const PGresult *res, int row);
void mqtt_answer_empty(struct op *op, const PGresult *res, int row);

#endif
