/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy_protocol_for_test: what a proxy sends, for tests. */
#ifndef COMMON_NET_PROXY_PROTOCOL_FOR_TEST_H
#define COMMON_NET_PROXY_PROTOCOL_FOR_TEST_H

#include "common/base/buf.h"

#define TEST_V2 "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a" /* 12 bytes */

static inline void test_tlv(struct buf *out, uint8_t type, struct str value)
{
	buf_append_char(out, (char)type);
	buf_append_char(out, (char)(value.n >> 8));
	buf_append_char(out, (char)value.n);
	buf_append_str(out, value);
}

/* The length is that of addresses and tlvs. */
static inline void test_v2(struct buf *out, uint8_t version_command, uint8_t family, struct str addresses, struct str tlvs)
{
	size_t n = addresses.n + tlvs.n;

	buf_append(out, TEST_V2, 12);
	buf_append_char(out, (char)version_command);
	buf_append_char(out, (char)family);
	buf_append_char(out, (char)(n >> 8));
	buf_append_char(out, (char)n);
	buf_append_str(out, addresses);
	buf_append_str(out, tlvs);
}

#endif
