/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_edge: what an edge does to a session-manager, for unit tests on top of fake_flock.h. */
#ifndef SESSION_MANAGER_FAKE_EDGE_H
#define SESSION_MANAGER_FAKE_EDGE_H

#include "services/session-manager/fake_flock.h"

/* --- what an edge does --- */

/* Opens a session; NULL in out_jid when it was refused. Returns the code. */
static int fake_open(uint64_t stream, const char *account, const char *resource, char **out_jid)
{
	static struct ipc_call call;
	Starling__OpenRequest r = STARLING__OPEN_REQUEST__INIT;

	call = (struct ipc_call){ .source = EDGE, .code = -1 };
	r.stream = stream;
	r.account = TEXT(account);
	r.resource = TEXT(resource);
	on_session_open(&call, &r);
	fake_turns(4);
	assert_int_not_equal(call.code, -1);
	if (call.reply) {
		if (out_jid)
			*out_jid = mem_strdup(((Starling__OpenReply *)call.reply)->jid);
		protobuf_c_message_free_unpacked(call.reply, NULL);
	}
	return call.code;
}

static void fake_submit(uint64_t stream, uint64_t number, const Starling__StanzaMeta *meta, const char *bytes)
{
	struct ipc_call call = { .source = EDGE, .payload = str_from(bytes) };
	Starling__SubmitEvent r = STARLING__SUBMIT_EVENT__INIT;

	r.stream = stream;
	r.number = number;
	r.meta = (Starling__StanzaMeta *)meta;
	on_session_submit(&call, &r);
}

static void fake_chat(uint64_t stream, uint64_t number, const char *to, const char *bytes)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = KIND_MESSAGE;
	meta.type = TYPE_CHAT;
	meta.to = TEXT(to);
	meta.flags = STARLING__STANZA_FLAG__FLAG_BODY;
	fake_submit(stream, number, &meta, bytes);
}

static void fake_presence(uint64_t stream, uint64_t number, Starling__StanzaType type, const char *to, int priority)
{
	Starling__StanzaMeta meta = STARLING__STANZA_META__INIT;

	meta.kind = KIND_PRESENCE;
	meta.type = type;
	meta.to = TEXT(to);
	meta.priority = priority;
	fake_submit(stream, number, &meta, "<presence/>");
	fake_turns(4);
}

/* The newest acceptance that the edge was told. */
static uint64_t fake_accepted(uint64_t stream)
{
	uint64_t accepted = 0;

	for (size_t i = 0; i < fake.sent_count; i++) {
		const Starling__AcceptedEvent *e = (const void *)fake.sent[i].message;

		for (size_t k = 0; fake.sent[i].method == METHOD_EDGE_ACCEPTED && k < e->n_progress; k++) {
			if (e->progress[k]->stream == stream && e->progress[k]->accepted > accepted)
				accepted = e->progress[k]->accepted;
		}
	}
	return accepted;
}

/* The n-th Deliver to that stream whose payload holds the mark; NULL: none. */
static const Starling__DeliverEvent *fake_delivered(uint64_t stream, const char *mark, uint32_t nth)
{
	for (size_t i = 0; i < fake.sent_count; i++) {
		const Starling__DeliverEvent *e = (const void *)fake.sent[i].message;

		if (fake.sent[i].method != METHOD_EDGE_DELIVER || !strstr(fake.sent[i].payload, mark))
			continue;
		for (size_t k = 0; k < e->n_streams; k++) {
			if (e->streams[k] == stream && nth-- == 0)
				return e;
		}
	}
	return NULL;
}

static uint32_t fake_count(uint32_t method)
{
	uint32_t count = 0;

	for (size_t i = 0; i < fake.sent_count; i++)
		count += fake.sent[i].method == method;
	return count;
}

static void fake_acked(uint64_t stream, uint64_t number)
{
	struct ipc_call call = { .source = EDGE };
	Starling__AckedEvent r = STARLING__ACKED_EVENT__INIT;
	Starling__Ack ack = STARLING__ACK__INIT, *acks[] = { &ack };

	ack.stream = stream;
	ack.acked = number;
	r.acks = acks;
	r.n_acks = 1;
	on_session_acked(&call, &r);
}

static void fake_close(uint64_t stream, const char *jid, bool resumable)
{
	struct ipc_call call = { .source = EDGE, .code = -1 };
	Starling__CloseRequest close = STARLING__CLOSE_REQUEST__INIT;

	close.stream = stream;
	close.jid = TEXT(jid);
	close.resumable = resumable;
	on_session_close(&call, &close);
	assert_int_equal(call.code, 0);
	protobuf_c_message_free_unpacked(call.reply, NULL);
}

static uint32_t fake_enable(uint64_t stream, const char *jid, uint32_t resume_s, uint64_t base_in)
{
	struct ipc_call call = { .source = EDGE, .code = -1 };
	Starling__EnableRequest r = STARLING__ENABLE_REQUEST__INIT;
	uint32_t granted;

	r.stream = stream;
	r.jid = TEXT(jid);
	r.resume_s = resume_s;
	r.base_in = base_in;
	on_session_enable(&call, &r);
	assert_int_equal(call.code, 0);
	granted = ((Starling__EnableReply *)call.reply)->resume_s;
	protobuf_c_message_free_unpacked(call.reply, NULL);
	return granted;
}

struct fake_resumed {
	int code;
	uint64_t accepted, sent;
};

static struct fake_resumed fake_resume(uint64_t stream, const char *account, uint64_t edge, uint32_t h)
{
	static struct ipc_call call;
	Starling__ResumeRequest r = STARLING__RESUME_REQUEST__INIT;
	struct fake_resumed out;

	call = (struct ipc_call){ .source = edge, .code = -1 };
	r.stream = stream;
	r.account = TEXT(account);
	r.h = h;
	on_session_resume(&call, &r);
	fake_turns(4);
	out = (struct fake_resumed){ .code = call.code };
	if (call.reply) {
		out.accepted = ((Starling__ResumeReply *)call.reply)->accepted;
		out.sent = ((Starling__ResumeReply *)call.reply)->sent;
		protobuf_c_message_free_unpacked(call.reply, NULL);
	}
	return out;
}

/* With the record that the edge was told to remember last. */
static int fake_attach(uint64_t stream, const char *jid, uint64_t sent, uint64_t acked, uint64_t handed, uint64_t *unacked, size_t n)
{
	static struct ipc_call call;
	Starling__AttachRequest r = STARLING__ATTACH_REQUEST__INIT;

	call = (struct ipc_call){ .source = EDGE, .code = -1 };
	r.stream = stream;
	r.jid = TEXT(jid);
	r.sent = sent;
	r.acked = acked;
	r.handed = handed;
	r.unacked_log = unacked;
	r.n_unacked_log = n;
	r.record = (ProtobufCBinaryData){ fake_record_size[stream % 64], fake_record_bytes[stream % 64] };
	on_session_attach(&call, &r);
	fake_turns(6);
	if (call.reply)
		protobuf_c_message_free_unpacked(call.reply, NULL);
	return call.code;
}

/* --- what most tests begin with --- */

#define A 11u
#define B 12u

static void log_in_both(void)
{
	assert_int_equal(fake_open(A, "a@h.test", "one", NULL), 0);
	assert_int_equal(fake_open(B, "b@h.test", "two", NULL), 0);
	fake_presence(B, 1, TYPE_NONE, "", 0);
	fake_forget();
}

static void wait_for_timers(void)
{
	for (int i = 0; i < 40; i++) {
		uv_sleep(10);
		fake_turn();
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_start, fake_stop)

#endif
