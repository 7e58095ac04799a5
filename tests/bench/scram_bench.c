/* SPDX-License-Identifier: Apache-2.0
 *
 * scram_bench: CPU time of what auth does for a login with SCRAM, without bus and store: the first step (parse, write server-first, seal), the last
 * (unseal, check, sign), and PBKDF2, which PLAIN and new passwords cost. Prints microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/crypto/base64.h"
#include "common/crypto/scram.h"
#include "common/crypto/scram_client.h"
#include "common/crypto/seal.h"

#define ROUNDS 20000

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool holds)
{
	if (!holds) {
		fputs("scram_bench: a step failed\n", stderr);
		exit(1);
	}
}

/* What auth keeps between the steps; close enough to its own form in size. */
static void first_step(struct seal *seal, const struct scram_keys *keys, struct str message, struct buf *server_first, struct buf *state)
{
	struct scram_client_first first;
	uint8_t random[18];
	char nonce[24];
	struct buf plain = { 0 };

	buf_clear(server_first);
	buf_clear(state);
	must(scram_parse_client_first(message, &first));
	random_bytes(random, sizeof(random));
	base64_encode(str_make(random, sizeof(random)), nonce);
	must(scram_write_server_first(server_first, first.nonce, str_make(nonce, sizeof(nonce)), str_make(keys->salt, keys->salt_n),
	                              keys->iterations));
	buf_append_str(&plain, first.gs2_header);
	buf_append_str(&plain, first.bare);
	buf_append_str(&plain, buf_str(server_first));
	buf_append(&plain, keys->stored_key, DIGEST_MAX);
	buf_append(&plain, keys->server_key, DIGEST_MAX);
	must(seal_close(seal, STR("host mechanism address"), buf_str(&plain), clock_wall_us(), state));
	buf_fini(&plain);
}

static void last_step(struct seal *seal, const struct scram_keys *keys, struct str first_message, struct str server_first, struct str state,
                      struct str final)
{
	struct scram_client_first first;
	struct scram_exchange x;
	const char *comma = memchr(server_first.p, ',', server_first.n);
	char plain[4096];
	size_t n;
	struct buf out = { 0 };

	must(seal_open(seal, STR("host mechanism address"), state, clock_wall_us(), plain, &n) == SEAL_OK);
	must(scram_parse_client_first(first_message, &first));
	x = (struct scram_exchange){ first.gs2_header, STR(""), first.bare, server_first,
		                     str_make(server_first.p + 2, (size_t)(comma - server_first.p) - 2) };
	must(scram_finish(&x, keys, final, &out) == SCRAM_OK);
	buf_fini(&out);
}

static void bench(enum digest hash)
{
	struct scram_client_config config = { .hash = hash, .username = STR("user"), .password = STR("pencil") };
	struct scram_client *client = scram_client_new(&config);
	static const uint8_t key[SEAL_KEY_SIZE] = { 1 };
	struct seal *seal = seal_new(key);
	struct buf server_first = { 0 }, state = { 0 };
	struct scram_keys keys;
	struct str final;
	double start, first_us, last_us, hash_us;

	start = cpu_us();
	for (int i = 0; i < 10; i++)
		scram_derive(hash, STR("pencil"), STR("0123456789abcdef"), 10000, &keys);
	hash_us = (cpu_us() - start) / 10;
	start = cpu_us();
	for (int i = 0; i < ROUNDS; i++)
		first_step(seal, &keys, scram_client_first(client), &server_first, &state);
	first_us = (cpu_us() - start) / ROUNDS;
	must(scram_client_final(client, buf_str(&server_first), &final));
	start = cpu_us();
	for (int i = 0; i < ROUNDS; i++)
		last_step(seal, &keys, scram_client_first(client), buf_str(&server_first), buf_str(&state), final);
	last_us = (cpu_us() - start) / ROUNDS;
	printf("%-8s first step %6.2f us   last step %6.2f us   PBKDF2 of 10000 rounds %8.0f us\n", digest_name(hash), first_us, last_us,
	       hash_us);
	buf_fini(&server_first);
	buf_fini(&state);
	seal_free(&seal);
	scram_client_free(&client);
}

int main(void)
{
	for (int i = 0; i < DIGEST_COUNT; i++)
		bench((enum digest)i);
	return 0;
}
