/* SPDX-License-Identifier: Apache-2.0
 *
 * admin: what operators see and do (ipc/proto/mqttadmin.proto). */
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "ipc/gen/mqttadmin.server.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/rights.h"

#define LIMIT_MAX 10000u

static int64_t wall_s(void)
{
	return clock_wall_us() / 1000000;
}

static struct mq_whom whom_of(const Starling__MqttWhom *whom)
{
	return whom ? (struct mq_whom){ whom->client, whom->user, whom->address } : (struct mq_whom){ 0 };
}

/* --- bans --------------------------------------------------------------------------------------------------------- */

/* False: there is no folder for it. */
static bool path_of(struct mq_broker *b, char *out, size_t n)
{
	const char *dir = daemon_shared(b->daemon)->state_dir;

	return dir && dir[0] && snprintf(out, n, "%s/mqtt-bans", dir) < (int)n;
}

int mq_bans_begin(struct mq_broker *b, struct err *e)
{
	char path[4096];

	return path_of(b, path, sizeof(path)) ? mq_bans_load(&b->bans, path, e) : 0;
}

static bool keep(struct mq_broker *b)
{
	char path[4096];
	struct err e;

	if (!path_of(b, path, sizeof(path)))
		return false;
	mq_bans_expire(&b->bans, wall_s());
	if (mq_bans_save(&b->bans, path, &e) == 0)
		return true;
	log_warn(b->log, "bans are in force until the next start, since they cannot be kept: %s", e.text);
	return false;
}

bool mq_banned(struct mq_client *c)
{
	if (!mq_bans_has(&c->broker->bans, mq_client_id(c), mq_client_user(c), conn_peer(c->conn), wall_s()))
		return false;
	mq_connect_refuse(c, MQTT_BANNED, "");
	return true;
}

/* In DISCONNECT there is no "banned" (section 3.14.2.1). */
static uint32_t end_all(struct mq_broker *b, const struct mq_ban *whom)
{
	uint32_t count = 0;

	list_for_each_safe (n, &b->clients) {
		struct mq_client *c = list_entry(n, struct mq_client, node);

		if (c->state == MQ_CLOSING || !c->tenant || !mq_whom_fits(whom, mq_client_id(c), mq_client_user(c), conn_peer(c->conn)))
			continue;
		count++;
		mq_client_end(c, c->state == MQ_LIVE ? MQTT_ADMINISTRATIVE_ACTION : MQTT_BANNED, "ended by the operator");
	}
	return count;
}

void on_mqttadmin_kick(struct ipc_call *call, const Starling__MqttKickRequest *request)
{
	Starling__MqttKickReply reply = STARLING__MQTT_KICK_REPLY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct mq_whom whom = whom_of(request->whom);
	struct mq_ban parsed;
	struct err e;

	if (mq_whom_parse(&whom, &parsed, &e) < 0) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "%s", e.text);
		return;
	}
	reply.kicked = end_all(b, &parsed);
	reply_mqttadmin_kick(call, &reply);
}

void on_mqttadmin_ban(struct ipc_call *call, const Starling__MqttBanRequest *request)
{
	Starling__MqttBanReply reply = STARLING__MQTT_BAN_REPLY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct mq_whom whom = whom_of(request->whom);
	uint64_t seconds = request->for_ms / 1000 + (request->for_ms % 1000 > 0);
	struct mq_ban parsed;
	struct err e;

	mq_bans_expire(&b->bans, wall_s());
	if (mq_whom_parse(&whom, &parsed, &e) < 0 || seconds > UINT32_MAX) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "%s", seconds > UINT32_MAX ? "too long" : e.text);
	} else if (mq_bans_add(&b->bans, &whom, seconds ? wall_s() + (int64_t)seconds : 0, &e) < 0) {
		ipc_fail(call, STARLING__CODE__CODE_LIMIT, "%s", e.text);
	} else {
		reply.kept = keep(b);
		reply.kicked = end_all(b, &parsed);
		reply_mqttadmin_ban(call, &reply);
	}
}

void on_mqttadmin_unban(struct ipc_call *call, const Starling__MqttKickRequest *request)
{
	Starling__MqttUnbanReply reply = STARLING__MQTT_UNBAN_REPLY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct mq_whom whom = whom_of(request->whom);

	mq_bans_expire(&b->bans, wall_s());
	if (!mq_bans_remove(&b->bans, &whom)) {
		ipc_fail(call, STARLING__CODE__CODE_NOT_FOUND, "no such ban");
		return;
	}
	reply.kept = keep(b);
	reply_mqttadmin_unban(call, &reply);
}

static char *copy(struct arena *a, const char *s)
{
	return arena_strndup(a, s ? s : "", s ? strlen(s) : 0);
}

void on_mqttadmin_bans(struct ipc_call *call, const Starling__MqttBansRequest *request)
{
	Starling__MqttBansReply reply = STARLING__MQTT_BANS_REPLY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct arena *a = arena_new(0);

	(void)request;
	mq_bans_expire(&b->bans, wall_s());
	reply.bans = arena_alloc(a, (b->bans.count + 1) * sizeof(*reply.bans));
	list_for_each (n, &b->bans.list) {
		const struct mq_ban *ban = list_entry(n, struct mq_ban, node);
		Starling__MqttBan *out = arena_alloc(a, sizeof(*out));

		starling__mqtt_ban__init(out);
		out->whom = arena_alloc(a, sizeof(*out->whom));
		starling__mqtt_whom__init(out->whom);
		out->whom->client = copy(a, ban->client);
		out->whom->user = copy(a, ban->user);
		out->whom->address = copy(a, ban->address);
		out->left_ms = ban->until_s ? (uint64_t)(ban->until_s - wall_s()) * 1000 : 0;
		reply.bans[reply.n_bans++] = out;
	}
	reply_mqttadmin_bans(call, &reply);
	arena_free(&a);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static uint32_t limit_of(const Starling__MqttListRequest *r)
{
	return r->limit < LIMIT_MAX ? r->limit : LIMIT_MAX;
}

static bool is_asked_for(const Starling__MqttListRequest *r, const char *user)
{
	return !r->user[0] || (user && strcmp(user, r->user) == 0);
}

static uint64_t queued(const struct mq_session *s)
{
	return s->lasts ? s->lasting->queued : mq_queue_count(&s->queue);
}

static Starling__MqttClientInfo *describe(struct arena *a, const struct mq_client *c)
{
	static const char *const transports[] = { "tcp", "tls", "ws", "wss" };
	const struct mq_port *port = mq_client_port(c);
	const struct mq_session *s = c->session;
	Starling__MqttClientInfo *out = arena_alloc(a, sizeof(*out));
	char address[NET_ADDR_TEXT_MAX];

	starling__mqtt_client_info__init(out);
	out->client = copy(a, s->id.p);
	out->user = copy(a, s->user);
	out->host = copy(a, c->tenant->name.p);
	out->address = copy(a, net_addr_text(conn_peer(c->conn), address));
	out->transport = (char *)(uintptr_t)transports[(port->websocket ? 2 : 0) + (port->tls ? 1 : 0)];
	out->version = c->peer.version;
	out->since_ms = net_now(c->broker->net) - c->since_s * 1000ull;
	out->inflight = mq_inflight_count(&s->inflight);
	out->queued = queued(s);
	out->bytes = conn_queued(c->conn) + mq_queue_bytes(&s->queue) + (c->more ? c->more->in.cap : 0);
	out->subscriptions = s->subscriber.count;
	return out;
}

void on_mqttadmin_list(struct ipc_call *call, const Starling__MqttListRequest *request)
{
	Starling__MqttListReply reply = STARLING__MQTT_LIST_REPLY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct arena *a = arena_new(65536);
	uint32_t limit = limit_of(request);

	reply.clients = arena_alloc(a, (limit + 1) * sizeof(*reply.clients));
	list_for_each (n, &b->clients) {
		const struct mq_client *c = list_entry(n, struct mq_client, node);

		if (c->state == MQ_LIVE && c->session && is_asked_for(request, c->session->user) && reply.n_clients < limit)
			reply.clients[reply.n_clients++] = describe(a, c);
	}
	reply_mqttadmin_list(call, &reply);
	arena_free(&a);
}

static Starling__MqttSessionInfo *describe_session(struct arena *a, const struct mq_session *s)
{
	Starling__MqttSessionInfo *out = arena_alloc(a, sizeof(*out));

	starling__mqtt_session_info__init(out);
	out->client = copy(a, s->id.p);
	out->user = copy(a, s->user);
	out->host = copy(a, s->tenant->name.p);
	out->connected = s->client != NULL;
	out->lasts = s->lasts;
	out->subscriptions = s->subscriber.count;
	out->queued = queued(s);
	return out;
}

void on_mqttadmin_sessions(struct ipc_call *call, const Starling__MqttListRequest *request)
{
	Starling__MqttSessionsReply reply = STARLING__MQTT_SESSIONS_REPLY__INIT;
	struct mq_broker *b = ipc_call_daemon(call);
	struct arena *a = arena_new(65536);
	uint32_t limit = limit_of(request);

	reply.sessions = arena_alloc(a, (limit + 1) * sizeof(*reply.sessions));
	for (uint32_t t = 0; t < b->tenant_count; t++) {
		const struct mq_names *names = &b->tenants[t].sessions;

		for (uint32_t i = 0; i < names->cap && reply.n_sessions < limit; i++) {
			const struct mq_session *s = names->entries[i].value;

			if (s && is_asked_for(request, s->user))
				reply.sessions[reply.n_sessions++] = describe_session(a, s);
		}
	}
	reply_mqttadmin_sessions(call, &reply);
	arena_free(&a);
}
