/* SPDX-License-Identifier: Apache-2.0
 *
 * backoff: how long to wait before the next start of what died: 1 s, doubling to 30 s, spread by a fifth either way so that a flock does not
 * come back in step; from the beginning again after a minute of life. */
#ifndef SERVICES_STARLINGCTL_BACKOFF_H
#define SERVICES_STARLINGCTL_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_LAST_MS = 30000, BACKOFF_FORGET_MS = 60000 };

struct backoff {
	uint32_t next_ms; /* zeroed: not used yet */
};

/* After a life of lived_ms. random: any number. */
uint32_t backoff_delay_ms(struct backoff *b, uint64_t lived_ms, uint64_t random);

#endif
