/* SPDX-License-Identifier: Apache-2.0
 *
 * last_activity: when the last resource of an account went, and with which status (XEP-0012). In the
 * store by best effort; on the account at once, for whoever asks before that. */
#ifndef SESSION_MANAGER_LAST_ACTIVITY_H
#define SESSION_MANAGER_LAST_ACTIVITY_H

#include "common/base/str.h"

struct account;

/* presence: the unavailable presence, canonical. */
void last_activity_note(struct account *a, struct str presence);

#endif
