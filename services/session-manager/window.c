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

void window_restore(struct window *w, uint64_t accepted, uint64_t since_ms, uint64_t now_ms)
{
	w->accepted = w->taken = accepted;
	w->since_ms = since_ms;
	w->unsure = w->mark = accepted + WINDOW_SIZE;
	w->mark_ms = now_ms;
}

/* Nothing is out, here or with an owner before. */
static bool idle(const struct window *w)
{
	return w->accepted == w->taken && w->accepted >= w->unsure;
}

uint64_t window_since(const struct window *w, uint64_t now_ms)
{
	return idle(w) ? now_ms : w->since_ms;
}

static void note(struct window *w, uint64_t number, uint64_t first_ms)
{
	if (idle(w)) {
		w->since_ms = w->mark_ms = first_ms;
		w->mark = number;
		return;
	}
	if (first_ms < w->since_ms)
		w->since_ms = first_ms;
	if (number > w->mark && first_ms < w->mark_ms)
		w->mark_ms = first_ms;
}

enum window_verdict window_take(struct window *w, uint64_t number, uint64_t first_ms)
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
	note(w, number, first_ms);
	w->taken = number;
	return WINDOW_TAKE;
}

static uint64_t *word(const struct window *w, uint64_t number)
{
	return &w->done[number % WINDOW_SIZE / 64];
}

bool window_done(struct window *w, uint64_t number, uint64_t now_ms)
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
	if (w->accepted >= w->mark && w->accepted < w->taken) {
		w->since_ms = w->mark_ms;
		w->mark = w->taken;
		w->mark_ms = now_ms;
	}
	return true;
}
