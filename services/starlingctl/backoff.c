/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/backoff.h"

uint32_t backoff_delay_ms(struct backoff *b, uint64_t lived_ms, uint64_t random)
{
	uint32_t base;

	if (b->next_ms == 0 || lived_ms >= BACKOFF_FORGET_MS)
		b->next_ms = BACKOFF_FIRST_MS;
	base = b->next_ms;
	b->next_ms = base * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : base * 2;
	return base * 4 / 5 + (uint32_t)(random % (base * 2 / 5 + 1));
}
