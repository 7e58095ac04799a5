/* SPDX-License-Identifier: Apache-2.0
 *
 * XEP-0215 from the request to the answer and the pushes, with the flock around it faked. */
#include <unistd.h>

#include "services/session-manager/external_services.h"
#include "services/session-manager/fake_edge.h"

static char keys[64];

static void put_secret(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/turn.secrets", keys);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(const char *const *lines, size_t count)
{
	struct config_list list = { (char **)lines, count };
	struct err e = { "" };

	return external_services_reload(fake.sm->external, &list, keys, &e);
}

static void ask(uint64_t stream, uint64_t number, const char *name, const char *bytes)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = KIND_IQ;
	meta.type = TYPE_GET;
	meta.to = TEXT("h.test");
	meta.id = TEXT("q");
	meta.child_name = TEXT(name);
	meta.child_ns = TEXT(NS_EXTDISCO);
	fake_submit(stream, number, &meta, bytes);
	fake_turns(2);
}

static void ask_list(uint64_t stream, uint64_t number, const char *type)
{
	char bytes[256];

	snprintf(bytes, sizeof(bytes), "<iq id='q' type='get'><services xmlns='" NS_EXTDISCO "'%s%s%s/></iq>", type ? " type='" : "",
	         type ? type : "", type ? "'" : "");
	ask(stream, number, "services", bytes);
}

/* The newest record for that stream; NULL: none since fake_forget(). */
static const char *newest(uint64_t stream)
{
	for (size_t i = fake.sent_count; i-- > 0;) {
		const Starling__DeliverEvent *e = (const void *)fake.sent[i].message;

		if (fake.sent[i].method == METHOD_EDGE_DELIVER && e->n_streams == 1 && e->streams[0] == stream)
			return fake.sent[i].payload;
	}
	return NULL;
}

static void has(uint64_t stream, const char *part)
{
	const char *text = newest(stream);

	if (!text || !strstr(text, part))
		fail_msg("no %s in %s", part, text ? text : "nothing");
}

static void has_not(uint64_t stream, const char *part)
{
	const char *text = newest(stream);

	if (text && strstr(text, part))
		fail_msg("%s in %s", part, text);
}

/* The timer of the first go, and deliveries at the end of a turn. */
static void let_tell(void)
{
	for (int i = 0; i < 20; i++) {
		uv_sleep(2);
		fake_turn();
	}
}

static const char *const two[] = { "type=stun host=s.test", "type=turn host=t.test" };

static void the_list_whole_and_by_type(void **state)
{
	(void)state;
	log_in_both();
	ask_list(A, 1, NULL);
	has(A, "<services xmlns='urn:xmpp:extdisco:2'></services>");
	assert_int_equal(load(two, 2), 0);
	let_tell();
	ask_list(A, 2, NULL);
	has(A, "type='stun' host='s.test'");
	has(A, "type='turn' host='t.test'");
	has(A, ":a@h.test'");
	ask_list(A, 3, "turn");
	has(A, "<services xmlns='urn:xmpp:extdisco:2' type='turn'>");
	has_not(A, "s.test");
	ask_list(A, 4, "ftp");
	has(A, "<services xmlns='urn:xmpp:extdisco:2' type='ftp'></services>");
	ask_list(A, 5, "");
	has(A, "bad-request");
}

static void credentials_of_one_service(void **state)
{
	static const struct {
		const char *service, *answer;
	} table[] = {
		{ "<service host='t.test' type='turn'/>", ":a@h.test'" },
		{ "<service host='T.TEST' type='turn' port='3478'/>", ":a@h.test'" },
		{ "<service host='t.test' type='turn' transport='udp'/>", ":a@h.test'" },
		{ "<service host='t.test' type='turn' transport='tcp'/>", "item-not-found" },
		{ "<service host='t.test' type='turn' port='3479'/>", "item-not-found" },
		{ "<service host='t.test' type='stun'/>", "item-not-found" },
		{ "<service host='s.test' type='stun'/>", "item-not-found" }, /* needs none */
		{ "<service host='t.test'/>", "bad-request" },
		{ "<service type='turn'/>", "bad-request" },
		{ "<service host='t.test' type='turn' port='x'/>", "bad-request" },
		{ "<service host='t.test' type='turn' port=''/>", "bad-request" },
		{ "<service host='t.test' type='turn' port='65536'/>", "bad-request" },
		{ "<service host='t.test' type='turn' port='99999999999999999999999'/>", "bad-request" },
		{ "<service host='t.test' type='turn'/><service host='t.test' type='turn'/>", "bad-request" },
		{ "<service xmlns='other' host='t.test' type='turn'/>", "bad-request" },
		{ "", "bad-request" },
	};
	char bytes[512];

	(void)state;
	log_in_both();
	assert_int_equal(load(two, 2), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(bytes, sizeof(bytes), "<iq id='q' type='get'><credentials xmlns='" NS_EXTDISCO "'>%s</credentials></iq>",
		         table[i].service);
		ask(A, i + 1, "credentials", bytes);
		has(A, table[i].answer);
	}
}

static void changes_are_pushed_to_who_asked_for_them(void **state)
{
	static const char *const changed[] = { "type=stun host=s.test name=New", "type=stun host=s2.test", "type=turn host=t2.test" };

	(void)state;
	log_in_both();
	assert_int_equal(load(two, 2), 0);
	let_tell();
	ask_list(A, 1, "turn");
	fake_forget();
	assert_int_equal(load(changed, 3), 0);
	let_tell();
	has(A, "type='set'><services xmlns='urn:xmpp:extdisco:2' type='turn'>");
	has(A, "<service action='add' type='turn' host='t2.test'");
	has(A, "<service action='delete' type='turn' host='t.test' port='3478' transport='udp'/>");
	has_not(A, "stun");
	assert_null(newest(B));
	/* Nothing changes for those who asked for calls alone. */
	fake_forget();
	ask_list(B, 2, NULL);
	assert_int_equal(load(changed + 2, 1), 0);
	let_tell();
	assert_null(newest(A));
	has(B, "<services xmlns='urn:xmpp:extdisco:2'><service action='delete'");
	has(B, "s2.test");
	has_not(B, "t2.test");
}

static void another_secret_is_a_change(void **state)
{
	(void)state;
	log_in_both();
	assert_int_equal(load(two, 2), 0);
	let_tell();
	ask_list(A, 1, "turn");
	fake_forget();
	assert_int_equal(load(two, 2), 0);
	let_tell();
	assert_null(newest(A));
	put_secret("newer\nfirst\n");
	assert_int_equal(load(two, 2), 0);
	let_tell();
	has(A, "action='modify' type='turn'");
}

static void a_bad_list_changes_nothing(void **state)
{
	static const char *const bad[] = { "type=stun host=s.test", "type=stun host=S.test" };

	(void)state;
	log_in_both();
	assert_int_equal(load(two, 2), 0);
	let_tell();
	assert_int_equal(load(bad, 2), -1);
	ask_list(A, 1, NULL);
	has(A, "t.test");
}

static void relays_of_the_flock_come_and_go(void **state)
{
	static const char *const line[] = { "type=turn host=*", "type=turns host=* port=443" };

	(void)state;
	log_in_both();
	fake.relays[0] = "b.test:3478";
	assert_int_equal(load(line, 2), 0);
	let_tell();
	ask_list(A, 1, NULL);
	has(A, "type='turn' host='b.test' port='3478'");
	has(A, "type='turns' host='b.test' port='443'");
	has_not(A, "*");
	fake_forget();
	fake.relays[1] = "[2001:db8::7]:5000";
	sm_on_directory(fake.sm);
	let_tell();
	has(A, "<service action='add' type='turn' host='2001:db8::7' port='5000'");
	has_not(A, "b.test");
	fake_forget();
	fake.relays[0] = "";
	sm_on_directory(fake.sm);
	sm_on_directory(fake.sm);
	let_tell();
	has(A, "<service action='delete' type='turn' host='b.test' port='3478'");
	has_not(A, "2001");
}

static void who_has_gone_is_not_told(void **state)
{
	(void)state;
	log_in_both();
	ask_list(A, 1, NULL);
	fake_close(A, "a@h.test/one", false);
	fake_turns(4);
	fake_forget();
	assert_int_equal(load(two, 2), 0);
	let_tell();
	assert_null(newest(A));
}

static int start(void **state)
{
	snprintf(keys, sizeof(keys), "/tmp/external_services_test.XXXXXX");
	if (!mkdtemp(keys) || fake_start(state) != 0)
		return -1;
	fake.options.external_lifetime_ms = 3600000;
	put_secret("first\n");
	return 0;
}

static int stop(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/turn.secrets", keys);
	unlink(path);
	return rmdir(keys) || fake_stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_list_whole_and_by_type, start, stop),
		cmocka_unit_test_setup_teardown(credentials_of_one_service, start, stop),
		cmocka_unit_test_setup_teardown(changes_are_pushed_to_who_asked_for_them, start, stop),
		cmocka_unit_test_setup_teardown(another_secret_is_a_change, start, stop),
		cmocka_unit_test_setup_teardown(a_bad_list_changes_nothing, start, stop),
		cmocka_unit_test_setup_teardown(relays_of_the_flock_come_and_go, start, stop),
		cmocka_unit_test_setup_teardown(who_has_gone_is_not_told, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
