/* SPDX-License-Identifier: Apache-2.0 */
#include "services/c2s-edge/c2s.h"

#include "services/c2s-edge/metrics.h"

static void drain(struct c2s_gate *g);

static void on_timer(struct wheel_timer *t)
{
	drain(list_entry(t, struct c2s_gate, timer));
}

static void on_turn(struct net_task *t)
{
	struct c2s_gate *g = list_entry(t, struct c2s_gate, turn);

	g->inside = 0;
	drain(g);
}

void c2s_gate_init(struct c2s_gate *g, struct c2s_edge *edge, uint32_t max)
{
	*g = (struct c2s_gate){ .edge = edge, .max = max };
	list_init(&g->waiting);
	wheel_timer_init(&g->timer, on_timer);
	net_task_init(&g->turn, on_turn);
}

void c2s_gate_init_turns(struct c2s_gate *g, struct c2s_edge *edge, uint32_t max)
{
	c2s_gate_init(g, edge, max);
	g->by_turns = true;
}

void c2s_gate_fini(struct c2s_gate *g)
{
	net_timer_cancel(g->edge->net, &g->timer);
	net_task_cancel(&g->turn);
}

/* A second's worth may pass at once. */
void c2s_gate_set_rate(struct c2s_gate *g, uint32_t rate)
{
	g->rate = rate;
	g->tokens = rate;
	g->filled_ms = net_now(g->edge->net);
	drain(g);
}

static void fill(struct c2s_gate *g)
{
	uint64_t now = net_now(g->edge->net);

	g->tokens += (double)(now - g->filled_ms) * g->rate / 1000;
	if (g->tokens > g->rate)
		g->tokens = g->rate;
	g->filled_ms = now;
}

static bool is_open(const struct c2s_gate *g)
{
	return g->inside < g->max && (g->rate == 0 || g->tokens >= 1);
}

static void pass(struct c2s_gate *g, struct c2s_stream *s, void (*go)(struct c2s_stream *s))
{
	g->inside++;
	if (g->by_turns)
		net_defer(g->edge->net, &g->turn);
	if (g->rate)
		g->tokens--;
	go(s);
}

static void drain(struct c2s_gate *g)
{
	/* At the daemon's end a call is over before it returns: this would call itself for each that waits. */
	if (g->busy)
		return;
	g->busy = true;
	if (g->rate)
		fill(g);
	while (is_open(g) && !list_empty(&g->waiting)) {
		struct c2s_login *l = list_entry(g->waiting.next, struct c2s_login, waiting);
		uint64_t waited = net_now(g->edge->net) - l->waiting_ms;

		list_remove(&l->waiting);
		metric_add(&c2s_metrics.waiting, -1);
		l->started_ms += waited;
		l->deadline_ms += waited;
		pass(g, l->stream, l->go);
	}
	g->busy = false;
	if (g->rate && g->inside < g->max && !list_empty(&g->waiting))
		net_timer_set(g->edge->net, &g->timer, WHEEL_TICK_MS);
}

void c2s_gate_enter(struct c2s_gate *g, struct c2s_stream *s, void (*go)(struct c2s_stream *s))
{
	struct c2s_login *l = s->login;

	if (g->rate)
		fill(g);
	if (is_open(g) && list_empty(&g->waiting)) {
		pass(g, s, go);
		return;
	}
	l->go = go;
	l->stream = s;
	l->waiting_ms = net_now(g->edge->net);
	list_push_back(&g->waiting, &l->waiting);
	metric_inc(&c2s_metrics.waiting);
	drain(g);
}

void c2s_gate_abandon(struct c2s_stream *s)
{
	if (!s->login || list_unlinked(&s->login->waiting))
		return;
	list_remove(&s->login->waiting);
	metric_add(&c2s_metrics.waiting, -1);
}

void c2s_gate_leave(struct c2s_gate *g)
{
	g->inside--;
	drain(g);
}
