/* SPDX-License-Identifier: Apache-2.0
 *
 * Users that certificates name, and certificates that name nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/tls_for_test.h"
#include "common/net/tls_identity.h"

#define XMPP(address) "otherName:1.3.6.1.5.5.7.8.5;UTF8:" address

/* NULL: nobody. */
static void expect(const char *cn, const char *san, enum tls_identity kind, const char *name)
{
	struct tls_for_test want = { .cn = cn, .san = san };
	char out[TLS_IDENTITY_MAX];
	EVP_PKEY *key;
	X509 *cert = tls_for_test_sign(&want, &key);

	assert_int_equal(tls_identity_get(cert, kind, out), name != NULL);
	assert_string_equal(out, name ? name : "");
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void common_names(void **state)
{
	(void)state;
	expect("device-17", NULL, TLS_IDENTITY_COMMON_NAME, "device-17");
	expect("romeo@a.test", "email:x@b.test", TLS_IDENTITY_COMMON_NAME, "romeo@a.test");
	expect("j\303\274rgen", NULL, TLS_IDENTITY_COMMON_NAME, "j\303\274rgen");
	expect("a\tb", NULL, TLS_IDENTITY_COMMON_NAME, NULL);
	expect(NULL, "email:x@b.test", TLS_IDENTITY_COMMON_NAME, NULL);
}

static void alternative_names(void **state)
{
	(void)state;
	expect("x", "DNS:a.test,email:romeo@a.test", TLS_IDENTITY_EMAIL, "romeo@a.test");
	expect("x", "email:romeo@a.test,email:romeo@a.test", TLS_IDENTITY_EMAIL, "romeo@a.test");
	expect("x", "email:romeo@a.test,email:juliet@a.test", TLS_IDENTITY_EMAIL, NULL);
	expect("romeo@a.test", NULL, TLS_IDENTITY_EMAIL, NULL);
	expect("romeo@a.test", "DNS:a.test", TLS_IDENTITY_EMAIL, NULL);
	expect("x", XMPP("romeo@a.test"), TLS_IDENTITY_XMPP, "romeo@a.test");
	expect("x", "email:romeo@a.test", TLS_IDENTITY_XMPP, NULL);
	expect("x", "otherName:1.3.6.1.5.5.7.8.5;IA5STRING:romeo@a.test", TLS_IDENTITY_XMPP, NULL);
	expect("x", "otherName:1.3.6.1.5.5.7.8.7;UTF8:romeo@a.test", TLS_IDENTITY_XMPP, NULL);
}

static void subjects(void **state)
{
	(void)state;
	expect("device-17", NULL, TLS_IDENTITY_SUBJECT, "CN=device-17");
	/* What could be taken for a second attribute is escaped. */
	expect("a,O=b", NULL, TLS_IDENTITY_SUBJECT, "CN=a\\,O=b");
	expect(NULL, NULL, TLS_IDENTITY_SUBJECT, NULL);
	expect("device-17", NULL, TLS_IDENTITY_NONE, NULL);
}

/* "romeo\0.evil": somebody's software stops at the NUL. */
static void nul_bytes_name_nobody(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	char out[TLS_IDENTITY_MAX];
	EVP_PKEY *key;
	X509 *cert;

	(void)state;
	ASN1_STRING_set(text, "romeo@a.test\0.evil", 18);
	GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
	sk_GENERAL_NAME_push(names, name);
	cert = tls_for_test_sign(&(struct tls_for_test){ .cn = "x", .names = names }, &key);
	assert_false(tls_identity_get(cert, TLS_IDENTITY_EMAIL, out));
	X509_free(cert);
	EVP_PKEY_free(key);
	GENERAL_NAMES_free(names);
}

static void long_names_name_nobody(void **state)
{
	char address[400] = "email:";

	(void)state;
	memset(address + 6, 'a', 250);
	strcpy(address + 256, "@b.test");
	expect("x", address, TLS_IDENTITY_EMAIL, NULL);
	strcpy(address + 200, "@b.test");
	expect("x", address, TLS_IDENTITY_EMAIL, address + 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_names),          cmocka_unit_test(alternative_names),      cmocka_unit_test(subjects),
		cmocka_unit_test(nul_bytes_name_nobody), cmocka_unit_test(long_names_name_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
