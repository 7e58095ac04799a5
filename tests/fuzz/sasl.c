/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything of SASL that reads bytes of others: SCRAM's four messages, PLAIN, base64, sealed state. The first byte chooses. Beyond not crashing, what
 * parses must be what the grammar says: views inside the message, one spelling of base64, state that only opens as it was sealed. */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/crypto/base64.h"
#include "common/crypto/sasl_plain.h"
#include "common/crypto/scram.h"
#include "common/crypto/scram_client.h"
#include "common/crypto/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void within(struct str part, struct str whole)
{
	check(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void fuzz_client_first(struct str in)
{
	struct scram_client_first m;
	char name[SCRAM_MESSAGE_MAX];
	struct buf again = { 0 };
	size_t n;

	if (!scram_parse_client_first(in, &m))
		return;
	within(m.gs2_header, in);
	within(m.bare, in);
	within(m.nonce, m.bare);
	within(m.username, m.bare);
	within(m.authzid, m.gs2_header);
	within(m.cbind_type, m.gs2_header);
	check(m.gs2_header.n + m.bare.n == in.n && m.username.n > 0 && m.nonce.n > 0);
	check(scram_unescape(m.username, name, &n));
	check(scram_escape(&again, str_make(name, n)) && str_eq(buf_str(&again), m.username));
	buf_fini(&again);
}

static void fuzz_client_final(struct str in)
{
	static const struct scram_exchange x = { .gs2_header = { "n,,", 3 },
		                                 .client_first_bare = { "n=u,r=a", 7 },
		                                 .server_first = { "r=ab,s=QQ==,i=4096", 18 },
		                                 .nonce = { "ab", 2 } };
	struct scram_keys keys = { .hash = DIGEST_SHA256 };
	struct scram_client_final m;
	struct buf out = { 0 };

	if (scram_parse_client_final(in, &m)) {
		within(m.without_proof, in);
		within(m.nonce, m.without_proof);
		check(m.proof_n > 0 && m.proof_n <= DIGEST_MAX && m.without_proof.n < in.n);
	}
	/* Keys of nobody: nothing may be right. */
	check(scram_finish(&x, &keys, in, &out) != SCRAM_OK && buf_str(&out).n == 0);
	buf_fini(&out);
}

static void fuzz_server(struct str in)
{
	struct scram_server_first first;
	struct scram_server_final final;

	if (scram_parse_server_first(in, &first)) {
		within(first.nonce, in);
		check(first.salt_n > 0 && first.salt_n <= SCRAM_SALT_MAX && first.iterations > 0 &&
		      first.iterations <= SCRAM_ITERATIONS_MAX);
	}
	if (scram_parse_server_final(in, &final))
		check(final.error.n > 0 || final.signature_n > 0);
}

static void fuzz_plain(struct str in)
{
	struct sasl_plain m;

	if (!sasl_plain_parse(in, &m))
		return;
	check(m.authzid.n + m.authcid.n + m.password.n + 2 == in.n && m.authcid.n > 0 && m.password.n > 0);
	check(!memchr(m.authcid.p, 0, m.authcid.n) && !memchr(m.password.p, 0, m.password.n));
}

static void fuzz_base64(struct str in)
{
	char *bytes = mem_alloc(base64_decoded_max(in.n));
	struct buf again = { 0 };
	size_t n;

	if (base64_decode(in, bytes, &n)) {
		check(base64_append(&again, str_make(bytes, n)));
		check(str_eq(buf_str(&again), in));
	}
	buf_fini(&again);
	mem_free(bytes);
}

static void fuzz_seal(struct str in)
{
	static const uint8_t key[SEAL_KEY_SIZE] = { 1, 2, 3 };
	static struct seal *seal;
	struct buf sealed = { 0 };
	char *out = mem_alloc(in.n + SEAL_OVERHEAD);
	int64_t now = 1767268800000000;
	size_t n;

	if (!seal)
		seal = seal_new(key);
	check(seal_open(seal, STR("bound"), in, now, out, &n) != SEAL_OK);
	check(seal_close(seal, STR("bound"), in, now, &sealed));
	check(seal_open(seal, STR("bound"), buf_str(&sealed), now, out, &n) == SEAL_OK && str_eq(str_make(out, n), in));
	/* One byte, chosen by the input, is changed. */
	if (in.n >= 2) {
		size_t at = ((uint8_t)in.p[0] << 8 | (uint8_t)in.p[1]) % buf_str(&sealed).n;

		sealed.p[at] = (char)(sealed.p[at] ^ 0x10);
		check(seal_open(seal, STR("bound"), buf_str(&sealed), now, out, &n) != SEAL_OK);
	}
	buf_fini(&sealed);
	mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(
	        struct str) = { fuzz_client_first, fuzz_client_final, fuzz_server, fuzz_plain, fuzz_base64, fuzz_seal };
	char *copy;

	if (size < 1)
		return 0;
	/* In memory of exactly its size, so that a read behind it is seen. */
	copy = mem_memdup(data + 1, size - 1);
	targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](str_make(copy, size - 1));
	mem_free(copy);
	return 0;
}
