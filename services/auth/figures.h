/* SPDX-License-Identifier: Apache-2.0
 *
 * figures: auth's metrics. */
#ifndef SERVICES_AUTH_FIGURES_H
#define SERVICES_AUTH_FIGURES_H

#include "services/auth/auth.h"
#include "services/auth/mechanism.h"

enum login_outcome { LOGIN_SUCCEEDED, LOGIN_REFUSED, LOGIN_THROTTLED, LOGIN_UNAVAILABLE, LOGIN_OUTCOMES };

void figures_register(struct auth *a);
/* mechanism NULL: one that is not known. */
void figures_login(const struct mechanism *m, enum login_outcome outcome);
/* Time from request to answer of one step of an exchange. */
void figures_step(uint64_t us);
/* Time that a password waited for its turn and was hashed. */
void figures_hashed(uint64_t us);
void figures_hash_refused(void);

#endif
