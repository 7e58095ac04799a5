/* SPDX-License-Identifier: Apache-2.0
 *
 * receipt: who waits until a stanza is durable or completely handled. Everything that handles a part of it later holds the receipt;
 * when the last one lets go, `done` runs and frees it. NULL stands for "nobody waits". */
#ifndef SESSION_MANAGER_RECEIPT_H
#define SESSION_MANAGER_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

struct receipt {
	uint32_t open;
	bool remote;     /* whoever waits can present the stanza again itself, in its order: it is told when this owner cannot go on */
	int code;        /* OK, or the first reason why the stanza was not handled: its sender keeps it */
	bool duplicate;  /* it was in the log before */
	uint64_t log_id; /* where the message stands in the log; 0: nowhere */
	void (*done)(struct receipt *r);
};

static inline void receipt_hold(struct receipt *r)
{
	if (r)
		r->open++;
}

static inline void receipt_release(struct receipt *r)
{
	if (r && --r->open == 0)
		r->done(r);
}

static inline void receipt_logged(struct receipt *r, uint64_t log_id, bool duplicate)
{
	if (!r)
		return;
	r->log_id = log_id;
	r->duplicate = duplicate;
}

/* The stanza could not be handled here and nothing was done: the sender must present it again. */
static inline void receipt_fail(struct receipt *r, int code)
{
	if (r && !r->code)
		r->code = code;
}

#endif
