/* SPDX-License-Identifier: Apache-2.0
 *
 * away: a lasting session without a client: what the store is told of it, its will's delay (MQTT 5.0 section 3.1.3.2.2) and its expiry (section 3.1.2.11.2).
 * Times are those of the wall clock: they go on while no broker is there. */
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/mqtt-broker/lasting.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/several.h"
#include "services/mqtt-broker/wire.h"

#define RETRY_MS  512u
#define SECOND_US INT64_C(1000000)
#define DAY_MS    UINT64_C(86400000)

/* --- what the store is told --------------------------------------------------------------------------------------- */

static void on_saved(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct mq_session *s = ctx;
	struct mq_lasting *l = s->lasting;

	(void)reply;
	if (s->ended) {
		mq_session_unref(&s);
		return;
	}
	l->saving = false;
	if (l->state == MQ_LASTING_CLOSING) {
		/* What it says now, MqttClose does. */
	} else if (result->code == STARLING__CODE__CODE_FENCED || result->code == STARLING__CODE__CODE_NOT_FOUND) {
		mq_lasting_lost(s);
	} else if (!ipc_ok(result)) {
		metric_inc(&mq_metrics.store_failed);
		l->unsaved = true;
		net_timer_set(l->broker->net, &l->retry, RETRY_MS);
		if (l->opener)
			mq_connect_refuse(l->opener, MQTT_SERVER_UNAVAILABLE, "sessions cannot be stored now, try again later");
	} else if (l->dirty) {
		mq_lasting_save(s);
	} else if (l->opener) {
		mq_open_saved(s);
	}
	mq_session_unref(&s);
}

/* How long the will's message lives is counted from its publication on. */
static void fill_will(Starling__MqttSessionSetRequest *request, struct mq_wire *wire, struct mq_session *s)
{
	mq_wire_init(wire, s->tenant, s->will->message, s->will->qos, s->will->retain, true);
	if (s->will->expires)
		wire->message.expires_us = wire->message.time_us + s->will->expiry_s * SECOND_US;
	request->will = &wire->message;
}

void mq_lasting_save(struct mq_session *s)
{
	Starling__MqttSessionSetRequest request = STARLING__MQTT_SESSION_SET_REQUEST__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;
	struct mq_lasting *l = s->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);
	struct mq_wire wire = { 0 };

	if (l->state != MQ_LASTING_READY)
		return;
	l->dirty = l->saving;
	if (l->saving)
		return;
	l->saving = true;
	l->unsaved = false;
	fence.session = l->fence.session;
	fence.epoch = l->fence.epoch;
	request.fence = &fence;
	request.expiry_s = l->expiry_s;
	request.disconnected_us = l->disconnected_us;
	request.will_delay_s = l->will_delay_s;
	request.will_due_us = l->will_due_us;
	if (s->will)
		fill_will(&request, &wire, s);
	call_storage_mqtt_session_set(l->broker->bus, ipc_any("storage"), &opts, &request, on_saved, mq_session_ref(s));
	mq_wire_fini(&wire);
}

/* --- the will ----------------------------------------------------------------------------------------------------- */

static void on_will_sent(void *ctx, enum mqtt_reason reason)
{
	struct mq_session *s = ctx;

	(void)reason;
	if (!s->ended && !s->tenant->broker->stopped)
		mq_lasting_save(s);
	mq_session_unref(&s);
}

/* The row has it until it is where it must be: whoever finds it there publishes it, once more rather than never. */
static void send_will(struct mq_session *s)
{
	struct mq_will *will = s->will;
	struct mq_wait *wait = mq_wait_new(on_will_sent, mq_session_ref(s));

	s->will = NULL;
	s->lasting->will_due_us = 0;
	mq_will_send(s, &will, wait);
	mq_wait_close(wait, MQTT_SUCCESS);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* When it ends; INT64_MAX: never. */
static int64_t end_us(const struct mq_lasting *l)
{
	return l->expiry_s == UINT32_MAX ? INT64_MAX : l->disconnected_us + l->expiry_s * SECOND_US;
}

void mq_lasting_wait(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;
	int64_t next = end_us(l), now = clock_wall_us();
	uint64_t in_ms;

	net_timer_cancel(l->broker->net, &l->due);
	if (s->client || l->opener || l->state != MQ_LASTING_READY)
		return;
	if (l->will_due_us && l->will_due_us < next)
		next = l->will_due_us;
	if (next == INT64_MAX)
		return;
	in_ms = next > now ? (uint64_t)(next - now) / 1000 + 1 : 0;
	/* Looked at once a day: clocks are set. */
	net_timer_set(l->broker->net, &l->due, in_ms < DAY_MS ? in_ms : DAY_MS);
}

void mq_away_on_due(struct wheel_timer *t)
{
	struct mq_lasting *l = list_entry(t, struct mq_lasting, due);
	struct mq_session *s = mq_session_ref(l->session);
	int64_t now = clock_wall_us();

	if (now >= end_us(l)) {
		metric_inc(&mq_metrics.expired);
		mq_lasting_close(s);
	} else if (s->will && l->will_due_us && now >= l->will_due_us) {
		send_will(s);
		mq_lasting_wait(s);
	} else {
		mq_lasting_wait(s);
	}
	mq_session_unref(&s);
}

void mq_lasting_leave(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;
	/* [MQTT-3.1.3-9]: no later than the session's end. */
	uint32_t delay = l->will_delay_s < l->expiry_s ? l->will_delay_s : l->expiry_s;

	l->disconnected_us = clock_wall_us();
	if (l->expiry_s == 0) {
		mq_lasting_close(s);
		return;
	}
	l->will_due_us = s->will ? l->disconnected_us + delay * SECOND_US : 0;
	if (s->will && delay == 0)
		send_will(s);
	else
		mq_lasting_save(s);
	mq_lasting_wait(s);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void on_closed(const struct ipc_result *result, const Starling__Empty *reply, void *ctx)
{
	struct mq_session *s = ctx;

	(void)reply;
	if (!s->ended && mq_wire_passing(result->code)) {
		metric_inc(&mq_metrics.store_failed);
		net_timer_set(s->lasting->broker->net, &s->lasting->retry, RETRY_MS);
	} else if (!s->ended) {
		struct mq_client *opener = s->lasting->opener;

		if (!ipc_ok(result) && result->code != STARLING__CODE__CODE_FENCED && result->code != STARLING__CODE__CODE_NOT_FOUND)
			log_error(s->tenant->broker->log, "the store does not end a session: %s %s", ipc_code_name(result->code),
			          result->text);
		mq_session_end(s);
		if (opener) {
			opener->login->opening = NULL;
			mq_connect_accept(opener);
		}
	}
	mq_session_unref(&s);
}

void mq_lasting_close_call(struct mq_session *s)
{
	Starling__MqttCloseRequest request = STARLING__MQTT_CLOSE_REQUEST__INIT;
	Starling__MqttFence fence = STARLING__MQTT_FENCE__INIT;
	struct mq_lasting *l = s->lasting;
	struct ipc_opts opts = mq_wire_opts(l->broker);

	fence.session = l->fence.session;
	fence.epoch = l->fence.epoch;
	request.fence = &fence;
	request.remove = true;
	call_storage_mqtt_close(l->broker->bus, ipc_any("storage"), &opts, &request, on_closed, mq_session_ref(s));
}

static void on_last_will_sent(void *ctx, enum mqtt_reason reason)
{
	struct mq_session *s = ctx;

	(void)reason;
	if (!s->ended && !s->tenant->broker->stopped)
		mq_lasting_close_call(s);
	mq_session_unref(&s);
}

/* From here on it gets nothing any more. Its will is where it must be before its row goes. */
void mq_lasting_close(struct mq_session *s)
{
	struct mq_lasting *l = s->lasting;
	struct mq_will *will = s->will;

	if (l->state != MQ_LASTING_READY)
		return;
	l->state = MQ_LASTING_CLOSING;
	net_timer_cancel(l->broker->net, &l->due);
	net_timer_cancel(l->broker->net, &l->retry);
	mq_subs_remove_all(s);
	s->will = NULL;
	if (will) {
		struct mq_wait *wait = mq_wait_new(on_last_will_sent, mq_session_ref(s));

		mq_will_send(s, &will, wait);
		mq_wait_close(wait, MQTT_SUCCESS);
	} else {
		mq_lasting_close_call(s);
	}
}
