/* SPDX-License-Identifier: Apache-2.0
 *
 * open: a client and its session come together (MQTT 5.0 sections 3.1.2.4 and 3.1.4): who had it before goes; what shall last is opened in the store, and
 * CONNACK waits for that. What is not known here is nowhere: a session that does not last, and leaves no will, asks the store nothing. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS    512u
#define BROKERS_MAX 256u

/* --- the store ---------------------------------------------------------------------------------------------------- */

uint32_t mq_alive(struct mq_broker *b, uint64_t *out, uint32_t max)
{
	const Starling__Registration *all[BROKERS_MAX];
	uint32_t n = ipc_bus_instances(b->bus, "mqtt-broker", all, BROKERS_MAX), used = 0;

	if (n > BROKERS_MAX)
		n = BROKERS_MAX;
	for (uint32_t i = 0; i < n && used < max; i++) {
		if (all[i]->instance != ipc_bus_instance(b->bus))
			out[used++] = all[i]->instance;
	}
	return used;
}

/* Who begins anew asks for no filters that anybody could miss. */
static void count_opening(struct mq_lasting *l)
{
	l->broker->several->opening += !l->counted;
	l->counted = true;
}

void mq_open_over(struct mq_lasting *l)
{
	if (!l->counted)
		return;
	l->counted = false;
	l->broker->several->opening--;
	mq_adopt_look(l->broker);
}

/* Nobody waits for it any more. If the store has given it to us, or somebody has let it go for us, it is taken all the same. */
static void abandon(struct mq_session *s)
{
	char *name = mq_wire_name(s->tenant, s->id);

	if (s->lasting->doubt || s->lasting->known)
		mq_adopt_name(s->lasting->broker, name);
	mem_free(name);
	mq_session_end(s);
}

/* What whoever had it before left. Who is back before its delay is over left nothing; of a session that is over it is due. */
static void former_will(struct mq_session *s, bool present, uint32_t delay_s)
{
	struct mq_will *will = s->will;

	s->will = NULL;
	if (will && (!present || delay_s == 0))
		mq_will_send(s, &will, NULL);
	mq_will_free(&will);
}

/* When the answer to an earlier call was lost: what there is may be of that call, which nobody was told of. */
static bool is_present(const struct mq_session *s, const Starling__MqttOpenReply *reply)
{
	const Starling__MqttSession *row = reply->session;

	return reply->present && !(s->lasting->doubt && row->n_subscriptions == 0 && row->queued == 0 && row->n_received == 0);
}

/* The session is there; for whom it was asked may be gone, or have been followed by another one. */
static void opened(struct mq_session *s, const Starling__MqttOpenReply *reply)
{
	struct mq_lasting *l = s->lasting;
	struct mq_client *c = l->opener;
	uint32_t expiry_s = l->expiry_s;
	bool present = is_present(s, reply);

	mq_lasting_load(s, reply->session);
	former_will(s, present, l->will_delay_s);
	l->expiry_s = expiry_s;
	s->lasts = present || expiry_s > 0;
	l->opener = NULL;
	l->broker->several->epoch++;
	mq_settle_name(s);
	mq_open_over(l);
	mq_claimed_look(l->broker);
	if (c)
		c->login->opening = NULL;
	if (c && c->number == l->asked_for) {
		l->will_delay_s = c->login->will_delay;
		l->will_due_us = l->disconnected_us = 0;
		if (present && c->login->sent.told) {
			l->sent = c->login->sent.perhaps;
			l->sent_known = c->login->sent.certainly;
		}
		mq_connect_done(c, s, present);
		return;
	}
	/* Nobody was told of what was asked for, so none of it was. */
	l->disconnected_us = clock_wall_us();
	if (!present)
		l->expiry_s = 0;
	if (c) {
		mq_connect_accept(c);
	} else {
		mq_lasting_save(s);
		mq_lasting_wait(s);
	}
}

static void refused(struct mq_session *s, const struct ipc_result *result)
{
	struct mq_lasting *l = s->lasting;
	struct mq_client *c = l->opener;

	l->doubt |= mq_wire_doubtful(result->code);
	if (c && (result->code == STARLING__CODE__CODE_EXISTS || (l->doubt && mq_wire_passing(result->code)))) {
		/* Its broker has died and is not known to have, or has adopted it just now. Or nobody knows whether it was opened. */
		l->exists = result->code == STARLING__CODE__CODE_EXISTS;
		if (l->exists)
			mq_open_over(l);
		net_timer_set(l->broker->net, &l->retry, RETRY_MS);
		return;
	}
	l->opener = NULL;
	if (c)
		c->login->opening = NULL;
	if (c && c->login->session_expiry == 0 && result->code != STARLING__CODE__CODE_DENIED) {
		/* It was for the will alone, which then goes when the broker does. */
		metric_inc(&mq_metrics.store_failed);
		mq_lasting_free(&s->lasting);
		mq_connect_done(c, s, false);
		return;
	}
	abandon(s);
	if (!c)
		return;
	if (result->code == STARLING__CODE__CODE_DENIED) {
		mq_connect_refuse(c, MQTT_CLIENT_ID_INVALID, "another user has this client identifier");
		return;
	}
	metric_inc(&mq_metrics.store_failed);
	log_info(mq_log(c), "the session was not opened: %s %s", ipc_code_name(result->code), result->text);
	mq_connect_refuse(c, MQTT_SERVER_UNAVAILABLE, "sessions cannot be stored now, try again later");
}

static void on_open(const struct ipc_result *result, const Starling__MqttOpenReply *reply, void *ctx)
{
	struct mq_session *s = ctx;

	if (!s->ended) {
		if (ipc_ok(result) && reply->session && reply->session->fence)
			opened(s, reply);
		else
			refused(s, result);
	}
	mq_session_unref(&s);
}

static void fill_will(Starling__MqttSession *row, struct mq_wire *wire, const struct mq_client *c)
{
	const struct mq_will *will = c->login->will;

	mq_wire_init(wire, c->tenant, will->message, will->qos, will->retain, true);
	if (will->expires)
		wire->message.expires_us = wire->message.time_us + will->expiry_s * INT64_C(1000000);
	row->will = &wire->message;
	row->will_delay_s = c->login->will_delay;
}

void mq_open_call(struct mq_session *s)
{
	Starling__MqttOpenRequest request = STARLING__MQTT_OPEN_REQUEST__INIT;
	Starling__MqttSession row = STARLING__MQTT_SESSION__INIT;
	struct mq_lasting *l = s->lasting;
	struct mq_client *c = l->opener;
	struct ipc_opts opts = mq_wire_opts(l->broker);
	uint64_t alive[BROKERS_MAX];
	struct mq_wire wire = { 0 };

	if (!c) {
		abandon(s);
		return;
	}
	if (l->exists) {
		l->opener = NULL;
		c->login->opening = NULL;
		mq_session_end(s);
		mq_connect_accept(c);
		return;
	}
	if (!c->login->clean)
		count_opening(l);
	l->asked_for = c->number;
	l->expiry_s = c->login->session_expiry;
	row.name = mq_wire_name(s->tenant, s->id);
	row.user = s->user ? s->user : (char *)(uintptr_t) "";
	row.version = c->peer.version;
	row.expiry_s = c->login->session_expiry;
	if (c->login->will)
		fill_will(&row, &wire, c);
	request.session = &row;
	request.clean = c->login->clean;
	request.instance = ipc_bus_instance(l->broker->bus);
	request.alive = alive;
	request.n_alive = mq_alive(l->broker, alive, BROKERS_MAX);
	call_storage_mqtt_open(l->broker->bus, ipc_any("storage"), &opts, &request, on_open, mq_session_ref(s));
	mq_wire_fini(&wire);
	mem_free(row.name);
}

/* --- the client --------------------------------------------------------------------------------------------------- */

static void wait_for(struct mq_client *c, struct mq_session *s)
{
	s->lasting->opener = c;
	c->login->opening = s;
	if (c->state != MQ_LOGIN)
		mq_client_set_state(c, MQ_LOGIN);
}

/* It was without a client, and has this one now: what is changed about it is stored first. */
static void come_back(struct mq_client *c, struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;

	net_timer_cancel(l->broker->net, &l->due);
	/* Section 3.1.3.2.2: who is back before the delay is over left nothing. */
	mq_will_free(&s->will);
	s->will = c->login->will;
	c->login->will = NULL;
	l->will_due_us = 0;
	l->will_delay_s = c->login->will_delay;
	l->expiry_s = c->login->session_expiry;
	l->disconnected_us = 0;
	mq_lasting_save(s);
}

void mq_open_saved(struct mq_session *s)
{
	struct mq_client *c = s->lasting->opener;

	s->lasting->opener = NULL;
	c->login->opening = NULL;
	mq_connect_done(c, s, true);
}

void mq_open_abandon(struct mq_client *c)
{
	struct mq_session *s = c->login ? c->login->opening : NULL;
	struct mq_lasting *l;

	if (c->more)
		list_remove(&c->more->held);
	mq_claim_abandon(c);
	if (!s)
		return;
	c->login->opening = NULL;
	l = s->lasting;
	l->opener = NULL;
	if (l->state != MQ_LASTING_READY || l->broker->stopped)
		return;
	/* It did not come back after all. */
	mq_will_free(&s->will);
	l->disconnected_us = clock_wall_us();
	mq_lasting_save(s);
	mq_lasting_wait(s);
}

/* [MQTT-3.1.4-3]: whoever has the session, or is about to. */
static void end_others(struct mq_session *s)
{
	struct mq_client *had = s->client, *waits = s->lasting ? s->lasting->opener : NULL;

	if (had)
		mq_client_end(had, MQTT_SESSION_TAKEN_OVER, "");
	if (waits)
		mq_client_end(waits, MQTT_SESSION_TAKEN_OVER, "");
}

void mq_open(struct mq_client *c, bool stored)
{
	struct mq_session *s = mq_names_get(&c->tenant->sessions, c->login->id);

	if (s) {
		end_others(s);
		s = mq_names_get(&c->tenant->sessions, c->login->id);
	}
	if (s) {
		wait_for(c, s);
		/* Otherwise it is being opened or closed, and what then is seen when that is over. */
		if (s->lasting->state == MQ_LASTING_READY && c->login->clean)
			mq_lasting_close(s);
		else if (s->lasting->state == MQ_LASTING_READY)
			come_back(c, s);
		return;
	}
	s = mq_session_new(c->tenant, c->login->id, c->login->user);
	if (!stored && c->login->session_expiry == 0 && !(c->login->will && c->broker->config->wills_stored)) {
		mq_connect_done(c, s, false);
		return;
	}
	mq_lasting_new(s)->known = stored;
	wait_for(c, s);
	mq_open_call(s);
}
