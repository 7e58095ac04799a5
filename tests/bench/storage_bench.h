/* SPDX-License-Identifier: Apache-2.0
 *
 * storage_bench: the state of a run, and how a call begins and ends. */
#ifndef TESTS_BENCH_STORAGE_BENCH_H
#define TESTS_BENCH_STORAGE_BENCH_H

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/storage.client.h"
#include "services/storage/store.h"

#define LATENCY_ROOM 4000000u

struct bench {
	uv_loop_t loop;
	uv_timer_t tick;
	struct store *store;
	uint32_t seconds, open_max, accounts, bytes, connections, writers, batch_max, window_ms, rate;
	uint32_t method, max, check, partitions, backlog, qos, fan;
	bool ready;
	char dir[64], dsn[256];
	long postmaster;
	uint32_t open, next_account;
	uint64_t sent, ended, failed;
	uint32_t *latency_us;
	char *stanza;
	struct bench_session {
		uint64_t number, seq;
	} * sessions; /* of MQTT */
};

struct sample {
	struct bench *bench;
	uint64_t begin_us;
	uint32_t domain; /* of the spool; or the first session, of MQTT */
	uint64_t *seqs;  /* of each session; NULL: none is done */
	bool received;
};

static inline void on_done(int code, const char *text, const ProtobufCMessage *reply, void *ctx)
{
	struct sample *s = ctx;
	struct bench *b = s->bench;

	(void)reply;
	b->open--;
	if (code) {
		if (b->failed++ == 0)
			fprintf(stderr, "storage_bench: %d %s\n", code, text);
	} else if (b->ended < LATENCY_ROOM) {
		b->latency_us[b->ended] = (uint32_t)(clock_mono_us() - s->begin_us);
	}
	b->ended += code == 0;
	mem_free(s->seqs);
	mem_free(s);
}

static inline struct sample *sample_new(struct bench *b)
{
	struct sample *s = mem_new(struct sample);

	s->bench = b;
	s->begin_us = clock_mono_us();
	b->open++;
	b->sent++;
	return s;
}

static inline void submit(struct bench *b, uint32_t method, const ProtobufCMessage *request, struct str payload)
{
	store_submit(b->store, method & 0xff, request, payload, 0, on_done, sample_new(b));
}

/* Until fewer calls than that are open. */
static inline void drain(struct bench *b, uint32_t below)
{
	while (b->open >= below)
		uv_run(&b->loop, UV_RUN_ONCE);
}

#endif
