/* SPDX-License-Identifier: Apache-2.0
 *
 * Sample messages of the RFCs, and each rule of reading with a message that breaks it. */
#include "common/stun/stun_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/stun/stun_bytes.h"
#include "common/stun/stun_integrity.h"
#include "common/stun/stun_writer.h"
#include "common/stun/vectors_for_test.h"

static const uint8_t id[STUN_ID_SIZE] = "transaction";

static struct stun_key short_term(const char *password)
{
	struct stun_key key = { .n = (uint8_t)strlen(password) };

	memcpy(key.bytes, password, key.n);
	return key;
}

static struct stun_message expect_read(struct str bytes)
{
	struct stun_message m;

	assert_true(stun_message_read(&m, bytes));
	return m;
}

static void test_rfc5769_request(void **state)
{
	struct stun_key key = short_term(VECTOR_PASSWORD), other = short_term("VOkJxbRl1RmTxUk/WvJxBT");
	struct stun_message m = expect_read(STR(VECTOR_REQUEST));

	(void)state;
	assert_int_equal(m.method, STUN_BINDING);
	assert_int_equal(m.cls, STUN_REQUEST);
	assert_true(str_is(m.attr[STUN_A_USERNAME], "evtj:h6vY"));
	assert_true(stun_integrity_ok(&m, &key));
	assert_false(stun_integrity_ok(&m, &other));
	/* PRIORITY is ICE's; ICE-CONTROLLED need not be understood. */
	assert_int_equal(m.unknown_count, 1);
	assert_int_equal(m.unknown[0], 0x0024);
}

static void expect_mapped(struct str bytes, const char *ip, uint8_t family)
{
	struct stun_message m = expect_read(bytes);
	struct stun_key key = short_term(VECTOR_PASSWORD);
	struct stun_address a;
	char text[NET_ADDR_TEXT_MAX];

	assert_int_equal(m.cls, STUN_SUCCESS);
	assert_true(stun_integrity_ok(&m, &key));
	assert_true(stun_xor_address_read(m.attr[STUN_A_XOR_MAPPED_ADDRESS], m.id, &a));
	assert_string_equal(net_addr_text(&a.addr, text), ip);
	assert_int_equal(a.addr.port, 32853);
	assert_int_equal(a.family, family);
}

static void test_rfc5769_responses(void **state)
{
	(void)state;
	expect_mapped(STR(VECTOR_RESPONSE_V4), "192.0.2.1", STUN_FAMILY_V4);
	expect_mapped(STR(VECTOR_RESPONSE_V6), "2001:db8:1234:5678:11:2233:4455:6677", STUN_FAMILY_V6);
}

static void test_rfc5769_long_term(void **state)
{
	struct stun_message m = expect_read(STR(VECTOR_LONG_TERM));
	struct stun_key key;

	(void)state;
	assert_true(stun_key_long_term(&key, STUN_ALGORITHM_MD5, STR(VECTOR_USER), STR("example.org"), STR("TheMatrIX")));
	assert_true(stun_integrity_ok(&m, &key));
	assert_true(stun_key_long_term(&key, STUN_ALGORITHM_MD5, STR(VECTOR_USER), STR("example.org"), STR("TheMatrix")));
	assert_false(stun_integrity_ok(&m, &key));
}

/* A name that is not told, and the other algorithm. */
static void test_rfc8489_sha256(void **state)
{
	struct stun_message m = expect_read(STR(VECTOR_SHA256));
	uint8_t hash[STUN_USERHASH_SIZE];
	struct stun_key key;

	(void)state;
	assert_true(stun_userhash(hash, STR(VECTOR_USER), STR("example.org")));
	assert_true(str_eq(m.attr[STUN_A_USERHASH], str_make(hash, sizeof(hash))));
	assert_int_equal(stun_u16(&m, STUN_A_PASSWORD_ALGORITHM), STUN_ALGORITHM_SHA256);
	assert_true(stun_key_long_term(&key, STUN_ALGORITHM_SHA256, STR(VECTOR_USER), STR("example.org"), STR("TheMatrIX")));
	assert_true(stun_integrity_ok(&m, &key));
	assert_true(stun_key_long_term(&key, STUN_ALGORITHM_MD5, STR(VECTOR_USER), STR("example.org"), STR("TheMatrIX")));
	assert_false(stun_integrity_ok(&m, &key));
}

/* RFC 8489 section 9.2.2. */
static void test_key_of_the_text(void **state)
{
	static const uint8_t want[16] = { 0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb };
	static char longest[STUN_NAME_MAX + 2];
	struct stun_key key;

	(void)state;
	assert_true(stun_key_long_term(&key, STUN_ALGORITHM_MD5, STR("user"), STR("realm"), STR("pass")));
	assert_int_equal(key.n, 16);
	assert_memory_equal(key.bytes, want, 16);
	assert_false(stun_key_long_term(&key, 3, STR("user"), STR("realm"), STR("pass")));
	memset(longest, 'x', STUN_NAME_MAX + 1);
	assert_false(stun_key_long_term(&key, STUN_ALGORITHM_MD5, str_from(longest), STR("realm"), STR("pass")));
}

/* Every bit of a message with a fingerprint counts. */
static void test_flipped_bits(void **state)
{
	struct str whole = STR(VECTOR_REQUEST);
	struct stun_message m;
	char copy[sizeof(VECTOR_REQUEST)];

	(void)state;
	for (size_t bit = 0; bit < whole.n * 8; bit++) {
		memcpy(copy, whole.p, whole.n);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		if (stun_message_read(&m, str_make(copy, whole.n)) && stun_has(&m, STUN_A_FINGERPRINT))
			fail_msg("bit %zu", bit);
	}
	for (size_t n = 0; n < whole.n; n++)
		assert_false(stun_message_read(&m, str_make(whole.p, n)));
}

static void test_types(void **state)
{
	(void)state;
	for (unsigned method = 0; method < 0x1000; method++) {
		for (unsigned cls = 0; cls < 4; cls++) {
			uint8_t bytes[STUN_HEADER_SIZE];
			struct stun_writer w;
			struct stun_message m;

			stun_begin(&w, bytes, sizeof(bytes), (enum stun_class)cls, (uint16_t)method, id);
			assert_true(stun_message_read(&m, str_make(bytes, w.n)));
			assert_int_equal(m.method, method);
			assert_int_equal(m.cls, cls);
		}
	}
	assert_int_equal(stun_type_field(STUN_ERROR, STUN_ALLOCATE), 0x0113);
	assert_int_equal(stun_type_field(STUN_INDICATION, STUN_DATA), 0x0017);
}

static bool reads(uint16_t type, size_t n)
{
	static const char zeros[512];
	uint8_t bytes[600];
	struct stun_writer w;
	struct stun_message m;

	stun_begin(&w, bytes, sizeof(bytes), STUN_REQUEST, STUN_ALLOCATE, id);
	stun_put(&w, type, str_make(zeros, n));
	assert_false(w.overflow);
	return stun_message_read(&m, str_make(bytes, w.n));
}

static void test_lengths(void **state)
{
	static const struct {
		uint16_t type;
		size_t good, short_by_one, long_by_one;
	} cases[] = {
		{ STUN_T_CHANNEL_NUMBER, 4, 3, 5 },      { STUN_T_LIFETIME, 4, 3, 5 },
		{ STUN_T_REQUESTED_TRANSPORT, 4, 3, 5 }, { STUN_T_REQUESTED_ADDRESS_FAMILY, 4, 3, 5 },
		{ STUN_T_RESERVATION_TOKEN, 8, 7, 9 },   { STUN_T_EVEN_PORT, 1, 0, 2 },
		{ STUN_T_USERHASH, 32, 31, 33 },         { STUN_T_MESSAGE_INTEGRITY, 20, 19, 21 },
		{ STUN_T_CHANGE_REQUEST, 4, 3, 5 },      { STUN_T_MESSAGE_INTEGRITY_SHA256, 32, 28, 36 },
		{ STUN_T_XOR_PEER_ADDRESS, 20, 7, 21 },  { STUN_T_ADDITIONAL_ADDRESS_FAMILY, 4, 3, 5 },
		{ STUN_T_PASSWORD_ALGORITHM, 4, 3, 65 }, { STUN_T_USERNAME, 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(reads(cases[i].type, cases[i].good));
		assert_false(reads(cases[i].type, cases[i].short_by_one));
		assert_false(reads(cases[i].type, cases[i].long_by_one));
	}
	assert_true(reads(0x7777, 33)); /* nobody knows what is right for it */
}

/* What stands behind the MESSAGE-INTEGRITY is not protected by it. */
static void test_behind_integrity(void **state)
{
	struct stun_key key = short_term("secret");
	uint8_t bytes[256];
	struct stun_writer w;
	struct stun_message m;

	(void)state;
	stun_begin(&w, bytes, sizeof(bytes), STUN_REQUEST, STUN_REFRESH, id);
	stun_put_u32(&w, STUN_T_LIFETIME, 600);
	stun_sign(&w, &key, false);
	stun_put_u32(&w, STUN_T_REQUESTED_TRANSPORT, 0x11000000);
	stun_put(&w, 0x7777, STR(""));
	stun_sign(&w, &key, true);
	stun_put(&w, 0x7776, STR(""));
	stun_put_fingerprint(&w);
	m = expect_read(str_make(bytes, w.n));
	assert_true(stun_has(&m, STUN_A_LIFETIME) && stun_has(&m, STUN_A_INTEGRITY) && stun_has(&m, STUN_A_INTEGRITY_SHA256));
	assert_false(stun_has(&m, STUN_A_REQUESTED_TRANSPORT));
	assert_int_equal(m.unknown_count, 0);
	assert_true(stun_integrity_ok(&m, &key));
	/* Nothing may follow the fingerprint. */
	stun_put(&w, STUN_T_DONT_FRAGMENT, STR(""));
	assert_false(stun_message_read(&m, str_make(bytes, w.n)));
}

static void test_peers(void **state)
{
	static const struct net_addr v4 = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 }, 4000 };
	static const struct net_addr v6 = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, 5000 };
	struct stun_key key = short_term("secret");
	uint8_t bytes[256];
	struct stun_writer w;
	struct stun_message m;
	struct stun_address a;
	size_t at = 0;

	(void)state;
	stun_begin(&w, bytes, sizeof(bytes), STUN_REQUEST, STUN_CREATE_PERMISSION, id);
	stun_put_xor_address(&w, STUN_T_XOR_PEER_ADDRESS, &v4);
	stun_put_u32(&w, STUN_T_LIFETIME, 1);
	stun_put_xor_address(&w, STUN_T_XOR_PEER_ADDRESS, &v6);
	stun_put(&w, STUN_T_XOR_PEER_ADDRESS, STR("\x00\x03\x00\x00\x00\x00\x00\x00"));
	stun_sign(&w, &key, false);
	stun_put_xor_address(&w, STUN_T_XOR_PEER_ADDRESS, &v6);
	m = expect_read(str_make(bytes, w.n));
	assert_true(stun_next_peer(&m, &at, &a));
	assert_memory_equal(&a.addr, &v4, sizeof(v4));
	assert_int_equal(a.family, STUN_FAMILY_V4);
	assert_true(stun_next_peer(&m, &at, &a));
	assert_memory_equal(&a.addr, &v6, sizeof(v6));
	assert_true(stun_next_peer(&m, &at, &a));
	assert_int_equal(a.family, 0);
	assert_false(stun_next_peer(&m, &at, &a));
}

static void test_too_many(void **state)
{
	uint8_t bytes[1024];
	struct stun_writer w;
	struct stun_message m;

	(void)state;
	stun_begin(&w, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, id);
	for (unsigned i = 0; i < STUN_ATTRIBUTES_MAX; i++)
		stun_put(&w, 0x7000, STR(""));
	m = expect_read(str_make(bytes, w.n));
	assert_int_equal(m.unknown_count, STUN_UNKNOWN_MAX);
	stun_put(&w, 0x7000, STR(""));
	assert_false(stun_message_read(&m, str_make(bytes, w.n)));
}

static void test_writer_overflow(void **state)
{
	uint8_t bytes[STUN_HEADER_SIZE + 8];
	struct stun_writer w;

	(void)state;
	stun_begin(&w, bytes, sizeof(bytes), STUN_SUCCESS, STUN_REFRESH, id);
	stun_put_u32(&w, STUN_T_LIFETIME, 1);
	assert_false(w.overflow);
	stun_put(&w, STUN_T_DONT_FRAGMENT, STR(""));
	assert_true(w.overflow);
	assert_int_equal(w.n, sizeof(bytes));
}

static void check_in_place(const struct net_addr *peer, size_t n)
{
	uint8_t memory[STUN_DATA_HEADER_V6 + 64], *data = memory + STUN_DATA_HEADER_V6;
	struct stun_message m;
	struct stun_address a;
	size_t size, at = 0;
	uint8_t *p;

	memset(memory, 0xAA, sizeof(memory));
	p = stun_data_in_place(data, n, peer, id, &size);
	m = expect_read(str_make(p, size));
	assert_int_equal(m.cls, STUN_INDICATION);
	assert_int_equal(m.method, STUN_DATA);
	assert_int_equal(m.attr[STUN_A_DATA].n, n);
	assert_true(m.attr[STUN_A_DATA].p == (const char *)data);
	assert_true(stun_next_peer(&m, &at, &a));
	assert_memory_equal(&a.addr, peer, sizeof(*peer));
}

static void test_data_in_place(void **state)
{
	static const struct net_addr v4 = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 }, 4000 };
	static const struct net_addr v6 = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, 5000 };

	(void)state;
	for (size_t n = 0; n < 60; n++) {
		check_in_place(&v4, n);
		check_in_place(&v6, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5769_request), cmocka_unit_test(test_rfc5769_responses), cmocka_unit_test(test_rfc5769_long_term),
		cmocka_unit_test(test_rfc8489_sha256),  cmocka_unit_test(test_key_of_the_text),   cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_types),           cmocka_unit_test(test_lengths),           cmocka_unit_test(test_behind_integrity),
		cmocka_unit_test(test_peers),           cmocka_unit_test(test_too_many),          cmocka_unit_test(test_writer_overflow),
		cmocka_unit_test(test_data_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
