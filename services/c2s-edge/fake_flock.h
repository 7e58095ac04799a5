/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_flock: for unit tests, the daemon's skeleton and the bus replaced by functions that write down what was asked and answer as the test
 * says; the client is the other end of a socket pair. Included once by each test program: it defines what would come from libstarling. */
#ifndef C2S_EDGE_FAKE_FLOCK_H
#define C2S_EDGE_FAKE_FLOCK_H

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/daemon/daemon_for_test.h"
#include "common/net/tls_for_test.h"
#include "ipc/gen/auth.client.h"
#include "ipc/gen/edge.server.h"
#include "ipc/gen/session.client.h"
#include "ipc/runtime/ipc_for_test.h"
#include "services/c2s-edge/sm.h"

#define OWNER 0x100u

struct fake {
	struct c2s_config config;
	struct c2s_edge *edge;
	char *hosts[2];
	char dir[64];
	int peer;
	uint64_t owner, epoch;            /* of every slot */
	bool silent;                      /* calls are not answered until fake_answer */
	int code;                         /* of the next answers */
	int send;                         /* what sending an event returns */
	uint64_t accepted;                /* in AttachReply and ResumeReply */
	uint64_t source;                  /* of the event being handled; 0: the owner */
	bool old;                         /* the owner does not know stream management */
	uint32_t resume_s;                /* granted */
	uint64_t sent, base_in, base_out; /* in ResumeReply */
	uint64_t resent_ms;               /* the same */
	char *others[4];                  /* public addresses of other edges, from the first NULL on none */
	char public_address[64];
	struct buf log; /* "submit 3 juliet... <message/>;" and so on */
	/* one call on the way of each kind */
	session_open_fn open[64]; /* or several, of this kind */
	uint32_t open_n;
	session_attach_fn attach;
	session_close_fn close;
	session_enable_fn enable;
	session_resume_fn resume;
	auth_sasl_fn sasl;
	auth_mechanisms_fn mechanisms;
	void *open_ctx[64], *attach_ctx, *close_ctx, *sasl_ctx, *mechanisms_ctx, *enable_ctx, *resume_ctx;
	char *resource;
	const char *sasl_condition; /* NULL: success */
	struct str payload;         /* of the event being handled */
};

static struct fake fake;

/* --- skeleton ----------------------------------------------------------------------------------------------------- */

void metrics_register(struct metric *m)
{
	(void)m;
}

/* --- bus ---------------------------------------------------------------------------------------------------------- */

uint64_t ipc_bus_slot_owner(const struct ipc_bus *bus, uint32_t slot, uint64_t *out_epoch)
{
	(void)bus;
	(void)slot;
	*out_epoch = fake.epoch;
	return fake.owner;
}
const Starling__Registration *ipc_bus_find(const struct ipc_bus *bus, uint64_t instance)
{
	static Starling__InterfaceVersion session = STARLING__INTERFACE_VERSION__INIT, *interfaces[] = { &session };
	static Starling__Registration r = STARLING__REGISTRATION__INIT;

	(void)bus;
	session.interface = METHOD_SESSION_OPEN / 256;
	session.version = fake.old ? 7 : 10;
	r.instance = instance;
	r.interfaces = interfaces;
	r.n_interfaces = 1;
	return &r;
}
uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	static Starling__Registration r[4];
	uint32_t n = 0;

	(void)bus, (void)role;
	while (n < max && n < 4 && fake.others[n]) {
		starling__registration__init(&r[n]);
		r[n].instance = n + 1;
		r[n].state = STARLING__INSTANCE_STATE__INSTANCE_READY;
		r[n].public_address = fake.others[n];
		out[n] = &r[n];
		n++;
	}
	return n;
}
uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	(void)bus;
	return 1; /* the first of the others is ourselves */
}
void ipc_bus_set_public_address(struct ipc_bus *bus, const char *address)
{
	(void)bus;
	snprintf(fake.public_address, sizeof(fake.public_address), "%s", address ? address : "");
}
void *ipc_call_daemon(const struct ipc_call *call)
{
	(void)call;
	return fake.edge;
}
struct str ipc_call_payload(const struct ipc_call *call)
{
	(void)call;
	return fake.payload;
}
uint64_t ipc_call_source(const struct ipc_call *call)
{
	(void)call;
	return fake.source ? fake.source : fake.owner;
}
uint64_t ipc_call_trace(const struct ipc_call *call)
{
	(void)call;
	return 1;
}

static struct ipc_result fake_result(void)
{
	return (struct ipc_result){ .code = fake.code, .text = "", .source = fake.owner };
}

static void fake_answer_open(void)
{
	Starling__OpenReply reply = STARLING__OPEN_REPLY__INIT;
	struct ipc_result r = fake_result();
	session_open_fn fn = fake.open[0];
	void *ctx = fake.open_ctx[0];
	char jid[100];

	snprintf(jid, sizeof(jid), "juliet@a.test/%s", fake.resource && *fake.resource ? fake.resource : "made");
	reply.jid = jid;
	fake.open_n--;
	memmove(fake.open, fake.open + 1, fake.open_n * sizeof(fake.open[0]));
	memmove(fake.open_ctx, fake.open_ctx + 1, fake.open_n * sizeof(fake.open_ctx[0]));
	fn(&r, r.code ? NULL : &reply, ctx);
}

static void fake_answer_attach(void)
{
	Starling__AttachReply reply = STARLING__ATTACH_REPLY__INIT;
	struct ipc_result r = fake_result();
	session_attach_fn fn = fake.attach;

	reply.accepted = fake.accepted;
	fake.attach = NULL;
	fn(&r, r.code ? NULL : &reply, fake.attach_ctx);
}

static void fake_answer_close(void)
{
	Starling__Empty reply = STARLING__EMPTY__INIT;
	struct ipc_result r = fake_result();
	session_close_fn fn = fake.close;

	fake.close = NULL;
	fn(&r, r.code ? NULL : &reply, fake.close_ctx);
}

static void fake_answer_enable(void)
{
	Starling__EnableReply reply = STARLING__ENABLE_REPLY__INIT;
	struct ipc_result r = fake_result();
	session_enable_fn fn = fake.enable;

	reply.resume_s = fake.resume_s;
	fake.enable = NULL;
	fn(&r, r.code ? NULL : &reply, fake.enable_ctx);
}

static void fake_answer_resume(void)
{
	Starling__ResumeReply reply = STARLING__RESUME_REPLY__INIT;
	struct ipc_result r = fake_result();
	session_resume_fn fn = fake.resume;

	reply.jid = (char *)"juliet@a.test/balcony";
	reply.accepted = fake.accepted;
	reply.sent = fake.sent;
	reply.base_in = fake.base_in;
	reply.base_out = fake.base_out;
	reply.resume_s = 600;
	reply.resent_ms = fake.resent_ms;
	reply.record = (ProtobufCBinaryData){ 3, (uint8_t *)(uintptr_t) "old" };
	fake.resume = NULL;
	fn(&r, r.code ? NULL : &reply, fake.resume_ctx);
}

static void fake_answer_sasl(void)
{
	Starling__SaslReply reply = STARLING__SASL_REPLY__INIT;
	struct ipc_result r = fake_result();
	auth_sasl_fn fn = fake.sasl;

	reply.outcome = fake.sasl_condition ? STARLING__SASL_OUTCOME__SASL_FAILURE : STARLING__SASL_OUTCOME__SASL_SUCCESS;
	if (fake.sasl_condition)
		reply.condition = (char *)(uintptr_t)fake.sasl_condition;
	reply.account = (char *)"juliet@a.test";
	fake.sasl = NULL;
	fn(&r, r.code ? NULL : &reply, fake.sasl_ctx);
}

static void fake_answer_mechanisms(void)
{
	Starling__MechanismsReply reply = STARLING__MECHANISMS_REPLY__INIT;
	struct ipc_result r = fake_result();
	auth_mechanisms_fn fn = fake.mechanisms;
	char *names[] = { (char *)"PLAIN" };

	reply.mechanisms = names;
	reply.n_mechanisms = 1;
	fake.mechanisms = NULL;
	fn(&r, r.code ? NULL : &reply, fake.mechanisms_ctx);
}

/* What the loop's next turn brings, except where the test wants to wait. */
static void fake_answer(void)
{
	for (int i = 0; i < 10; i++) {
		if (fake.mechanisms)
			fake_answer_mechanisms();
		if (fake.sasl)
			fake_answer_sasl();
		while (fake.open_n)
			fake_answer_open();
		if (fake.attach)
			fake_answer_attach();
		if (fake.enable)
			fake_answer_enable();
		if (fake.resume)
			fake_answer_resume();
		if (fake.close)
			fake_answer_close();
	}
}

int call_auth_mechanisms(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__MechanismsRequest *request,
                         auth_mechanisms_fn done, void *ctx)
{
	(void)bus, (void)to, (void)opts, (void)request;
	fake.mechanisms = done;
	fake.mechanisms_ctx = ctx;
	return IPC_SENT;
}
int call_auth_sasl(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__SaslRequest *request,
                   auth_sasl_fn done, void *ctx)
{
	(void)bus, (void)to, (void)opts;
	buf_printf(&fake.log, "sasl %s %d '%.*s';", request->mechanism, request->has_input, (int)request->input.len,
	           (char *)request->input.data);
	fake.sasl = done;
	fake.sasl_ctx = ctx;
	return IPC_SENT;
}
int call_auth_create_account(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts,
                             const Starling__CreateAccountRequest *request, auth_create_account_fn done, void *ctx)
{
	(void)bus, (void)to, (void)opts, (void)request, (void)done, (void)ctx;
	return IPC_SENT;
}
int call_session_open(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__OpenRequest *request,
                      session_open_fn done, void *ctx)
{
	(void)bus, (void)to, (void)opts;
	buf_printf(&fake.log, "open %s '%s'%s;", request->account, request->resource, request->resume_failed ? " again" : "");
	mem_free(fake.resource);
	fake.resource = mem_strdup(request->resource);
	if (fake.open_n == 64)
		abort();
	fake.open[fake.open_n] = done;
	fake.open_ctx[fake.open_n++] = ctx;
	return IPC_SENT;
}
int call_session_attach(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__AttachRequest *request,
                        session_attach_fn done, void *ctx)
{
	(void)bus, (void)opts;
	buf_printf(&fake.log, "attach %llx %s", (unsigned long long)to.instance, request->jid);
	if (request->sent > 0 || request->record.len > 0)
		buf_printf(&fake.log, " accepted=%llu sent=%llu acked=%llu handed=%llu forms=%zu record=%.*s",
		           (unsigned long long)request->accepted, (unsigned long long)request->sent, (unsigned long long)request->acked,
		           (unsigned long long)request->handed, request->n_unacked_form, (int)request->record.len,
		           (char *)request->record.data);
	for (size_t i = 0; i < request->n_unacked_log; i++)
		buf_printf(&fake.log, " %llu", (unsigned long long)request->unacked_log[i]);
	buf_append_cstr(&fake.log, ";");
	fake.attach = done;
	fake.attach_ctx = ctx;
	return IPC_SENT;
}
int call_session_close(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__CloseRequest *request,
                       session_close_fn done, void *ctx)
{
	(void)bus, (void)to, (void)opts;
	buf_printf(&fake.log, "close %s %d%s;", request->jid, (int)request->reason, request->resumable ? " resumable" : "");
	fake.close = done;
	fake.close_ctx = ctx;
	return IPC_SENT;
}
int call_session_enable(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__EnableRequest *request,
                        session_enable_fn done, void *ctx)
{
	(void)bus, (void)opts;
	buf_printf(&fake.log, "enable %llx %s %u base=%llu;", (unsigned long long)to.instance, request->jid, request->resume_s,
	           (unsigned long long)request->base_in);
	fake.enable = done;
	fake.enable_ctx = ctx;
	return IPC_SENT;
}
int call_session_resume(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__ResumeRequest *request,
                        session_resume_fn done, void *ctx)
{
	(void)bus, (void)to, (void)opts;
	buf_printf(&fake.log, "resume %s %u;", request->account, request->h);
	fake.resume = done;
	fake.resume_ctx = ctx;
	return IPC_SENT;
}
int send_session_acked(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__AckedEvent *event)
{
	(void)bus, (void)to, (void)opts;
	buf_append_cstr(&fake.log, "acked");
	for (size_t i = 0; i < event->n_acks; i++)
		buf_printf(&fake.log, " %llu", (unsigned long long)event->acks[i]->acked);
	buf_append_cstr(&fake.log, ";");
	return IPC_SENT;
}
int send_session_submit(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__SubmitEvent *event)
{
	(void)bus;
	if (fake.send != IPC_SENT)
		return fake.send;
	buf_printf(&fake.log, "submit %llx %llu%s %s>%s ", (unsigned long long)to.instance, (unsigned long long)event->number,
	           event->again ? " again" : "", event->meta->from, event->meta->to);
	if (event->fault[0])
		buf_printf(&fake.log, "fault=%s ", event->fault);
	buf_printf(&fake.log, "%.*s;", STR_ARG(opts->payload));
	return IPC_SENT;
}
int send_session_written(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__WrittenEvent *event)
{
	(void)bus, (void)to, (void)opts;
	for (size_t i = 0; i < event->n_deliveries; i++)
		buf_printf(&fake.log, "written %llu;", (unsigned long long)event->deliveries[i]);
	return IPC_SENT;
}
int send_session_returned(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__ReturnedEvent *event)
{
	(void)bus, (void)to, (void)opts;
	buf_printf(&fake.log, "returned %s %llu;", event->account, (unsigned long long)event->delivery);
	return IPC_SENT;
}

/* --- for tests ---------------------------------------------------------------------------------------------------- */

static inline void fake_turn(void)
{
	for (int i = 0; i < 6; i++) {
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
		if (!fake.silent)
			fake_answer();
	}
}

static inline struct c2s_stream *fake_stream(void)
{
	return list_empty(&fake.edge->streams) ? NULL : list_entry(fake.edge->streams.next, struct c2s_stream, node);
}

static inline void fake_connect(void)
{
	struct net_addr a = { 0 };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
	fake.peer = fds[1];
	c2s_stream_new(fake.edge, fds[0], &a, false);
}

static inline void fake_say(const char *text)
{
	if (send(fake.peer, text, strlen(text), MSG_NOSIGNAL) < 0)
		fprintf(stderr, "client cannot send\n");
	fake_turn();
}

/* What the server has said since the last time. */
static inline const char *fake_hear(void)
{
	static char in[65536];
	ssize_t n;

	fake_turn();
	n = recv(fake.peer, in, sizeof(in) - 1, 0);
	in[n > 0 ? n : 0] = '\0';
	return in;
}

/* What the flock was asked since the last time. */
static inline const char *fake_asked(void)
{
	static char out[65536];

	snprintf(out, sizeof(out), "%.*s", STR_ARG(buf_str(&fake.log)));
	buf_clear(&fake.log);
	return out;
}

#define FAKE_HEADER "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.test' version='1.0'>"

static inline void fake_login(void)
{
	fake_connect();
	fake_say(FAKE_HEADER);
	fake_say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAB4</auth>");
	fake_say(FAKE_HEADER);
	fake_say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>");
	fake_hear();
	fake_asked();
}

static inline int fake_setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	memset(&fake, 0, sizeof(fake));
	skeleton = (struct skeleton){ .config = &fake.config, .bus = (struct ipc_bus *)&fake };
	uv_loop_init(&skeleton.loop);
	strcpy(fake.dir, "/tmp/c2s-test-XXXXXX");
	if (!mkdtemp(fake.dir))
		return -1;
	tls_for_test_make(fake.dir, "default", EVP_sha256());
	fake.hosts[0] = (char *)"a.test";
	fake.hosts[1] = (char *)"b.test";
	skeleton.shared.hosts = (struct config_list){ fake.hosts, 2 };
	skeleton.shared.drain_ms = 1000;
	fake.config = (struct c2s_config){ .tls_dir = fake.dir,
		                           .default_host = true,
		                           .sasl_tries = 3,
		                           .connections = 100,
		                           .connect_burst = 100,
		                           .login_stanza_bytes = 10240,
		                           .stanza_bytes = 65536,
		                           .depth = 64,
		                           .attributes = 100,
		                           .elements = 1000,
		                           .name_bytes = 1024,
		                           .output_bytes = 262144,
		                           .window_stanzas = 4,
		                           .window_bytes = 65536,
		                           .login_ms = 30000,
		                           .bind_wait_ms = 1000,
		                           .keepalive_ms = 0,
		                           .dead_after_ms = 60000,
		                           .close_ms = 500,
		                           .linger_ms = 60000,
		                           .ack_ms = 60000,
		                           .unacked = 10000,
		                           .sm_enabled = true,
		                           .sm_resume_ms = 600000,
		                           .sm_max_ms = 3600000 };
	fake.resume_s = 600;
	fake.owner = OWNER;
	fake.epoch = 1;
	fake.peer = -1;
	fake.edge = c2s_edge_new(NULL, &e);
	if (!fake.edge)
		return -1;
	c2s_edge_run(fake.edge);
	return 0;
}

static inline int fake_teardown(void **state)
{
	static const char *const names[] = { "default", NULL };

	(void)state;
	/* As the skeleton does: what is open ends first. */
	fake.code = STARLING__CODE__CODE_PEER_LOST;
	fake_answer();
	c2s_edge_free(&fake.edge);
	if (fake.peer >= 0)
		close(fake.peer);
	for (int i = 0; i < 5; i++)
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
	mem_free(fake.resource);
	buf_fini(&fake.log);
	tls_for_test_remove(fake.dir, names);
	return uv_loop_close(&skeleton.loop);
}

#endif
