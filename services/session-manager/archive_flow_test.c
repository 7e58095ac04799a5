/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client sees of its archive, and what it says about it, with the flock around it faked. */
#include "services/session-manager/fake_archive.h"

/* --- queries --- */

static void results_come_before_the_answer(void **state)
{
	(void)state;
	store.count = 2;
	query(QUERY(""));
	assert_string_equal(got(0),
	                    "<message><result xmlns='urn:xmpp:mam:2' id='1700000000000001' queryid='f&apos;1'><forwarded "
	                    "xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20.000001Z'/><message "
	                    "xmlns='jabber:client' from='b@h.test/two' to='a@h.test' type='chat'><body>x</body></message></forwarded>"
	                    "</result></message>");
	expect_text(got(1), "id='1700000000000002'");
	assert_string_equal(got_event(0)->meta->from, "a@h.test");
	assert_string_equal(got_event(0)->meta->to, "a@h.test/one");
	assert_string_equal(got(2),
	                    "<iq id='q' type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'><set "
	                    "xmlns='http://jabber.org/protocol/rsm'><first index='0'>1700000000000001</first><last>1700000000000002</last>"
	                    "<count>2</count></set></fin></iq>");
	assert_null(got(3));
	assert_int_equal(store.query->limit, 50);
	assert_true(store.query->count && !store.query->require_after && !store.query->backward);
	assert_string_equal(store.query->account, "a@h.test");
}

static void an_empty_archive(void **state)
{
	(void)state;
	query(QUERY(""));
	expect_text(got(0),
	            "<fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set></fin>");
	assert_null(got(1));
}

static void a_page_may_be_flipped(void **state)
{
	(void)state;
	store.count = 3;
	store.incomplete = true;
	query("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'><flip-page/></query></iq>");
	expect_text(got(0), "<result xmlns='urn:xmpp:mam:2' id='1700000000000003'><forwarded");
	expect_text(got(2), "id='1700000000000001'>");
	/* What the page is stays the same. */
	expect_text(got(3),
	            "<fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><first index='0'>1700000000000001</first>"
	            "<last>1700000000000003</last>");
}

static void a_page_of_large_messages_is_short(void **state)
{
	char *large = mem_alloc(600001);

	(void)state;
	memset(large, 'x', 600001);
	memcpy(large, "<message>", 9);
	memcpy(large + 600001 - 10, "</message>", 10);
	store.count = 3;
	for (int i = 0; i < 3; i++)
		entries[i].stanza = (ProtobufCBinaryData){ 600001, (uint8_t *)large };
	query(QUERY(""));
	expect_text(got(1),
	            "<fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><first index='0'>1700000000000001</first>"
	            "<last>1700000000000001</last><count>3</count>");
	query(QUERY(RSM("<before/>")));
	expect_text(got(0), "id='1700000000000003'");
	expect_text(got(1),
	            "<fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><first index='2'>1700000000000003</first>"
	            "<last>1700000000000003</last><count>3</count>");
	mem_free(large);
}

static bool answered(void)
{
	return got(1) != NULL;
}

static void who_does_not_read_gets_no_more(void **state)
{
	struct session *s = session_find(fake.sm, A);
	size_t real = s->list.bytes;

	(void)state;
	store.count = 1;
	s->list.bytes += 1 << 20;
	query(QUERY(SUBMIT(FIELD("with", "b@h.test"))));
	wait_for_timers();
	assert_int_equal(store.queries, 0);
	assert_null(got(0));
	s->list.bytes = real;
	wait_until(answered);
	expect_text(got(0), "<result");
	expect_text(got(1), "<fin");
}

static void who_counts_gets_no_page(void **state)
{
	(void)state;
	store.count = 3;
	query(QUERY(RSM("<max>0</max>")));
	expect_text(got(0), "<fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><count>3</count></set></fin>");
	assert_null(got(1));
	assert_int_equal(store.query->limit, 0);
}

static void filters_become_bounds(void **state)
{
	const Starling__LogQueryRequest *q;

	(void)state;
	query(QUERY(SUBMIT(FIELD("with", "B@H.test/Two") FIELD("start", "2023-11-14T22:13:20Z") FIELD("end", "2023-11-14T22:13:21.5+00:00")
	                           FIELD("include-groupchat", "false")) RSM("<max>1000</max><after>1700000000000007</after>")));
	q = store.query;
	assert_string_equal(q->with, "b@h.test/Two");
	assert_int_equal(q->from_id, ID(0));
	assert_int_equal(q->to_id, ID(1500000));
	assert_int_equal(q->after, ID(7));
	assert_int_equal(q->before, 0);
	assert_int_equal(q->limit, 250);
	assert_true(q->require_after && !q->backward);
	query(QUERY(RSM("<max>10</max><before/>")));
	assert_true(store.query->backward && !store.query->require_after);
	assert_int_equal(store.query->limit, 10);
	query(QUERY(RSM("<before>1700000000000007</before>")));
	assert_true(store.query->backward && store.query->require_after);
	assert_int_equal(store.query->before, ID(7));
	query(QUERY(SUBMIT(FIELD("start", "1960-01-01T00:00:00Z") FIELD("end", "1960-01-01T00:00:00Z"))));
	assert_int_equal(store.query->from_id, 0);
	assert_int_equal(store.query->to_id, 1);
}

static void ids_of_the_form_must_exist(void **state)
{
	(void)state;
	store.count = 2;
	query(QUERY(SUBMIT(FIELD("after-id", "1700000000000001") FIELD("before-id", "1700000000000009"))));
	assert_int_equal(store.queries, 2);
	assert_int_equal(store.first_query->n_ids, 2);
	assert_int_equal(store.first_query->limit, 0);
	assert_int_equal(store.query->from_id, ID(2));
	assert_int_equal(store.query->to_id, ID(8));
	assert_int_equal(store.query->n_ids, 0);
	store.named_code = CODE(NOT_FOUND);
	query(QUERY(SUBMIT(FIELD("after-id", "1700000000000001"))));
	expect_error("item-not-found");
	assert_int_equal(store.queries, 3);
}

static void single_messages(void **state)
{
	(void)state;
	store.count = 2;
	query(QUERY(SUBMIT(
	        "<field var='ids'><value>1700000000000002</value><value>1700000000000001</value><value>1700000000000002</value></field>")));
	assert_int_equal(store.query->n_ids, 2);
	assert_true(store.query->ids[0] == ID(1) && store.query->ids[1] == ID(2));
	assert_int_equal(store.query->limit, 2);
	store.code = CODE(NOT_FOUND);
	query(QUERY(SUBMIT("<field var='ids'><value>1700000000000003</value></field>")));
	expect_error("item-not-found");
}

static void bad_queries(void **state)
{
	static const struct {
		const char *bytes, *condition;
	} table[] = {
		{ QUERY(SUBMIT(FIELD("with", "@"))), "bad-request" },
		{ QUERY(SUBMIT("<field var='with'><value>a@b</value><value>c@d</value></field>")), "bad-request" },
		{ QUERY(SUBMIT(FIELD("start", "yesterday"))), "bad-request" },
		{ QUERY(SUBMIT(FIELD("end", "2023-02-30T00:00:00Z"))), "bad-request" },
		{ QUERY(SUBMIT(FIELD("end", ""))), "bad-request" },
		{ QUERY(SUBMIT(FIELD("include-groupchat", "perhaps"))), "bad-request" },
		{ QUERY(SUBMIT(FIELD("{u:x}search", "x"))), "feature-not-implemented" },
		{ QUERY(SUBMIT(FIELD("before-id", "opaque"))), "item-not-found" },
		{ QUERY(SUBMIT(FIELD("after-id", "0000000000000000"))), "item-not-found" },
		{ QUERY(SUBMIT(FIELD("ids", "x"))), "item-not-found" },
		{ QUERY(RSM("<after>x</after>")), "item-not-found" },
		{ QUERY(RSM("<before>x</before>")), "item-not-found" },
		{ QUERY(RSM("<max>ten</max>")), "bad-request" },
		{ QUERY(RSM("<index>3</index>")), "feature-not-implemented" },
		{ QUERY("<x xmlns='jabber:x:data' type='submit'/>"), "bad-request" },
		{ QUERY("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>u:x</value></field></x>"), "bad-request" },
		{ QUERY("<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field></x>"),
		  "bad-request" },
		{ "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2' node='n'/></iq>", "item-not-found" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		query(table[i].bytes);
		expect_error(table[i].condition);
	}
	assert_int_equal(store.queries, 0);
}

static void a_store_that_fails(void **state)
{
	(void)state;
	store.code = CODE(UNAVAILABLE);
	query(QUERY(""));
	expect_error("resource-constraint");
	store.code = CODE(NOT_FOUND);
	query(QUERY(RSM("<after>1700000000000001</after>")));
	expect_error("item-not-found");
	/* The line goes on. */
	store.code = 0;
	query(QUERY(""));
	expect_text(got(0), "<fin");
}

static void queries_run_one_at_a_time(void **state)
{
	(void)state;
	store.count = 1;
	store.silent = true;
	for (int i = 0; i < 3; i++) {
		Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

		meta.kind = KIND_IQ;
		meta.type = TYPE_SET;
		meta.id = TEXT("q");
		meta.to = TEXT("");
		meta.child_name = TEXT("query");
		meta.child_ns = TEXT("urn:xmpp:mam:2");
		fake_submit(A, (uint64_t)i + 1, &meta, QUERY(SUBMIT(FIELD("with", "b@h.test"))));
	}
	assert_int_equal(fake.call_count, 1);
	store.silent = false;
	serve_one();
	expect_text(got(0), "<result");
	expect_text(got(1), "<fin");
	assert_null(got(2));
	assert_int_equal(fake.call_count, 1);
	turns(4);
	expect_text(got(4), "<result");
	expect_text(got(5), "<fin");
	assert_int_equal(store.queries, 3);
}

static void too_many_queries_are_refused(void **state)
{
	(void)state;
	store.silent = true;
	for (int i = 0; i < 18; i++) {
		Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

		meta.kind = KIND_IQ;
		meta.type = TYPE_SET;
		meta.id = TEXT("q");
		meta.to = TEXT("");
		meta.child_name = TEXT("query");
		meta.child_ns = TEXT("urn:xmpp:mam:2");
		fake_submit(A, (uint64_t)i + 1, &meta, QUERY(SUBMIT(FIELD("with", "b@h.test"))));
	}
	expect_error("resource-constraint");
	store.silent = false;
	turns(40);
	assert_int_equal(store.queries, 17);
	assert_null(session_find(fake.sm, A)->archive_line);
}

static void a_form_and_metadata(void **state)
{
	static const char form[] = "<iq type='get' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>";
	static const char metadata[] = "<iq type='get' id='q'><metadata xmlns='urn:xmpp:mam:2'/></iq>";

	(void)state;
	query(form);
	expect_text(got(0), "<field type='jid-single' var='with'/><field type='text-single' var='start'/>");
	ask("metadata", "urn:xmpp:mam:2", metadata);
	assert_string_equal(got(0), "<iq id='q' type='result'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
	store.count = 2;
	ask("metadata", "urn:xmpp:mam:2", metadata);
	assert_string_equal(got(0), "<iq id='q' type='result'><metadata xmlns='urn:xmpp:mam:2'><start id='1700000000000001' "
	                            "timestamp='2023-11-14T22:13:20.000001Z'/><end id='1700000000000002' "
	                            "timestamp='2023-11-14T22:13:20.000002Z'/></metadata></iq>");
	store.code = CODE(UNAVAILABLE);
	ask("metadata", "urn:xmpp:mam:2", metadata);
	expect_error("resource-constraint");
}

static void only_ones_own(void **state)
{
	(void)state;
	fake_forget();
	ask_to("b@h.test", "query", "urn:xmpp:mam:2", QUERY(""));
	expect_error("forbidden");
	fake_forget();
	ask_to("b@h.test", "prefs", "urn:xmpp:mam:2", "<iq type='get' id='q'><prefs xmlns='urn:xmpp:mam:2'/></iq>");
	expect_error("forbidden");
	fake_forget();
	ask_to("b@h.test", "enable", "urn:xmpp:carbons:2", "<iq type='set' id='q'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
	expect_error("not-allowed");
	assert_int_equal(store.queries, 0);
}

/* --- preferences --- */

#define PREFS(attrs, in) "<iq type='set' id='q'><prefs xmlns='urn:xmpp:mam:2'" attrs ">" in "</prefs></iq>"

static void set_prefs(const char *bytes)
{
	ask("prefs", "urn:xmpp:mam:2", bytes);
}

static void preferences(void **state)
{
	static const char get[] = "<iq type='get' id='q'><prefs xmlns='urn:xmpp:mam:2'/></iq>";

	(void)state;
	fake.options.archive_default = ARCHIVE_ROSTER;
	set_prefs(get);
	assert_string_equal(got(0),
	                    "<iq id='q' type='result'><prefs xmlns='urn:xmpp:mam:2' default='roster'><always/><never/></prefs></iq>");
	set_prefs(PREFS(" default='never'", "<always><jid>Z@h.test</jid><jid>b@h.test/X</jid><jid>z@H.test</jid></always>"));
	assert_string_equal(got(0), "<iq id='q' type='result'><prefs xmlns='urn:xmpp:mam:2' default='never'><always><jid>b@h.test/X</jid>"
	                            "<jid>z@h.test</jid></always><never/></prefs></iq>");
	assert_string_equal(store.prefs->account, "a@h.test");
	assert_int_equal(store.prefs->prefs->default_, STARLING__ARCHIVE_PREFS__DEFAULT__NEVER);
	assert_int_equal(store.prefs->prefs->n_always, 2);
	store.code = CODE(UNAVAILABLE);
	set_prefs(PREFS(" default='always'", ""));
	expect_error("resource-constraint");
	set_prefs(get);
	expect_text(got(0), "default='never'");
}

static void bad_preferences(void **state)
{
	static const struct {
		const char *bytes, *condition;
	} table[] = {
		{ PREFS("", ""), "bad-request" },
		{ PREFS(" default='sometimes'", ""), "bad-request" },
		{ PREFS(" default='always'", "<always><jid>@</jid></always>"), "jid-malformed" },
		{ PREFS(" default='always'", "<never><jid/></never>"), "jid-malformed" },
		{ PREFS(" default='always'", "<never><who>a@b</who></never>"), "bad-request" },
		{ PREFS(" default='always'", "<always><jid>a@b</jid></always><never><jid>A@b</jid></never>"), "bad-request" },
	};
	struct buf many = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		set_prefs(table[i].bytes);
		expect_error(table[i].condition);
	}
	buf_append_cstr(&many, "<iq type='set' id='q'><prefs xmlns='urn:xmpp:mam:2' default='always'><never>");
	for (int i = 0; i <= 1000; i++)
		buf_printf(&many, "<jid>u%d@h.test</jid>", i);
	buf_append(&many, "</never></prefs></iq>", 22);
	set_prefs(many.p);
	expect_error("policy-violation");
	buf_fini(&many);
	assert_null(store.prefs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW(results_come_before_the_answer),
		FLOW(an_empty_archive),
		FLOW(a_page_may_be_flipped),
		FLOW(a_page_of_large_messages_is_short),
		FLOW(who_does_not_read_gets_no_more),
		FLOW(who_counts_gets_no_page),
		FLOW(filters_become_bounds),
		FLOW(ids_of_the_form_must_exist),
		FLOW(single_messages),
		FLOW(bad_queries),
		FLOW(a_store_that_fails),
		FLOW(queries_run_one_at_a_time),
		FLOW(too_many_queries_are_refused),
		FLOW(a_form_and_metadata),
		FLOW(only_ones_own),
		FLOW(preferences),
		FLOW(bad_preferences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
