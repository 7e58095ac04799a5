/* SPDX-License-Identifier: Apache-2.0
 *
 * log_repeat: see log_repeat.h. */
#include "common/base/log_repeat.h"

#include <stdio.h>

#include "common/base/hash.h"

#define ENTRIES 64u
#define PROBES  4u

struct entry {
	uint64_t key; /* 0: unused */
	uint64_t window_end_ms;
	uint64_t written, held;
	enum log_level level;
	char text[160];
};

static struct entry entries[ENTRIES];

static struct entry *find(uint64_t key, uint64_t now_ms)
{
	struct entry *usable = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct entry *e = &entries[(key + i) % ENTRIES];
		if (e->key == key)
			return e;
		/* One that still owes its count is kept until the flush. Of the others, the one that has repeated least makes way. */
		if (e->window_end_ms <= now_ms && e->held == 0)
			e->written = 0;
		if (e->held == 0 && (!usable || e->written < usable->written))
			usable = e;
	}
	if (usable)
		*usable = (struct entry){ .key = key, .window_end_ms = now_ms + LOG_REPEAT_WINDOW_MS };
	return usable;
}

bool log_repeat_admit(enum log_level level, const char *fmt, struct str text, uint64_t now_ms)
{
	if (level == LOG_LEVEL_DEBUG)
		return true;
	uint64_t key = level <= LOG_LEVEL_WARN ? (uint64_t)(uintptr_t)fmt : hash_fnv1a64(text);
	struct entry *e = find(key ? key : 1, now_ms);
	if (!e)
		return true;
	if (e->window_end_ms <= now_ms && e->held == 0) {
		e->window_end_ms = now_ms + LOG_REPEAT_WINDOW_MS;
		e->written = 0;
	}
	if (e->written < LOG_REPEAT_BURST) {
		e->written++;
		return true;
	}
	if (e->held == 0) {
		e->level = level;
		snprintf(e->text, sizeof(e->text), "%.*s", STR_ARG(text));
	}
	e->held++;
	return false;
}

void log_repeat_flush(uint64_t now_ms, bool all, void (*fn)(enum log_level level, uint64_t count, const char *text))
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *e = &entries[i];
		if (e->held && (all || e->window_end_ms <= now_ms))
			fn(e->level, e->held, e->text);
		else if (!all)
			continue;
		e->key = 0;
		e->held = 0;
	}
}
