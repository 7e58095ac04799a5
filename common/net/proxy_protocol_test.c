/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/proxy_protocol_for_test.h"
#include "common/net/proxy_protocol_v2.h"

#define V4   "\xc0\x00\x02\x07\xc6\x33\x64\x01\x1f\x90\x14\x66" /* 192.0.2.7:8080 to 198.51.100.1:5222 */
#define V6   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x00\x50\xff\xff"
#define TCP4 "PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222\r\n"

static struct proxy_reader reader;
static struct proxy_header header;

static int teardown(void **state)
{
	(void)state;
	proxy_reader_fini(&reader);
	return 0;
}

static enum proxy_verdict feed(struct str in, size_t piece, size_t *out_used)
{
	enum proxy_verdict verdict = PROXY_MORE;
	size_t at = 0;

	proxy_reader_fini(&reader);
	while (at < in.n && verdict == PROXY_MORE) {
		size_t n = piece < in.n - at ? piece : in.n - at;
		char *copy = mem_memdup(in.p + at, n);

		at += proxy_reader_feed(&reader, copy, n, &verdict);
		mem_free(copy);
	}
	*out_used = at;
	return verdict;
}

/* The same however it is cut; a whole header is parsed. */
static enum proxy_verdict read_all(struct str in, size_t *out_used)
{
	enum proxy_verdict verdict = feed(in, in.n, out_used);
	size_t used;

	for (size_t piece = 1; piece < 30; piece += 4) {
		assert_int_equal(feed(in, piece, &used), verdict);
		assert_int_equal(used, *out_used);
	}
	if (verdict == PROXY_DONE && !proxy_reader_parse(&reader, &header))
		verdict = PROXY_BAD;
	assert_true(verdict != PROXY_BAD || reader.why);
	return verdict;
}

static void check(const struct net_addr *a, const char *address, uint16_t port)
{
	char text[NET_ADDR_TEXT_MAX];

	assert_string_equal(net_addr_text(a, text), address);
	assert_int_equal(a->port, port);
}

static void version_1_is_read(void **state)
{
	size_t used;

	(void)state;
	assert_int_equal(read_all(STR(TCP4 "GET"), &used), PROXY_DONE);
	assert_int_equal(used, strlen(TCP4));
	assert_true(header.told);
	check(&header.source, "192.0.2.7", 8080);
	check(&header.destination, "198.51.100.1", 5222);
	assert_int_equal(read_all(STR("PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 0 65535\r\n"), &used), PROXY_DONE);
	check(&header.source, "2001:db8::1", 0);
	check(&header.destination, "2001:db8::2", 65535);
	/* The longest of each. */
	assert_int_equal(read_all(STR("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), &used), PROXY_DONE);
	assert_int_equal(
	        read_all(STR("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	                 &used),
	        PROXY_DONE);
	assert_int_equal(read_all(STR("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
	                              "65535\r\n"),
	                          &used),
	                 PROXY_DONE);
	assert_int_equal(used, 107);
	assert_false(header.told);
	assert_int_equal(read_all(STR("PROXY UNKNOWN\r\n"), &used), PROXY_DONE);
	assert_false(header.told);
	assert_int_equal(read_all(STR("PROXY UNKNOWN what ever \x01\xff\r\n"), &used), PROXY_DONE);
	assert_int_equal(read_all(STR("PROXY TCP4 192.0.2.7 198"), &used), PROXY_MORE);
}

static void what_is_no_version_1_is_refused(void **state)
{
	static const char *const rows[] = {
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222\r\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1\r8080 5222\r\n",
		"PROXY\r\n",
		"PROXY \r\n",
		"PROXY TCP4\r\n",
		"PROXY  TCP4 192.0.2.7 198.51.100.1 8080 5222\r\n",
		"PROXY tcp4 192.0.2.7 198.51.100.1 8080 5222\r\n",
		"PROXY TCP5 192.0.2.7 198.51.100.1 8080 5222\r\n",
		"PROXY UNKNOWNS\r\n",
		"PROXY\tTCP4 192.0.2.7 198.51.100.1 8080 5222\r\n",
		"proxy TCP4 192.0.2.7 198.51.100.1 8080 5222\r\n",
		"PROXY TCP4 192.0.2.7  198.51.100.1 8080 5222\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222 \r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222 1\r\n",
		"PROXY TCP4 192.0.2.07 198.51.100.1 8080 5222\r\n",
		"PROXY TCP4 192.0.2 198.51.100.1 8080 5222\r\n",
		"PROXY TCP4 192.0.2.256 198.51.100.1 8080 5222\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::2 8080 5222\r\n",
		"PROXY TCP6 192.0.2.7 198.51.100.1 8080 5222\r\n",
		"PROXY TCP6 2001:db8::1::2 2001:db8::2 8080 5222\r\n",
		"PROXY TCP6 2001:db8::1 fe80::1%eth0 8080 5222\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 08080 5222\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 65536 5222\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 -1 5222\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080 5222x\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 8080 \r\n",
		"GET / HTTP/1.1\r\n",
		"<?xml version='1.0'?>",
		"\x16\x03\x01\x02",
		/* 108 bytes */
		"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n",
	};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (read_all(str_from(rows[i]), &used) != PROXY_BAD)
			fail_msg("%s", rows[i]);
	}
	assert_int_equal(read_all(STR("PROXY TCP4 192.0.2.7\0 198.51.100.1 8080 5222\r\n"), &used), PROXY_BAD);
}

static enum proxy_verdict read_v2(uint8_t version_command, uint8_t family, struct str addresses, struct str tlvs)
{
	enum proxy_verdict verdict;
	struct buf in = { 0 };
	size_t whole, used;

	test_v2(&in, version_command, family, addresses, tlvs);
	whole = in.n;
	buf_append_cstr(&in, "behind");
	verdict = read_all(buf_str(&in), &used);
	if (verdict == PROXY_DONE)
		assert_int_equal(used, whole);
	buf_fini(&in);
	return verdict;
}

static void version_2_is_read(void **state)
{
	char path[216] = "/run/client";

	(void)state;
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), STR("")), PROXY_DONE);
	assert_true(header.told);
	check(&header.source, "192.0.2.7", 8080);
	check(&header.destination, "198.51.100.1", 5222);
	assert_int_equal(read_v2(0x21, 0x21, STR(V6), STR("")), PROXY_DONE);
	assert_true(header.told);
	check(&header.source, "2001:db8::1", 80);
	check(&header.destination, "2001:db8::2", 65535);
	/* What tells no address of a client. */
	assert_int_equal(read_v2(0x20, 0x00, STR(""), STR("")), PROXY_DONE);
	assert_false(header.told);
	assert_int_equal(read_v2(0x20, 0x11, STR(V4), STR("\x01")), PROXY_DONE); /* LOCAL: whatever follows */
	assert_false(header.told);
	assert_int_equal(read_v2(0x20, 0xff, STR(""), STR("")), PROXY_DONE);
	assert_int_equal(read_v2(0x21, 0x00, STR("what ever"), STR("")), PROXY_DONE);
	assert_false(header.told);
	assert_int_equal(read_v2(0x21, 0x10, STR(V4), STR("")), PROXY_DONE);
	assert_false(header.told);
	assert_int_equal(read_v2(0x21, 0x12, STR(V4), STR("")), PROXY_DONE); /* UDP over TCP it is not */
	assert_false(header.told);
	assert_int_equal(read_v2(0x21, 0x31, str_make(path, sizeof(path)), STR("")), PROXY_DONE);
	assert_false(header.told);
}

static void what_is_no_version_2_is_refused(void **state)
{
	size_t used;

	(void)state;
	assert_int_equal(read_v2(0x11, 0x11, STR(V4), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x31, 0x11, STR(V4), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x22, 0x11, STR(V4), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x41, STR(V4), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x13, STR(V4), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x11, str_make(V4, 11), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x21, str_make(V6, 35), STR("")), PROXY_BAD);
	assert_int_equal(read_v2(0x21, 0x31, STR(V6), STR("")), PROXY_BAD);
	assert_int_equal(read_all(STR("\x0d\x0a\x0d\x0a\x0d"), &used), PROXY_BAD);
	/* Longer than is taken: known by its length, before any of it is kept. */
	assert_int_equal(read_all(STR(TEST_V2 "\x21\x11\x0f\xf1"), &used), PROXY_BAD);
	assert_int_equal(read_all(STR(TEST_V2 "\x21\x11\x0f\xf0"), &used), PROXY_MORE);
}

static void tlvs_are_read(void **state)
{
	struct buf tlvs = { 0 }, ssl = { 0 };

	(void)state;
	buf_append(&ssl, "\x07\0\0\0\0", 5);
	test_tlv(&ssl, 0x21, STR("TLSv1.3"));
	test_tlv(&ssl, 0x23, STR("TLS_AES_128_GCM_SHA256"));
	test_tlv(&ssl, 0x22, STR("device-17"));
	test_tlv(&tlvs, 0x04, STR("padding"));
	test_tlv(&tlvs, 0x01, STR("mqtt"));
	test_tlv(&tlvs, 0x02,
	         STR("b\xc3\xbc"
	             "cher.example"));
	test_tlv(&tlvs, 0x05, STR("id 1"));
	test_tlv(&tlvs, 0x20, buf_str(&ssl));
	test_tlv(&tlvs, 0xe0, STR(""));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_DONE);
	assert_true(str_is(header.alpn, "mqtt"));
	assert_true(str_is(header.authority, "b\xc3\xbc"
	                                     "cher.example"));
	assert_true(str_is(header.unique_id, "id 1"));
	assert_true(str_is(header.client_cn, "device-17"));
	assert_true(str_is(header.tls_version, "TLSv1.3"));
	assert_true(header.tls && header.client_verified);
	/* Not verified; no certificate; no TLS at all. */
	ssl.p[4] = 1;
	buf_clear(&tlvs);
	test_tlv(&tlvs, 0x20, buf_str(&ssl));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_DONE);
	assert_true(header.tls && !header.client_verified);
	buf_clear(&tlvs);
	test_tlv(&tlvs, 0x20, STR("\x01\0\0\0\0"));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_DONE);
	assert_true(header.tls && !header.client_verified);
	buf_clear(&tlvs);
	test_tlv(&tlvs, 0x20, STR("\x06\0\0\0\0"));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_DONE);
	assert_true(!header.tls && !header.client_verified);
	buf_fini(&tlvs);
	buf_fini(&ssl);
}

static void wrong_tlvs_are_refused(void **state)
{
	static const struct str rows[] = {
		{ "\x04", 1 },
		{ "\x04\x00", 2 },
		{ "\x04\x00\x01", 3 },
		{ "\x04\xff\xff"
		  "a",
		  4 },
		{ "\x02\x00\x01\xff", 4 }, /* a host name that is not UTF-8 */
		{ "\x02\x00\x01\x00", 4 },
		{ "\x20\x00\x04\x01\0\0\0", 7 },       /* SSL without all its flags */
		{ "\x20\x00\x06\x01\0\0\0\0\x22", 9 }, /* and with half a TLV */
		{ "\x20\x00\x08\x01\0\0\0\0\x22\x00\x01", 11 },
		{ "\x20\x00\x09\x01\0\0\0\0\x22\x00\x01\xff", 12 },
		{ "\x03\x00\x03\0\0\0", 6 },   /* a short checksum */
		{ "\x03\x00\x04\0\0\0\0", 7 }, /* and a wrong one */
	};
	struct buf many = { 0 };
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (read_v2(0x21, 0x11, STR(V4), rows[i]) != PROXY_BAD)
			fail_msg("row %zu", i);
	}
	memset(name, 'a', sizeof(name));
	test_tlv(&many, 0x05, str_make(name, 129));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&many)), PROXY_BAD);
	buf_clear(&many);
	test_tlv(&many, 0x02, str_make(name, 256));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&many)), PROXY_BAD);
	buf_clear(&many);
	for (uint32_t i = 0; i < PROXY_TLVS_MAX; i++)
		test_tlv(&many, 0x04, STR(""));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&many)), PROXY_DONE);
	test_tlv(&many, 0x04, STR(""));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&many)), PROXY_BAD);
	buf_fini(&many);
}

/* The check value of the algorithm, and the four of RFC 3720 appendix B.4, which are written there byte by byte from the lowest. */
static void the_checksum_is_castagnolis(void **state)
{
	uint8_t block[32];

	(void)state;
	assert_int_equal(proxy_crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
	memset(block, 0, sizeof(block));
	assert_int_equal(proxy_crc32c(block, sizeof(block)), 0x8a9136aau);
	memset(block, 0xff, sizeof(block));
	assert_int_equal(proxy_crc32c(block, sizeof(block)), 0x62a8ab43u);
	for (uint8_t i = 0; i < sizeof(block); i++)
		block[i] = i;
	assert_int_equal(proxy_crc32c(block, sizeof(block)), 0x46dd794eu);
	for (uint8_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(31 - i);
	assert_int_equal(proxy_crc32c(block, sizeof(block)), 0x113fdb5cu);
}

static void a_checksum_is_checked(void **state)
{
	struct buf tlvs = { 0 }, in = { 0 };
	uint32_t sum;
	char said[4];

	(void)state;
	test_tlv(&tlvs, 0x02, STR("example.org"));
	test_tlv(&tlvs, 0x03, STR("\0\0\0\0"));
	test_tlv(&tlvs, 0x04, STR("pad"));
	test_v2(&in, 0x21, 0x11, STR(V4), buf_str(&tlvs));
	sum = proxy_crc32c((uint8_t *)in.p, in.n);
	for (int i = 0; i < 4; i++)
		said[i] = (char)(sum >> (24 - 8 * i));
	memcpy(tlvs.p + 3 + 11 + 3, said, 4);
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_DONE);
	tlvs.p[3] = 'E';
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_BAD);
	assert_string_equal(reader.why, "the checksum is wrong");
	/* Two cannot both be true. */
	tlvs.p[3] = 'e';
	test_tlv(&tlvs, 0x03, STR("\0\0\0\0"));
	assert_int_equal(read_v2(0x21, 0x11, STR(V4), buf_str(&tlvs)), PROXY_BAD);
	buf_fini(&tlvs);
	buf_fini(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(version_1_is_read, teardown),
		cmocka_unit_test_teardown(what_is_no_version_1_is_refused, teardown),
		cmocka_unit_test_teardown(version_2_is_read, teardown),
		cmocka_unit_test_teardown(what_is_no_version_2_is_refused, teardown),
		cmocka_unit_test_teardown(tlvs_are_read, teardown),
		cmocka_unit_test_teardown(wrong_tlvs_are_refused, teardown),
		cmocka_unit_test_teardown(the_checksum_is_castagnolis, teardown),
		cmocka_unit_test_teardown(a_checksum_is_checked, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
