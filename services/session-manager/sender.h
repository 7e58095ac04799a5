/* SPDX-License-Identifier: Apache-2.0
 *
 * sender: whether a client's stanza that has waited is still ours to send on. Once the slot of its sender was another's, it is not, also when the slot
 * has come back: the edge has presented it again, to whoever had the slot then. */
#ifndef SESSION_MANAGER_SENDER_H
#define SESSION_MANAGER_SENDER_H

#include <stdbool.h>
#include <stdint.h>

struct packet;
struct sm;

/* The epoch of the sender's slot; 0 for what is not a local client's. False: it is the next owner's to send; the receipt has failed WRONG_OWNER. */
bool sender_epoch(const struct sm *sm, const struct packet *p, uint64_t *out);

#endif
