/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_flock: for unit tests, the daemon's skeleton and the bus replaced by functions that answer as the test says; clients are the other ends of socket
 * pairs, and their packets are written as text (mqtt_for_test.h). Included once by each test program: it defines what would come from libstarling. */
#ifndef MQTT_BROKER_FAKE_FLOCK_H
#define MQTT_BROKER_FAKE_FLOCK_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/daemon/daemon_for_test.h"
#include "common/mqtt/mqtt_for_test.h"
#include "common/net/tls_for_test.h"
#include "ipc/gen/auth.client.h"
#include "ipc/gen/mqttadmin.server.h"
#include "ipc/runtime/ipc_for_test.h"
#include "services/mqtt-broker/fake_peers.h"
#include "services/mqtt-broker/fake_retained.h"
#include "services/mqtt-broker/fake_store.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/several.h"

#define CLIENTS 8
#define CALLS   16

struct fake {
	struct mq_config config;
	struct mq_broker *broker;
	char *hosts[2];
	char dir[64];
	int peers[CLIENTS];
	bool away;             /* auth does not answer */
	const char *elsewhere; /* another broker's public address; NULL: there is none */
	bool begins;           /* it is not ready yet */
	struct {
		auth_sasl_fn done;
		void *ctx;
		char account[100];
		bool ok, more;
	} calls[CALLS];
	unsigned call_n;
	/* What the operator was told last. */
	size_t listed;
	int code;
	char text[200];
};

static struct fake fake;

/* --- skeleton ----------------------------------------------------------------------------------------------------- */

void daemon_fail(struct daemon *d, const char *fmt, ...)
{
	(void)d;
	fail_msg("%s", fmt);
}
void metrics_register(struct metric *m)
{
	(void)m;
}

/* --- bus ---------------------------------------------------------------------------------------------------------- */

uint64_t ipc_bus_instance(const struct ipc_bus *bus)
{
	(void)bus;
	return 1;
}
void ipc_bus_set_public_address(struct ipc_bus *bus, const char *address)
{
	(void)bus;
	(void)address;
}
uint32_t ipc_bus_instances(const struct ipc_bus *bus, const char *role, const Starling__Registration **out, uint32_t max)
{
	static Starling__Registration other = STARLING__REGISTRATION__INIT, rows[4];
	static Starling__InterfaceVersion mqtt = STARLING__INTERFACE_VERSION__INIT, *list[] = { &mqtt };
	uint32_t n = 0;

	(void)bus;
	(void)role;
	(void)max;
	mqtt.interface = STARLING__INTERFACE__INTERFACE_MQTT;
	for (int i = 0; i < 4; i++) {
		if (!peers.there[i])
			continue;
		starling__registration__init(&rows[n]);
		rows[n].instance = peers.there[i];
		rows[n].interfaces = list;
		rows[n].n_interfaces = 1;
		rows[n].state = STARLING__INSTANCE_STATE__INSTANCE_READY;
		out[n] = &rows[n];
		n++;
	}
	other.instance = 2;
	other.state = fake.begins ? STARLING__INSTANCE_STATE__INSTANCE_STARTING : STARLING__INSTANCE_STATE__INSTANCE_READY;
	other.public_address = (char *)(uintptr_t)fake.elsewhere;
	if (fake.elsewhere)
		out[n++] = &other;
	return n;
}

void *ipc_call_daemon(const struct ipc_call *call)
{
	(void)call;
	return fake.broker;
}

void ipc_fail(struct ipc_call *call, int code, const char *fmt, ...)
{
	(void)fmt;
	if (!call) { /* an operator's */
		fake.code = code;
		return;
	}
	assert_false(call->answered);
	call->answered = true;
	call->code = code;
}

/* What operators are told (admin.c). */
void reply_mqttadmin_list(struct ipc_call *call, const Starling__MqttListReply *reply)
{
	(void)call;
	fake.listed = reply->n_clients;
	if (reply->n_clients)
		snprintf(fake.text, sizeof(fake.text), "%s %s %u", reply->clients[0]->client, reply->clients[0]->user,
		         reply->clients[0]->version);
}
void reply_mqttadmin_sessions(struct ipc_call *call, const Starling__MqttSessionsReply *reply)
{
	(void)call;
	fake.listed = reply->n_sessions;
}
void reply_mqttadmin_kick(struct ipc_call *call, const Starling__MqttKickReply *reply)
{
	(void)call;
	fake.listed = reply->kicked;
}
void reply_mqttadmin_ban(struct ipc_call *call, const Starling__MqttBanReply *reply)
{
	(void)call;
	fake.listed = reply->kicked;
}
void reply_mqttadmin_unban(struct ipc_call *call, const Starling__MqttUnbanReply *reply)
{
	(void)call;
	fake.listed = reply->kept;
}
void reply_mqttadmin_bans(struct ipc_call *call, const Starling__MqttBansReply *reply)
{
	(void)call;
	fake.listed = reply->n_bans;
}

/* Everybody's password is "secret"; SCRAM takes two steps, whatever is in them but "wrong". */
int call_auth_sasl(struct ipc_bus *bus, struct ipc_target to, const struct ipc_opts *opts, const Starling__SaslRequest *r,
                   auth_sasl_fn done, void *ctx)
{
	__typeof__(&fake.calls[0]) call = &fake.calls[fake.call_n++];
	const char *input = (const char *)r->input.data;

	(void)bus;
	(void)to;
	(void)opts;
	assert_true(fake.call_n <= CALLS);
	*call = (__typeof__(*call)){ .done = done, .ctx = ctx };
	if (strcmp(r->mechanism, "PLAIN") == 0) {
		size_t user = strnlen(input + 1, r->input.len - 1);

		assert_true(r->encrypted);
		call->ok = r->input.len == user + 2 + 6 && memcmp(input + user + 2, "secret", 6) == 0;
		snprintf(call->account, sizeof(call->account), "%.*s@%s", (int)user, input + 1, r->host);
	} else {
		call->ok = r->input.len != 5 || memcmp(input, "wrong", 5) != 0;
		call->more = r->state.len == 0;
		snprintf(call->account, sizeof(call->account), "romeo@%s", r->host);
	}
	return 0;
}

static inline void fake_answer(int code)
{
	for (unsigned i = 0; i < fake.call_n; i++) {
		struct ipc_result result = { .code = code, .text = "" };
		Starling__SaslReply reply = STARLING__SASL_REPLY__INIT;
		bool more = fake.calls[i].ok && fake.calls[i].more;

		reply.outcome = more               ? STARLING__SASL_OUTCOME__SASL_CONTINUE
		                : fake.calls[i].ok ? STARLING__SASL_OUTCOME__SASL_SUCCESS
		                                   : STARLING__SASL_OUTCOME__SASL_FAILURE;
		reply.account = fake.calls[i].account;
		reply.condition = (char *)(uintptr_t) "not-authorized";
		reply.state = (ProtobufCBinaryData){ more ? 1 : 0, (uint8_t *)(uintptr_t) "s" };
		reply.output = (ProtobufCBinaryData){ more ? 2 : 1, (uint8_t *)(uintptr_t)(more ? "c1" : "v") };
		fake.calls[i].done(&result, code ? NULL : &reply, fake.calls[i].ctx);
	}
	fake.call_n = 0;
}

/* --- clients ------------------------------------------------------------------------------------------------------ */

static inline void turn(void)
{
	for (int i = 0; i < 6; i++) {
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
		if (fake.call_n > 0 && !fake.away)
			fake_answer(0);
		if (!peers.holds)
			peers_answer(0);
		if (store.mode != STORE_HOLDS)
			store_answer(0);
	}
}

static inline void join(int who)
{
	struct net_addr a = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	if (fake.peers[who] >= 0)
		close(fake.peers[who]);
	fake.peers[who] = fds[1];
	mq_client_new(&fake.broker->ports[0], fds[0], &a, false);
}

static inline void say(int who, const char *packet)
{
	struct buf bytes = { 0 };

	packet_text(&bytes, packet);
	assert_int_equal(send(fake.peers[who], bytes.p + bytes.start, bytes.n - bytes.start, MSG_NOSIGNAL), bytes.n - bytes.start);
	buf_fini(&bytes);
	turn();
}

/* All that the client has been sent since the last time. */
static inline void hear(int who, const char *packets)
{
	struct buf want = { 0 };
	static char got[1 << 20];
	ssize_t n;

	packet_text(&want, packets);
	turn();
	n = recv(fake.peers[who], got, sizeof(got), 0);
	if (n < 0)
		n = 0;
	if ((size_t)n != want.n - want.start || (n > 0 && memcmp(got, want.p + want.start, (size_t)n) != 0)) {
		fprintf(stderr, "client %d got:", who);
		for (ssize_t i = 0; i < n; i++)
			fprintf(stderr, " %02X", (unsigned char)got[i]);
		fprintf(stderr, "\n");
		fail_msg("instead of: %s", packets);
	}
	buf_fini(&want);
}

/* The connection has been closed, and nothing was said that was not heard. */
static inline void gone(int who)
{
	char c;

	turn();
	assert_int_equal(recv(fake.peers[who], &c, 1, 0), 0);
}

#define CONNACK_5 "20 . 00 00 (21 0100 22 0004 27 00010000)"

/* id: one letter. */
static inline void live5(int who, const char *id)
{
	char packet[200];

	join(who);
	snprintf(packet, sizeof(packet), "10 . s'MQTT' 05 C2 0000 () s'%s' s'romeo' s'secret'", id);
	say(who, packet);
	hear(who, CONNACK_5);
}

#define PRESENT_5 "20 . 01 00 (21 0100 22 0004 27 00010000)"

/* CONNACK with more behind it. */
#define PRESENT_5G "20 (01 00 (21 0100 22 0004 27 00010000))"

/* A session that is kept for an hour. */
static inline void last5(int who, const char *id, const char *connack)
{
	char packet[200];

	join(who);
	snprintf(packet, sizeof(packet), "10 . s'MQTT' 05 C0 0000 (11 00000E10) s'%s' s'romeo' s'secret'", id);
	say(who, packet);
	hear(who, connack);
}

static inline void live3(int who, const char *id)
{
	char packet[200];

	join(who);
	snprintf(packet, sizeof(packet), "10 . s'MQTT' 04 C2 0000 s'%s' s'romeo' s'secret'", id);
	say(who, packet);
	hear(who, "20 02 00 00");
}

/* b has a session that lasts and what is published to x; a publishes. */
static inline void pair(const char *qos)
{
	char packet[100];

	last5(1, "b", CONNACK_5);
	snprintf(packet, sizeof(packet), "82 . 0001 () s'x' %s", qos);
	say(1, packet);
	snprintf(packet, sizeof(packet), "90 . 0001 () %s", qos);
	hear(1, packet);
	live5(0, "a");
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static inline int fake_begin(void)
{
	struct err e = { 0 };

	store.ended = false;
	fake.broker = mq_broker_new(NULL, &e);
	if (!fake.broker)
		return -1;
	mq_broker_run(fake.broker);
	turn();
	return 0;
}

/* As the skeleton does: what is open ends first. Of the store nothing is asked any more. */
static inline void fake_end(void)
{
	store.ended = true;
	fake_answer(STARLING__CODE__CODE_PEER_LOST);
	store_answer(STARLING__CODE__CODE_PEER_LOST);
	peers_answer(STARLING__CODE__CODE_PEER_LOST);
	mq_broker_free(&fake.broker);
	peers_answer(STARLING__CODE__CODE_PEER_LOST);
	for (int i = 0; i < CLIENTS; i++) {
		if (fake.peers[i] >= 0)
			close(fake.peers[i]);
		fake.peers[i] = -1;
	}
	for (int i = 0; i < 5; i++)
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
}

/* kill -9, and the next one. */
static inline void fake_kill(void)
{
	fake_end();
	store.mode = STORE_ANSWERS;
	assert_int_equal(fake_begin(), 0);
}

static inline struct mq_session *session_of(const char *id)
{
	return mq_names_get(&fake.broker->tenants[0].sessions, str_from(id));
}

/* Until what is tried again has been. */
static inline void later(void)
{
	uint64_t until = uv_now(&skeleton.loop) + 1200;

	while (uv_now(&skeleton.loop) < until) {
		poll(NULL, 0, 5);
		uv_run(&skeleton.loop, UV_RUN_NOWAIT);
		turn();
	}
}

static inline int fake_setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	skeleton = (struct skeleton){ .config = &fake.config, .bus = (struct ipc_bus *)&fake };
	memset(&peers, 0, sizeof(peers));
	for (int i = 0; i < CLIENTS; i++)
		fake.peers[i] = -1;
	uv_loop_init(&skeleton.loop);
	strcpy(fake.dir, "/tmp/mqtt-test-XXXXXX");
	if (!mkdtemp(fake.dir))
		return -1;
	tls_for_test_make(fake.dir, "default", EVP_sha256());
	fake.hosts[0] = (char *)(uintptr_t) "a.test";
	fake.hosts[1] = (char *)(uintptr_t) "b.test";
	skeleton.shared.hosts = (struct config_list){ fake.hosts, 2 };
	skeleton.shared.drain_ms = 1000;
	fake.config = (struct mq_config){ .tls_dir = fake.dir,
		                          .default_host = (char *)(uintptr_t) "",
		                          .websocket_path = (char *)(uintptr_t) "/mqtt",
		                          .public_address = (char *)(uintptr_t) "",
		                          .connections = 100,
		                          .connect_burst = 100,
		                          .logins = 10,
		                          .connect_bytes = 4096,
		                          .packet_bytes = 65536,
		                          .inflight = 2,
		                          .inflight_in = 256,
		                          .queue_messages = 3,
		                          .queue_bytes = 1 << 20,
		                          .output_bytes = 1 << 20,
		                          .storing_bytes = 1 << 20,
		                          .subscriptions = 4,
		                          .topic_levels = 8,
		                          .aliases_in = 4,
		                          .aliases_out = 4,
		                          .retained_messages = 10,
		                          .retained_bytes = 1 << 20,
		                          .connect_ms = 30000,
		                          .close_ms = 500,
		                          .dead_after_ms = 60000,
		                          .auth_ms = 1000 };
	return fake_begin();
}

static inline int fake_teardown(void **state)
{
	static const char *const names[] = { "default", NULL };

	(void)state;
	fake_end();
	store_fini();
	tls_for_test_remove(fake.dir, names);
	return uv_loop_close(&skeleton.loop);
}

#endif
