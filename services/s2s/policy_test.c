/* SPDX-License-Identifier: Apache-2.0
 *
 * What the configuration is when nobody says anything, what it refuses, and whom it lets us speak with by which proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/s2s/s2s.h"

struct loaded {
	struct config_shared shared;
	struct s2s_config own;
	struct s2s s2s; /* policies look at nothing but its config */
};

/* settings: lines of services.s2s, indented by four. */
static int load(struct loaded *l, const char *settings, struct err *e)
{
	char path[] = "/tmp/s2s-config-XXXXXX";
	int fd = mkstemp(path), rc;
	FILE *f = fdopen(fd, "w");

	*l = (struct loaded){ 0 };
	l->s2s.config = &l->own;
	fprintf(f, "hosts: [example.org]\nbus:\n  routers: [\"ipc:///tmp/router.ipc\"]\nservices:\n  s2s:\n    sm: true\n%s", settings);
	fclose(f);
	rc = config_load(path, "s2s", s2s_config_options, &l->shared, &l->own, e);
	unlink(path);
	return rc;
}

static void load_well(struct loaded *l, const char *settings)
{
	struct err e = { "" };

	if (load(l, settings, &e) != 0)
		fail_msg("%s", e.text);
}

static void unload(struct loaded *l)
{
	config_free(s2s_config_options, &l->shared, &l->own);
}

static void test_defaults(void **state)
{
	struct loaded l;

	(void)state;
	load_well(&l, "");
	assert_int_equal(l.own.port, 5269);
	assert_int_equal(l.own.direct_tls_port, 0);
	assert_true(l.own.require_tls && l.own.bidi && l.own.sm);
	assert_false(l.own.compression);
	assert_int_equal(l.own.default_proof, S2S_PROOF_BY_DIALBACK_TOO);
	assert_int_equal(l.own.addresses.count, 2);
	assert_int_equal(l.own.spool_after_ms, 1500);
	assert_int_equal(l.own.spool_age_ms, 3600 * 1000);
	assert_int_equal(l.own.early_stanza_bytes, 16384);
	assert_string_equal(l.own.tls_trust, "");
	assert_false(s2s_policy_denied(&l.s2s, "any.example"));
	assert_false(s2s_policy_certificate(&l.s2s, "any.example"));
	unload(&l);
}

/* check: it can be read, and is refused as a whole. */
static void refuse(bool check, const char *settings, const char *says)
{
	struct loaded l;
	struct err e = { "" };
	int rc = load(&l, settings, &e);

	if (check && rc != 0)
		fail_msg("%s", e.text);
	if (check)
		rc = s2s_config_check(&l.shared, &l.own, &e);
	assert_int_equal(rc, -1);
	if (!strstr(e.text, says))
		fail_msg("'%s' does not say '%s'", e.text, says);
	if (check)
		unload(&l);
}

static void test_refusals(void **state)
{
	(void)state;
	refuse(false, "    prot: 5269\n", "prot");
	refuse(false, "    port: 65536\n", "port");
	refuse(false, "    proof: trust\n", "proof");
	refuse(false, "    limits: {early_stanza_size: 100}\n", "early_stanza_size");
	refuse(false, "    spool: {after: 1ms}\n", "after");
	refuse(true, "    addresses: []\n", "addresses is empty");
	refuse(true, "    limits: {early_stanza_size: 1MiB}\n", "early_stanza_size is above");
	refuse(true, "    limits: {output_size: 64KiB}\n", "output_size must hold");
	refuse(true, "    timeouts: {retry_min: 10m}\n", "retry_min is above");
	refuse(true, "    compression: true\n    limits: {read_rate: 0}\n", "compression needs limits.read_rate");
	refuse(true, "    overrides: [\"a.example\"]\n", "a.example");
	refuse(true, "    deny: [\"Evil.Example\"]\n", "to be written as 'evil.example'");
	refuse(true, "    allow: [\"*.Good.example\"]\n", "to be written as 'good.example'");
	refuse(true, "    certificate_domains: [\"user@a.example\"]\n", "neither a domain nor");
	refuse(true, "    dialback_domains: [\"*\"]\n", "neither a domain nor");
	refuse(true, "    private_networks: [\"10.0.0.0/33\"]\n", "private_networks: 10.0.0.0/33");
	refuse(true, "    private_networks: [\"10.0.0.0/8\", \"10.1.0.0/8\"]\n", "10.1.0.0/8: bits are set behind");
	refuse(true, "    private_networks: [any]\n", "any: not a numeric");
}

static void test_deny(void **state)
{
	struct loaded l;

	(void)state;
	load_well(&l, "    deny: [evil.example, \"*.spam.example\"]\n");
	assert_true(s2s_policy_denied(&l.s2s, "evil.example"));
	assert_false(s2s_policy_denied(&l.s2s, "sub.evil.example"));
	assert_false(s2s_policy_denied(&l.s2s, "notevil.example"));
	assert_true(s2s_policy_denied(&l.s2s, "a.spam.example"));
	assert_true(s2s_policy_denied(&l.s2s, "a.b.spam.example"));
	assert_false(s2s_policy_denied(&l.s2s, "spam.example"));
	assert_false(s2s_policy_denied(&l.s2s, "aspam.example"));
	assert_false(s2s_policy_denied(&l.s2s, "example"));
	unload(&l);
}

static void test_allow(void **state)
{
	struct loaded l;

	(void)state;
	load_well(&l, "    allow: [good.example, \"*.best.example\"]\n    deny: [worst.best.example]\n");
	assert_false(s2s_policy_denied(&l.s2s, "good.example"));
	assert_false(s2s_policy_denied(&l.s2s, "a.best.example"));
	assert_true(s2s_policy_denied(&l.s2s, "worst.best.example"));
	assert_true(s2s_policy_denied(&l.s2s, "any.example"));
	unload(&l);
}

static void test_proof(void **state)
{
	struct loaded l;

	(void)state;
	load_well(&l, "    certificate_domains: [\"*.bank.example\", both.example]\n    dialback_domains: [both.example]\n");
	assert_true(s2s_policy_certificate(&l.s2s, "a.bank.example"));
	assert_true(s2s_policy_certificate(&l.s2s, "both.example"));
	assert_false(s2s_policy_certificate(&l.s2s, "any.example"));
	unload(&l);
	load_well(&l, "    proof: certificate\n    dialback_domains: [old.example]\n");
	assert_false(s2s_policy_certificate(&l.s2s, "old.example"));
	assert_true(s2s_policy_certificate(&l.s2s, "any.example"));
	unload(&l);
}

static bool may_be_at(const struct loaded *l, const char *text)
{
	struct sockaddr_storage sa;
	struct net_addr addr;
	struct err e = { "" };
	socklen_t n;

	if (net_addr_parse(text, 5269, &sa, &n, &e) != 0)
		fail_msg("%s", e.text);
	net_addr_from((struct sockaddr *)&sa, &addr);
	return s2s_policy_address(&l->s2s, &addr);
}

/* Which addresses are public: common/net/public_test.c. */
static void test_addresses(void **state)
{
	static const char *const inner[] = { "127.0.0.1",        "10.1.2.3",          "169.254.169.254", "::1", "fd00::1", "fe80::1",
		                             "::ffff:127.0.0.1", "64:ff9b::10.1.2.3", "2002:a01:203::1" };
	struct loaded l;

	(void)state;
	load_well(&l, "");
	assert_true(may_be_at(&l, "1.1.1.1") && may_be_at(&l, "2a00::1"));
	for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++) {
		if (may_be_at(&l, inner[i]))
			fail_msg("%s", inner[i]);
	}
	unload(&l);
	load_well(&l, "    private_networks: [10.1.0.0/16, \"fd00::/64\"]\n");
	assert_true(may_be_at(&l, "10.1.2.3") && may_be_at(&l, "::ffff:10.1.2.3") && may_be_at(&l, "64:ff9b::10.1.2.3"));
	assert_true(may_be_at(&l, "2002:a01:203::1") && may_be_at(&l, "fd00::1") && may_be_at(&l, "1.1.1.1"));
	assert_false(may_be_at(&l, "10.2.0.1") || may_be_at(&l, "127.0.0.1") || may_be_at(&l, "fd00:0:0:1::1") || may_be_at(&l, "::1"));
	unload(&l);
	load_well(&l, "    private_networks: [\"::/0\"]\n"); /* no policy at all */
	assert_true(may_be_at(&l, "127.0.0.1") && may_be_at(&l, "::1"));
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_refusals), cmocka_unit_test(test_deny),
		cmocka_unit_test(test_allow),    cmocka_unit_test(test_proof),    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
