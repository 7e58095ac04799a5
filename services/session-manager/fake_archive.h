/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_archive: the archive in the store, for unit tests on top of fake_flock.h: messages 1 to `count` for a@h.test, whose client A asks. */
#ifndef SESSION_MANAGER_FAKE_ARCHIVE_H
#define SESSION_MANAGER_FAKE_ARCHIVE_H

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
	*at = m ? ipc_copy_for_test(m) : NULL;
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
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
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

#endif
