/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/secret.h"

#include <openssl/crypto.h>

bool secret_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

bool secret_equal_str(struct str a, struct str b)
{
	return a.n == b.n && secret_equal(a.p, b.p, a.n);
}
