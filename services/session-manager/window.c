/* SPDX-License-Identifier: Apache-2.0
 *
 * The common case is that each stanza is done before the next is taken: two counters. Bits exist only while one waits. */
#include "services/session-manager/window.h"

#include "common/base/mem.h"

#define WORDS (WINDOW_SIZE / 64)

void window_fini(struct window *w)
{
	mem_free(w->done);
	w->done = NULL;
}

enum window_verdict window_take(struct window *w, uint64_t number)
{
	if (!w->synced && number > w->taken + 1)
		w->accepted = w->taken = number - 1;
	if (number <= w->taken)
		return WINDOW_DUPLICATE;
	if (number != w->taken + 1)
		return WINDOW_GAP;
	if (number - w->accepted > WINDOW_SIZE)
		return WINDOW_FULL;
	w->synced = true;
	w->taken = number;
	return WINDOW_TAKE;
}

static uint64_t *word(const struct window *w, uint64_t number)
{
	return &w->done[number % WINDOW_SIZE / 64];
}

bool window_done(struct window *w, uint64_t number)
{
	if (number <= w->accepted || number > w->taken)
		return false;
	if (number != w->accepted + 1) {
		if (!w->done)
			w->done = mem_zalloc(WORDS * sizeof(*w->done));
		*word(w, number) |= 1ULL << number % 64;
		return false;
	}
	w->accepted++;
	while (w->done && w->accepted < w->taken && *word(w, w->accepted + 1) & 1ULL << (w->accepted + 1) % 64) {
		w->accepted++;
		*word(w, w->accepted) &= ~(1ULL << w->accepted % 64);
	}
	if (w->accepted == w->taken)
		window_fini(w);
	return true;
}
