/* SPDX-License-Identifier: Apache-2.0
 *
 * letter: a message for one user, on its way to the owner of the user's account, in order for each slot (ipc/runtime/lane.h). */
#ifndef MQTT_GATEWAY_LETTER_H
#define MQTT_GATEWAY_LETTER_H

#include "common/base/hash.h"
#include "services/mqtt-gateway/to_user.h"

struct entry;
struct gateway;
struct letter_lane;

struct letters {
	struct gateway *gateway;
	struct letter_lane *lanes[SLOT_COUNT];
	uint32_t count;
};

void letters_init(struct letters *all, struct gateway *g);
/* Calls have ended, and their answers were heard. */
void letters_fini(struct letters *all);
/* To m->to[number]. entry: of whom it is one, until intake_settled or letters_forget; NULL: a message with QoS 0, which is tried once.
 * again: it may have been sent before. */
void letter_send(struct letters *all, const struct rule *r, const struct to_user *m, size_t number, struct entry *entry, bool again);
/* The entries are gone. What has not been sent is dropped, what has is not sent again. */
void letters_forget(struct letters *all);

#endif
