/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens for passwords, without a network. */
#include "common/base/clock.h"
#include "common/crypto/base64.h"
#include "common/crypto/digest.h"
#include "services/mqtt-broker/fake_flock.h"
#include "services/mqtt-broker/rights.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static int setup(void **state)
{
	int r = fake_setup(state);
	char path[128];
	struct err e = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/token", fake.dir);
	f = fopen(path, "w");
	fputs("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", f);
	fclose(f);
	fake.config.jwt_keys = path;
	fake.config.jwt_claim = (char *)(uintptr_t) "sub";
	r |= mq_tokens_load(&fake.config, &fake.broker->jwt_keys, &e);
	fake.config.jwt_keys = NULL;
	unlink(path);
	return r;
}

static void add_part(char *out, const void *p, size_t n)
{
	char *at = out + strlen(out);

	at[base64_encode(str_make(p, n), at)] = '\0';
	for (; *at; at++)
		*at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
	while (at > out && at[-1] == '=')
		*--at = '\0';
}

/* Ends in so many seconds. */
static const char *token(long seconds, const char *claims)
{
	static char out[1024];
	char text[512];
	uint8_t mac[32];

	snprintf(text, sizeof(text), "{\"exp\":%lld%s}", (long long)(clock_wall_us() / 1000000 + seconds), claims);
	out[0] = '\0';
	add_part(out, "{\"alg\":\"HS256\"}", 15);
	strcat(out, ".");
	add_part(out, text, strlen(text));
	digest_hmac(DIGEST_SHA256, STR(SECRET), str_from(out), mac);
	strcat(out, ".");
	add_part(out, mac, sizeof(mac));
	return out;
}

/* flags and what is between the client identifier and the password, as mqtt_for_test.h has it. */
static void enter(int who, const char *version, const char *flags, const char *more, const char *password)
{
	char packet[2048];

	join(who);
	snprintf(packet, sizeof(packet), "10 . s'MQTT' %s %s 0000 %s s'c%d' %s s'%s'", version, flags,
	         strcmp(version, "05") == 0 ? "()" : "", who, more, password);
	say(who, packet);
}

static const char *user_of(const char *id)
{
	return session_of(id) ? session_of(id)->user : NULL;
}

static void test_login(void **state)
{
	(void)state;
	enter(0, "05", "C2", "s'device'", token(100, ",\"sub\":\"device\""));
	hear(0, CONNACK_5);
	assert_string_equal(user_of("c0"), "device@a.test");
	/* 5.0 knows passwords without a name. */
	enter(1, "05", "42", "", token(100, ",\"sub\":\"Device\""));
	hear(1, CONNACK_5);
	assert_string_equal(user_of("c1"), "device@a.test");
	enter(2, "04", "C2", "s'device@a.test'", token(100, ",\"sub\":\"device\""));
	hear(2, "20 02 00 00");
	/* Passwords are what they were. */
	enter(3, "05", "C2", "s'romeo'", "secret");
	hear(3, CONNACK_5);
	enter(4, "05", "42", "", token(100, ",\"sub\":\"x@b.test\""));
	hear(4, CONNACK_5);
	assert_null(session_of("c4"));
}

static void refused(const char *flags, const char *more, const char *password, const char *reason)
{
	char packet[200];

	fake.broker->draining = false;
	enter(0, "05", flags, more, password);
	snprintf(packet, sizeof(packet), "20 . 00 %s", reason);
	hear(0, packet);
	gone(0);
}

static void test_refused(void **state)
{
	char broken[1024];

	(void)state;
	refused("C2", "s'romeo'", token(100, ",\"sub\":\"device\""), "86 (1F s'the user name is not the one that was proven')");
	refused("C2", "s'device@b.test'", token(100, ",\"sub\":\"device\""), "86 (1F s'the user name is not the one that was proven')");
	refused("42", "", token(-1, ",\"sub\":\"device\""), "86 (1F s'expired')");
	refused("42", "", token(100, ""), "86 (1F s'no name')");
	refused("42", "", token(100, ",\"sub\":7"), "86 (1F s'no name')");
	refused("42", "", token(100, ",\"sub\":\"romeo@elsewhere.test\""), "87 (1F s'no user of this host')");
	refused("42", "", token(100, ",\"sub\":\"d\",\"acl\":[]"), "86 (1F s'an acl that cannot be used')");
	refused("42", "", token(100, ",\"sub\":\"d\",\"acl\":{\"publish\":\"#\"}"), "86 (1F s'an acl that cannot be used')");
	refused("42", "", token(100, ",\"sub\":\"d\",\"acl\":{\"publish\":[\"a/#/b\"]}"), "86 (1F s'an acl that cannot be used')");
	strcpy(broken, token(100, ",\"sub\":\"device\""));
	broken[strlen(broken) - 3] ^= 2;
	refused("42", "", broken, "86 (1F s'a wrong signature')");
	fake.config.require_tls = true;
	refused("42", "", token(100, ",\"sub\":\"device\""), "87 (1F s'tokens are taken over TLS only')");
}

static void test_acl(void **state)
{
	const char *claims = ",\"sub\":\"d\",\"acl\":{\"publish\":[\"up/%c\"],\"subscribe\":[\"down/#\",\"up/+\"]}";

	(void)state;
	enter(0, "05", "42", "", token(100, claims));
	hear(0, CONNACK_5);
	say(0, "82 . 0001 () s'down/#' 00");
	hear(0, "90 . 0001 () 00");
	say(0, "82 . 0002 () s'#' 00");
	hear(0, "90 . 0002 () 87");
	say(0, "32 . s'up/c0' 0003 () 'x'");
	hear(0, "40 . 0003 10");
	say(0, "32 . s'down/x' 0004 () 'x'");
	hear(0, "40 . 0004 87");
	/* A will that it may not publish. */
	enter(1, "05", "46", "() s'down/x' s'y'", token(100, claims));
	hear(1, "20 . 00 87 (1F s'the token does not allow the topic of the will')");
	gone(1);
}

static void test_its_end_is_the_clients(void **state)
{
	uint64_t until;

	(void)state;
	enter(0, "05", "42", "", token(1, ",\"sub\":\"d\""));
	hear(0, CONNACK_5);
	enter(1, "04", "C2", "s'd'", token(1, ",\"sub\":\"d\""));
	hear(1, "20 02 00 00");
	until = uv_now(&skeleton.loop) + 2500;
	while (uv_now(&skeleton.loop) < until && fake.broker->client_count > 0) {
		poll(NULL, 0, 5);
		turn();
		if (session_of("c0") == NULL && fake.peers[0] >= 0) {
			hear(0, "E0 . 87 (1F s'the token has expired')");
			close(fake.peers[0]);
			fake.peers[0] = -1;
		}
		if (session_of("c1") == NULL && fake.peers[1] >= 0) {
			gone(1);
			close(fake.peers[1]);
			fake.peers[1] = -1;
		}
	}
	assert_int_equal(fake.broker->client_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_login, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_acl, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_its_end_is_the_clients, setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
