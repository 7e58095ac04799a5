/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/scram_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"

static void client_first_is_read(void **state)
{
	struct scram_client_first m;

	(void)state;
	assert_true(scram_parse_client_first(STR("n,,n=user,r=abc"), &m));
	assert_int_equal(m.cbind, SCRAM_CBIND_NONE);
	assert_true(str_is(m.gs2_header, "n,,") && str_is(m.bare, "n=user,r=abc") && str_is(m.username, "user") && str_is(m.nonce, "abc"));
	assert_int_equal(m.authzid.n, 0);
	assert_true(scram_parse_client_first(STR("y,a=x=2Cy@h,n=u=3D,r=a=b,x=1,y=2=3"), &m));
	assert_int_equal(m.cbind, SCRAM_CBIND_UNOFFERED);
	assert_true(str_is(m.authzid, "x=2Cy@h") && str_is(m.username, "u=3D") && str_is(m.nonce, "a=b"));
	assert_true(scram_parse_client_first(STR("p=tls-server-end-point,,n=\303\274,r=!~"), &m));
	assert_int_equal(m.cbind, SCRAM_CBIND_USED);
	assert_true(str_is(m.cbind_type, "tls-server-end-point") && str_is(m.gs2_header, "p=tls-server-end-point,,"));
}

static void client_first_refuses_the_rest(void **state)
{
	static const char *const bad[] = {
		"",
		"n",
		"n,",
		"n,,",
		"n,n=user,r=abc",
		",,n=user,r=abc",
		"x,,n=user,r=abc",
		"nn,,n=user,r=abc",
		"n=,,n=user,r=abc",
		"p,,n=user,r=abc",
		"p=,,n=user,r=abc",
		"p=tls_exporter,,n=user,r=abc",
		"p=tls exporter,,n=user,r=abc",
		"n,a=,n=user,r=abc",
		"n,a,n=user,r=abc",
		"n,b=x,n=user,r=abc",
		"n,a=x=2c,n=user,r=abc",
		"n,,m=ext,n=user,r=abc",
		"n,,n=user",
		"n,,n=user,",
		"n,,n=,r=abc",
		"n,,n=us=er,r=abc",
		"n,,n=user=,r=abc",
		"n,,n=user=2,r=abc",
		"n,,n=user=2c,r=abc",
		"n,,N=user,r=abc",
		"n,,n=user,r=",
		"n,,n=user,R=abc",
		"n,,r=abc,n=user",
		"n,,n=user,x=1,r=abc",
		"n,,n=user,r=a c",
		"n,,n=user,r=a\303\274c",
		"n,,n=user,r=a\x7f",
		"n,,n=user,r=abc,",
		"n,,n=user,r=abc,x",
		"n,,n=user,r=abc,x=",
		"n,,n=user,r=abc,1=x",
		"n,,n=user,r=abc,xy=1",
		"n,,n=user,r=abc,m=must",
		"n,,n=user,r=abc,x=1,",
		"n,,n=user,r=abc,,x=1",
		"n,,n=us\xff,r=abc",
		"n,,n=us\xc0\x80,r=abc",
	};
	struct scram_client_first m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scram_parse_client_first(str_from(bad[i]), &m))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(scram_parse_client_first(STR("n,,n=us\0er,r=abc"), &m));
	assert_false(scram_parse_client_first(STR("n,,n=user,r=abc\0"), &m));
}

static void client_final_is_read(void **state)
{
	struct scram_client_final m;

	(void)state;
	assert_true(scram_parse_client_final(STR("c=biws,r=abc,p=Zm9v"), &m));
	assert_true(str_is(m.cbind, "biws") && str_is(m.nonce, "abc") && str_is(m.without_proof, "c=biws,r=abc"));
	assert_int_equal(m.proof_n, 3);
	assert_memory_equal(m.proof, "foo", 3);
	assert_true(scram_parse_client_final(STR("c=biws,r=abc,x=1,y=2,p=Zg=="), &m));
	assert_true(str_is(m.without_proof, "c=biws,r=abc,x=1,y=2"));
}

static void client_final_refuses_the_rest(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"c",
		"c=biws",
		"c=biws,",
		"c=biws,r=abc",
		"c=biws,r=abc,",
		"c=biws,r=abc,p=",
		"c=biws,r=abc,p",
		"c=biws,r=abc,q=Zm9v",
		"c=,r=abc,p=Zm9v",
		"r=abc,c=biws,p=Zm9v",
		"c=biws,p=Zm9v",
		"c=biws,r=,p=Zm9v",
		"c=biws,r=a b,p=Zm9v",
		"c=biws,r=abc,p=Zm9v,",
		"c=biws,r=abc,p=Zm9v,x=1",
		"c=biws,r=abc,p=Zm9v,p=Zm9v",
		"c=biws,r=abc,,p=Zm9v",
		"c=biws,r=abc,x,p=Zm9v",
		"c=biws,r=abc,m=1,p=Zm9v",
		"c=biws,r=abc,p=Zm9",
		"c=biws,r=abc,p=Zh==",
		"c=biws,r=abc,p=Zm 9",
		"c=biws,r=abc,p====",
		"c=biws,r=abc,x=\xff,p=Zm9v",
		"c=biws,r=abc,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	};
	struct scram_client_final m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scram_parse_client_final(str_from(bad[i]), &m))
			fail_msg("'%s' was taken", bad[i]);
	}
}

static bool first_of(const char *head, size_t filler, const char *tail)
{
	struct scram_client_first m;
	struct buf b = { 0 };
	bool taken;

	buf_append_cstr(&b, head);
	for (size_t i = 0; i < filler; i++)
		buf_append_char(&b, 'a');
	buf_append_cstr(&b, tail);
	taken = scram_parse_client_first(buf_str(&b), &m);
	buf_fini(&b);
	return taken;
}

static void oversized_is_refused(void **state)
{
	(void)state;
	assert_true(first_of("n,,n=u,r=", SCRAM_NONCE_MAX / 2, ""));
	assert_false(first_of("n,,n=u,r=", SCRAM_NONCE_MAX / 2 + 1, ""));
	assert_true(first_of("n,,n=", SCRAM_MESSAGE_MAX - 9, ",r=x"));
	assert_false(first_of("n,,n=", SCRAM_MESSAGE_MAX - 8, ",r=x"));
}

static void server_messages_are_read(void **state)
{
	struct scram_server_first first;
	struct scram_server_final final;

	(void)state;
	assert_true(scram_parse_server_first(STR("r=abc,s=Zm9v,i=4096,x=1"), &first));
	assert_true(str_is(first.nonce, "abc"));
	assert_int_equal(first.iterations, 4096);
	assert_int_equal(first.salt_n, 3);
	assert_false(scram_parse_server_first(STR("r=abc,s=Zm9v,i=0"), &first));
	assert_false(scram_parse_server_first(STR("r=abc,s=Zm9v,i=04096"), &first));
	assert_false(scram_parse_server_first(STR("r=abc,s=Zm9v,i=99999999"), &first));
	assert_false(scram_parse_server_first(STR("r=abc,s=Zm9v,i=4294971392"), &first));
	assert_false(scram_parse_server_first(STR("r=abc,s=Zm9v,i=-1"), &first));
	assert_false(scram_parse_server_first(STR("r=abc,s=,i=4096"), &first));
	assert_false(scram_parse_server_first(STR("m=x,r=abc,s=Zm9v,i=4096"), &first));
	assert_true(scram_parse_server_final(STR("v=Zm9v"), &final));
	assert_int_equal(final.signature_n, 3);
	assert_true(scram_parse_server_final(STR("e=invalid-proof"), &final));
	assert_true(str_is(final.error, "invalid-proof"));
	assert_false(scram_parse_server_final(STR("v="), &final));
	assert_false(scram_parse_server_final(STR("v=Zm9v,"), &final));
	assert_false(scram_parse_server_final(STR("e="), &final));
	assert_false(scram_parse_server_final(STR(""), &final));
}

static void names_are_escaped(void **state)
{
	struct buf b = { 0 };
	char out[16];
	size_t n;

	(void)state;
	assert_true(scram_escape(&b, STR("a,b=c==")));
	assert_true(str_is(buf_str(&b), "a=2Cb=3Dc=3D=3D"));
	assert_true(scram_unescape(buf_str(&b), out, &n));
	assert_true(str_is(str_make(out, n), "a,b=c=="));
	assert_true(scram_unescape(STR(""), out, &n));
	assert_int_equal(n, 0);
	assert_false(scram_unescape(STR("a=2c"), out, &n));
	assert_false(scram_unescape(STR("a=2"), out, &n));
	assert_false(scram_unescape(STR("="), out, &n));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_first_is_read), cmocka_unit_test(client_first_refuses_the_rest),
		cmocka_unit_test(client_final_is_read), cmocka_unit_test(client_final_refuses_the_rest),
		cmocka_unit_test(oversized_is_refused), cmocka_unit_test(server_messages_are_read),
		cmocka_unit_test(names_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
