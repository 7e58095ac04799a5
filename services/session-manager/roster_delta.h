/* SPDX-License-Identifier: Apache-2.0
 *
 * roster_delta: RFC 6121 section 2.6.3: to a client that knows an older version of its roster, an empty result and then pushes of what
 * changed since; or the whole roster, where the store does not remember that far back. */
#ifndef SESSION_MANAGER_ROSTER_DELTA_H
#define SESSION_MANAGER_ROSTER_DELTA_H

#include <stdint.h>

#include "services/session-manager/iq.h"

struct account;
struct roster;

/* Answers the IQ. */
void roster_delta_send(struct account *a, struct iq *iq, uint64_t since, void (*whole)(struct iq *iq, const struct roster *r));

#endif
