/* SPDX-License-Identifier: Apache-2.0 */
#include "services/proxy65/dstaddr.h"

#include "common/base/buf.h"
#include "common/crypto/digest.h"

void dstaddr_make(struct str sid, struct str requester, struct str target, char out[SOCKS5_DST + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t hash[DIGEST_MAX];
	struct buf all = { 0 };

	buf_append_str(&all, sid);
	buf_append_str(&all, requester);
	buf_append_str(&all, target);
	digest_hash(DIGEST_SHA1, buf_str(&all), hash);
	buf_fini(&all);
	for (size_t i = 0; i < SOCKS5_DST / 2; i++) {
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
	out[SOCKS5_DST] = '\0';
}
