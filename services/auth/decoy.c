/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/decoy.h"

#include "common/base/mem.h"

#define SALT_SIZE 16 /* as hashing.c gives to accounts that exist */

static void derive(const uint8_t *secret, struct str account, enum digest hash, char use, uint8_t out[DIGEST_MAX])
{
	struct buf label = { 0 };

	buf_append_char(&label, use);
	buf_append_char(&label, (char)('0' + hash));
	buf_append_str(&label, account);
	digest_hmac(DIGEST_SHA512, str_make(secret, SEAL_KEY_SIZE), buf_str(&label), out);
	buf_fini(&label);
}

void decoy_keys(const uint8_t secret[SEAL_KEY_SIZE], struct str account, enum digest hash, uint32_t iterations, struct scram_keys *out)
{
	uint8_t bytes[DIGEST_MAX];

	*out = (struct scram_keys){ .hash = hash, .iterations = iterations, .salt_n = SALT_SIZE };
	derive(secret, account, hash, 's', bytes);
	memcpy(out->salt, bytes, SALT_SIZE);
	derive(secret, account, hash, 'k', bytes);
	memcpy(out->stored_key, bytes, digest_size(hash));
	memcpy(out->server_key, bytes, digest_size(hash));
	mem_wipe(bytes, sizeof(bytes));
}
