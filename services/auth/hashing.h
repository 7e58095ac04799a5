/* SPDX-License-Identifier: Apache-2.0
 *
 * hashing: PBKDF2 in libuv's worker threads, with a bounded queue. Owns the copies of passwords that wait here, and wipes them. Results arrive on
 * the loop; done runs exactly once for each accepted job, also when the daemon stops. */
#ifndef SERVICES_AUTH_HASHING_H
#define SERVICES_AUTH_HASHING_H

#include <uv.h>

#include "common/crypto/scram.h"

struct hashing;

struct hashing *hashing_new(uv_loop_t *loop);
/* Waits for the jobs that run, which is milliseconds; those that wait are cancelled. */
void hashing_free(struct hashing **h);

struct hashing_result {
	bool cancelled;                /* the daemon stops; the rest means nothing */
	bool matches;                  /* hashing_verify */
	const struct scram_keys *keys; /* hashing_derive: one for each enum digest; wiped after done */
	uint64_t waited_us;
};
typedef void (*hashing_fn)(const struct hashing_result *result, void *ctx);

/* False: `limit` jobs are open already; done does not run. The password is prepared, and copied. */
bool hashing_verify(struct hashing *h, int64_t limit, const struct scram_keys *keys, struct str password, hashing_fn done, void *ctx);
/* Keys of all hashes, each with a salt of its own. */
bool hashing_derive(struct hashing *h, int64_t limit, struct str password, uint32_t iterations, hashing_fn done, void *ctx);

uint32_t hashing_open(const struct hashing *h);
/* Calls fn once, at once or when the last job is done. */
void hashing_when_idle(struct hashing *h, void (*fn)(void *ctx), void *ctx);

#endif
