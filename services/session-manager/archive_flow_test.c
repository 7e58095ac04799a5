/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client sees of its archive, its offline messages and its copies, with the flock around it faked; the log in the store is this file's. */
#include "services/session-manager/archive_retract.h"
#include "services/session-manager/fake_edge.h"
#include "services/session-manager/session.h"

#define ID(n)     (1700000000000000u + (uint64_t)(n))
#define QUERY(in) "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2' queryid='f&apos;1'>" in "</query></iq>"
#define SUBMIT(in)                                                                                                                         \
	"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>" in "</x>"
#define FIELD(var, value) "<field var='" var "'><value>" value "</value></field>"
#define MESSAGE           "<message type='chat'><body>x</body></message>"
#define RSM(in)           "<set xmlns='http://jabber.org/protocol/rsm'>" in "</set>"

/* --- the store's log: messages 1 to `count` for a@h.test --- */

static struct {
	uint32_t count;
	Starling__LogQueryRequest *query, *first_query; /* the newest one and the one before */
	Starling__ArchivePrefsSetRequest *prefs;
	Starling__LogRetractRequest *retract;
	uint32_t queries, retracts;
	int code, named_code;
	bool incomplete, silent;
} store;

static Starling__StanzaMeta metas[8];
static Starling__LogEntry entries[8], *entry_list[8];

static void fill_entries(void)
{
	for (uint32_t i = 0; i < 8; i++) {
		starling__stanza_meta__init(&metas[i]);
		metas[i].kind = KIND_MESSAGE;
		metas[i].type = TYPE_CHAT;
		metas[i].from = TEXT("b@h.test/two");
		metas[i].to = TEXT("a@h.test");
		starling__log_entry__init(&entries[i]);
		entries[i].id = ID(i + 1);
		entries[i].meta = &metas[i];
		entries[i].stanza = (ProtobufCBinaryData){ sizeof(MESSAGE) - 1, (uint8_t *)TEXT(MESSAGE) };
		entries[i].received = entries[i].archived = true;
		entry_list[i] = &entries[i];
	}
}

static void keep(void *slot, const ProtobufCMessage *m)
{
	ProtobufCMessage **at = slot;

	if (*at)
		protobuf_c_message_free_unpacked(*at, NULL);
	*at = m ? fake_copy(m) : NULL;
}

static void serve_query(struct fake_record *r)
{
	const Starling__LogQueryRequest *q = (const void *)r->message;
	Starling__LogQueryReply reply = STARLING__LOG_QUERY_REPLY__INIT;

	store.queries++;
	keep(&store.first_query, store.query ? &store.query->base : NULL);
	keep(&store.query, r->message);
	reply.entries = entry_list;
	reply.n_entries = q->limit < store.count ? q->limit : store.count;
	reply.complete = !store.incomplete;
	reply.count = store.count;
	reply.index = 0;
	fake_answer(r, q->limit ? store.code : store.named_code, &reply.base);
}

static bool serve(struct fake_record *r)
{
	Starling__LogMetadataReply metadata = STARLING__LOG_METADATA_REPLY__INIT;
	Starling__Empty empty = STARLING__EMPTY__INIT;

	switch (r->method) {
	case METHOD_STORAGE_LOG_QUERY:
		serve_query(r);
		return true;
	case METHOD_STORAGE_LOG_METADATA:
		metadata.first = store.count ? ID(1) : 0;
		metadata.last = store.count ? ID(store.count) : 0;
		fake_answer(r, store.code, &metadata.base);
		return true;
	case METHOD_STORAGE_ARCHIVE_PREFS_SET:
		keep(&store.prefs, r->message);
		fake_answer(r, store.code, &empty.base);
		return true;
	case METHOD_STORAGE_LOG_RETRACT:
		store.retracts++;
		keep(&store.retract, r->message);
		fake_answer(r, store.code, &empty.base);
		return true;
	default:
		return false;
	}
}

/* Answers one call about the log; false: there is none. */
static bool serve_one(void)
{
	for (size_t i = 0; i < fake.call_count; i++) {
		struct fake_record r = fake.calls[i];

		if (!serve(&r))
			continue;
		/* The answer may have led to more calls: they are behind it. */
		memmove(&fake.calls[i], &fake.calls[i + 1], (fake.call_count - i - 1) * sizeof(fake.calls[0]));
		fake.call_count--;
		fake_record_free(&r);
		return true;
	}
	return false;
}

/* Lets timers run for a while, and answers what they ask. */
static void wait_until(bool (*done)(void))
{
	for (int i = 0; i < 100 && !done(); i++) {
		uv_sleep(10);
		uv_run(&fake.loop, UV_RUN_NOWAIT);
		serve_one();
	}
}

/* As fake_turn, with this log in it. */
static void turns(int n)
{
	for (; n > 0 && !store.silent; n--) {
		while (serve_one())
			;
		fake_turn();
	}
}

static int log_in(void **state)
{
	fake_start(state);
	fake.options.archive_page_max = 250;
	memset(&store, 0, sizeof(store));
	fill_entries();
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	fake_forget();
	return 0;
}

static int log_out(void **state)
{
	store.silent = false;
	turns(4);
	keep(&store.query, NULL);
	keep(&store.first_query, NULL);
	keep(&store.prefs, NULL);
	keep(&store.retract, NULL);
	return fake_stop(state);
}

#define FLOW(f) cmocka_unit_test_setup_teardown(f, log_in, log_out)

static void ask_to(const char *to, const char *name, const char *ns, const char *bytes)
{
	static uint64_t number;
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct session *s = session_find(fake.sm, A);

	meta.kind = KIND_IQ;
	meta.type = strstr(bytes, "type='set'") ? TYPE_SET : TYPE_GET;
	meta.id = TEXT("q");
	meta.to = TEXT(to);
	meta.child_name = TEXT(name);
	meta.child_ns = TEXT(ns);
	number = s->window.accepted + 1;
	fake_submit(A, number, &meta, bytes);
	turns(6);
}

static void ask(const char *name, const char *ns, const char *bytes)
{
	fake_forget();
	ask_to("", name, ns, bytes);
}

static void query(const char *bytes)
{
	ask("query", "urn:xmpp:mam:2", bytes);
}

/* The n-th of what was delivered to the client; NULL: no more. */
static const char *got(uint32_t nth)
{
	for (size_t i = 0; i < fake.sent_count; i++) {
		if (fake.sent[i].method == METHOD_EDGE_DELIVER && nth-- == 0)
			return fake.sent[i].payload;
	}
	return NULL;
}

static const Starling__DeliverEvent *got_event(uint32_t nth)
{
	for (size_t i = 0; i < fake.sent_count; i++) {
		if (fake.sent[i].method == METHOD_EDGE_DELIVER && nth-- == 0)
			return (const void *)fake.sent[i].message;
	}
	return NULL;
}

static void expect_error(const char *condition)
{
	char want[128];

	assert_non_null(got(0));
	snprintf(want, sizeof(want), "<%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>", condition);
	if (!strstr(got(0), want))
		fail_msg("wanted %s, got %s", condition, got(0));
	assert_null(got(1));
}

static void expect_text(const char *text, const char *part)
{
	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("%s\nis not in\n%s", part, text);
}

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

/* --- copies, retraction --- */

static void copies_are_turned_on_and_off(void **state)
{
	static const char on[] = "<iq type='set' id='q'><enable xmlns='urn:xmpp:carbons:2'/></iq>";
	static const char off[] = "<iq type='set' id='q'><disable xmlns='urn:xmpp:carbons:2'/></iq>";

	(void)state;
	for (int i = 0; i < 2; i++) {
		ask("enable", "urn:xmpp:carbons:2", on);
		assert_string_equal(got(0), "<iq id='q' type='result'/>");
		assert_true(session_find(fake.sm, A)->carbons);
	}
	for (int i = 0; i < 2; i++) {
		ask("disable", "urn:xmpp:carbons:2", off);
		assert_string_equal(got(0), "<iq id='q' type='result'/>");
		assert_false(session_find(fake.sm, A)->carbons);
	}
}

static void retract(const char *id, Starling__StanzaType type, const char *bytes)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;
	struct packet p = { .meta = &meta, .bytes = str_from(bytes) };

	meta.kind = KIND_MESSAGE;
	meta.type = type;
	meta.from = TEXT("a@h.test/one");
	meta.to = TEXT("b@h.test/two");
	meta.id = TEXT(id);
	archive_retract(fake.sm, &p);
	turns(2);
}

static void a_tombstone(void **state)
{
	static const char bytes[] =
	        "<message type='chat' id='r1'><retract xmlns='urn:xmpp:message-retract:1' id='w&amp;1'/><body>/me</body></message>";
	char text[256];

	(void)state;
	retract("r1", TYPE_CHAT, bytes);
	assert_string_equal(store.retract->sender, "a@h.test");
	assert_string_equal(store.retract->recipient, "b@h.test");
	assert_string_equal(store.retract->target, "w&1");
	snprintf(text, sizeof(text), "%.*s", (int)store.retract->tombstone.len, (char *)store.retract->tombstone.data);
	expect_text(text, "<message type='chat' id='w&amp;1'><retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='20");
	expect_text(text, "Z'/></message>");
	/* Nothing that could be named, or nothing to name it by. */
	retract("", TYPE_CHAT, bytes);
	retract("r1", TYPE_GROUPCHAT, bytes);
	retract("r1", TYPE_CHAT, "<message id='r1'><retract xmlns='urn:xmpp:message-retract:1'/></message>");
	retract("r1", TYPE_CHAT, "<message id='r1'><body>x</body></message>");
	assert_int_equal(store.retracts, 1);
}

static bool retracted_again(void)
{
	return store.retracts == 2;
}

static void a_retraction_is_tried_again(void **state)
{
	(void)state;
	store.code = CODE(UNAVAILABLE);
	retract("r1", TYPE_CHAT, "<message id='r1'><retract xmlns='urn:xmpp:message-retract:1' id='w1'/></message>");
	assert_int_equal(store.retracts, 1);
	store.code = 0;
	wait_until(retracted_again);
	assert_int_equal(store.retracts, 2);
}

/* --- offline messages one by one --- */

#define OFFLINE(type, in) "<iq type='" type "' id='q'><offline xmlns='http://jabber.org/protocol/offline'>" in "</offline></iq>"

static void offline(const char *bytes)
{
	ask("offline", "http://jabber.org/protocol/offline", bytes);
}

/* Messages 3 and 4 wait, and 1, which was left. */
static int log_in_to_mail(void **state)
{
	fake_start(state);
	fake.options.archive_page_max = 250;
	memset(&store, 0, sizeof(store));
	fill_entries();
	for (uint32_t i = 0; i < 4; i++) {
		Starling__LogAppendRequest row = STARLING__LOG_APPEND_REQUEST__INIT;

		row.recipient = TEXT("a@h.test");
		row.archived = true;
		row.meta = &metas[i];
		fake.rows[i].id = ID(i + 1);
		fake.rows[i].request = (void *)fake_copy(&row.base);
		fake.rows[i].stanza = mem_strdup(MESSAGE);
	}
	fake.row_count = 4;
	fake.delivered = ID(2);
	fake.holes[0] = ID(1);
	fake.hole_count = 1;
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	fake_forget();
	return 0;
}

#define MAIL(f) cmocka_unit_test_setup_teardown(f, log_in_to_mail, log_out)

static void they_are_counted_and_listed(void **state)
{
	(void)state;
	ask("query", "http://jabber.org/protocol/disco#info",
	    "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/offline'/></iq>");
	expect_text(got(0), "<identity category='automation' type='message-list'/>");
	expect_text(got(0), "<field var='number_of_messages'><value>3</value></field>");
	ask("query", "http://jabber.org/protocol/disco#items",
	    "<iq type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/offline'/></iq>");
	expect_text(got(0), "node='http://jabber.org/protocol/offline'><item jid='a@h.test' node='1700000000000001' name='b@h.test/two'/>"
	                    "<item jid='a@h.test' node='1700000000000003' name='b@h.test/two'/>"
	                    "<item jid='a@h.test' node='1700000000000004' name='b@h.test/two'/></query>");
}

static void they_are_viewed(void **state)
{
	const Starling__DeliverEvent *e;

	(void)state;
	offline(OFFLINE("get", "<item action='view' node='1700000000000003'/>"));
	expect_text(got(0), "<message type='chat'><body>x</body></message>");
	e = got_event(0);
	assert_string_equal(e->meta->from, "b@h.test/two");
	assert_non_null(memmem(e->extra.data, e->extra.len,
	                       "<offline xmlns='http://jabber.org/protocol/offline'><item node='1700000000000003'/>", 79));
	assert_non_null(memmem(e->extra.data, e->extra.len, "<stanza-id ", 11));
	assert_string_equal(got(1), "<iq id='q' type='result'/>");
	offline(OFFLINE("get", "<fetch/>"));
	assert_string_equal(got(3), "<iq id='q' type='result'/>");
	/* 2 has been delivered, 5 does not exist. */
	offline(OFFLINE("get", "<item action='view' node='1700000000000002'/>"));
	expect_error("item-not-found");
	offline(OFFLINE("get", "<item action='view' node='1700000000000003'/><item action='view' node='1700000000000005'/>"));
	expect_error("item-not-found");
}

static void they_are_removed(void **state)
{
	(void)state;
	offline(OFFLINE("set", "<item action='remove' node='1700000000000001'/><item action='remove' node='1700000000000003'/>"));
	assert_string_equal(got(0), "<iq id='q' type='result'/>");
	assert_int_equal(fake.hole_count, 1);
	assert_int_equal(fake.holes[0], ID(4));
	offline(OFFLINE("set", "<purge/>"));
	assert_string_equal(got(0), "<iq id='q' type='result'/>");
	assert_int_equal(fake.hole_count, 0);
	offline(OFFLINE("set", "<item action='remove' node='1700000000000002'/>"));
	expect_error("item-not-found");
}

static void bad_offline_requests(void **state)
{
	static const struct {
		const char *bytes, *condition;
	} table[] = {
		{ OFFLINE("get", ""), "bad-request" },
		{ OFFLINE("get", "<purge/>"), "bad-request" },
		{ OFFLINE("set", "<fetch/>"), "bad-request" },
		{ OFFLINE("get", "<fetch/><fetch/>"), "bad-request" },
		{ OFFLINE("get", "<item action='remove' node='1700000000000003'/>"), "bad-request" },
		{ OFFLINE("set", "<item action='view' node='1700000000000003'/>"), "bad-request" },
		{ OFFLINE("get", "<item action='view'/>"), "item-not-found" },
		{ OFFLINE("get", "<item action='view' node='2003-02-27T22:52:37.225Z'/>"), "item-not-found" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		offline(table[i].bytes);
		expect_error(table[i].condition);
	}
	fake_forget();
	ask_to("b@h.test", "offline", "http://jabber.org/protocol/offline", OFFLINE("get", "<fetch/>"));
	expect_error("forbidden");
	fake.storage_code = CODE(UNAVAILABLE);
	offline(OFFLINE("get", "<fetch/>"));
	expect_error("resource-constraint");
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
		FLOW(copies_are_turned_on_and_off),
		FLOW(a_tombstone),
		FLOW(a_retraction_is_tried_again),
		MAIL(they_are_counted_and_listed),
		MAIL(they_are_viewed),
		MAIL(they_are_removed),
		MAIL(bad_offline_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
