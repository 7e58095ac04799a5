/* SPDX-License-Identifier: Apache-2.0
 *
 * drain: the end of this instance (SIGTERM): no new connections, streams ended with system-shutdown, spread over the time there is so that
 * the clients do not all come back to the others at once; then the owners' confirmations. */
#include "services/c2s-edge/sm.h"

#define TICK_MS   WHEEL_TICK_MS
#define BATCH_MIN 50u /* a small edge is done quickly */

#define EDGES_MAX 256u

/* Another edge that takes clients and says where, by turns; NULL: none. */
static const char *elsewhere(struct c2s_edge *edge)
{
	const Starling__Registration *all[EDGES_MAX];
	uint32_t n = ipc_bus_instances(edge->bus, "c2s-edge", all, EDGES_MAX), usable = 0;

	if (n > EDGES_MAX)
		n = EDGES_MAX;
	for (uint32_t i = 0; i < n; i++) {
		const Starling__Registration *r = all[i];

		if (r->state == STARLING__INSTANCE_STATE__INSTANCE_READY && r->public_address[0] &&
		    r->instance != ipc_bus_instance(edge->bus))
			all[usable++] = r;
	}
	return usable ? all[edge->elsewhere++ % usable]->public_address : NULL;
}

/* Who may resume does it elsewhere (RFC 6120 section 4.9.3.19). */
static void send_off(struct c2s_stream *s)
{
	const struct c2s_sm *sm = s->session ? s->session->sm : NULL;
	const char *where = sm && sm->enabled && sm->resume_s ? elsewhere(s->edge) : NULL;
	struct buf inside = { 0 };

	if (where) {
		xml_escape(&inside, str_from(where));
		buf_append(&inside, "", 1);
		c2s_end_with(s, "see-other-host", inside.p, "", "");
	} else {
		c2s_end(s, "system-shutdown", "");
	}
	buf_fini(&inside);
}

static void end_some(struct c2s_edge *edge, uint32_t count)
{
	list_for_each_safe (n, &edge->streams) {
		struct c2s_stream *s = list_entry(n, struct c2s_stream, node);

		if (s->state == C2S_CLOSING)
			continue;
		if (count-- == 0)
			return;
		send_off(s);
	}
}

static void on_tick(struct wheel_timer *t)
{
	struct c2s_edge *edge = list_entry(t, struct c2s_edge, drain_timer);
	uint64_t now = net_now(edge->net);
	uint64_t ticks = edge->drain_until_ms > now ? (edge->drain_until_ms - now) / TICK_MS : 0;
	uint32_t share = ticks ? (uint32_t)(edge->stream_count / ticks) : edge->stream_count;

	end_some(edge, share > BATCH_MIN ? share : BATCH_MIN);
	net_timer_set(edge->net, t, TICK_MS);
	c2s_drain_check(edge);
}

void c2s_drain(struct c2s_edge *edge)
{
	if (edge->draining)
		return;
	edge->draining = true;
	for (uint32_t i = 0; i < edge->listener_count; i++)
		listener_free(&edge->listeners[i]);
	edge->listener_count = 0;
	/* Half the time for the streams, half for what they leave behind. */
	edge->drain_until_ms = net_now(edge->net) + (uint64_t)daemon_shared(edge->daemon)->drain_ms / 2;
	log_info(edge->log, "draining connections=%u", edge->stream_count);
	wheel_timer_init(&edge->drain_timer, on_tick);
	net_timer_set(edge->net, &edge->drain_timer, 0);
	c2s_drain_check(edge);
}

void c2s_drain_check(struct c2s_edge *edge)
{
	if (!edge->draining || edge->stopped || edge->stream_count > 0 || edge->sessions.count > 0)
		return;
	net_timer_cancel(edge->net, &edge->drain_timer);
	daemon_drained(edge->daemon);
}
