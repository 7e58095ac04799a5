/* SPDX-License-Identifier: Apache-2.0
 *
 * limits: what a connection may cost before and after login, its time-outs and its keepalive. */
#include "services/c2s-edge/c2s.h"

#include "services/c2s-edge/metrics.h"

#define LATE_MS    1000u
#define CROWD      1000u /* so many at once that have not logged in: it is mostly we who are slow */
#define CROWD_TIME 10u   /* times timeouts.login, in a crowd */
#define WARM_MS    5000u /* a connection that was silent for so long gives its parser's memory back */

void c2s_limits_apply(struct c2s_stream *s)
{
	const struct c2s_config *c = s->edge->config;
	bool known = !s->login || s->login->account;
	struct xml_limits limits = {
		.stanza_bytes = (size_t)(known ? c->stanza_bytes : c->login_stanza_bytes),
		.attributes = (size_t)c->attributes,
		.depth = (size_t)c->depth,
		.elements = (size_t)c->elements,
		.name_bytes = (size_t)c->name_bytes,
	};

	xml_stream_set_limits(s->xml, &limits);
	conn_set_rate(s->conn, (uint32_t)c->read_rate, (uint32_t)c->read_burst);
}

static void leave_logins(struct c2s_stream *s)
{
	if (!s->in_logins)
		return;
	ratelimit_leave(s->edge->logins, conn_peer(s->conn), s->logins_shared);
	s->in_logins = false;
	if (s->edge->logging_in-- > CROWD)
		s->edge->crowded_ms = net_now(s->edge->net);
}

bool c2s_limits_admit(struct c2s_stream *s)
{
	const struct net_addr *peer = conn_peer(s->conn);
	uint64_t now = net_now(s->edge->net);

	if (ratelimit_enter(s->edge->logins, peer, now, &s->logins_shared) != RATELIMIT_OK) {
		metric_inc(&c2s_metrics.refused_logins);
		return false;
	}
	s->in_logins = true;
	s->edge->logging_in++;
	if (s->edge->addresses && ratelimit_enter(s->edge->addresses, peer, now, &s->addresses_shared) != RATELIMIT_OK) {
		metric_inc(&c2s_metrics.refused_address);
		c2s_limits_release(s);
		return false;
	}
	s->in_addresses = s->edge->addresses != NULL;
	return true;
}

void c2s_limits_logged_in(struct c2s_stream *s)
{
	leave_logins(s);
	net_timer_set(s->edge->net, &s->timer, WARM_MS);
	s->warm = true;
}

void c2s_limits_release(struct c2s_stream *s)
{
	leave_logins(s);
	if (s->in_addresses)
		ratelimit_leave(s->edge->addresses, conn_peer(s->conn), s->addresses_shared);
	s->in_addresses = false;
}

/* --- the stream's one timer --------------------------------------------------------------------------------------- */

/* Asks for `retry` soon; the login's deadline stays in force. */
void c2s_limits_retry(struct c2s_stream *s, uint32_t in_ms, void (*retry)(struct c2s_stream *s))
{
	s->login->retry = retry;
	net_timer_set(s->edge->net, &s->timer, in_ms);
}

bool c2s_limits_waited(const struct c2s_stream *s)
{
	return net_now(s->edge->net) >= s->login->started_ms + (uint64_t)s->edge->config->bind_wait_ms;
}

void c2s_limits_read(struct c2s_stream *s)
{
	if (s->warm || s->state != C2S_BOUND)
		return;
	s->warm = true;
	net_timer_set(s->edge->net, &s->timer, WARM_MS);
}

bool c2s_limits_crowded(const struct c2s_edge *edge)
{
	uint64_t login_ms = (uint64_t)edge->config->login_ms;

	return edge->logging_in > CROWD || (edge->crowded_ms && net_now(edge->net) < edge->crowded_ms + login_ms);
}

/* Thousands take longer than one login may; all of them would be refused together, and come again. When the crowd is gone, those who are left of it have
 * the time of a login more. */
static bool in_crowd(const struct c2s_stream *s, uint64_t now)
{
	return c2s_limits_crowded(s->edge) && now < s->login->deadline_ms + (CROWD_TIME - 1) * (uint64_t)s->edge->config->login_ms;
}

static void on_login_timer(struct c2s_stream *s)
{
	void (*retry)(struct c2s_stream *) = s->login->retry;
	uint64_t now = net_now(s->edge->net);
	struct c2s_input in = { 0 };

	/* In line behind others the time is not its own. */
	if (now >= s->login->deadline_ms && list_unlinked(&s->login->waiting) && !in_crowd(s, now)) {
		c2s_stream_event(s, C2S_EV_TIMEOUT, &in);
		return;
	}
	net_timer_set(s->edge->net, &s->timer, now < s->login->deadline_ms ? s->login->deadline_ms - now : LATE_MS);
	s->login->retry = NULL;
	if (retry)
		retry(s);
}

/* RFC 6120 section 4.6.1: a space, when it has been quiet. That the client is alive shows in its machine's acknowledgement. */
static void on_idle_timer(struct c2s_stream *s)
{
	uint64_t keepalive = (uint64_t)s->edge->config->keepalive_ms;
	uint64_t quiet = net_now(s->edge->net) - conn_last_read_ms(s->conn);

	if (s->warm && quiet < WARM_MS) {
		net_timer_set(s->edge->net, &s->timer, WARM_MS);
		return;
	}
	s->warm = false;
	xml_stream_rest(s->xml);
	if (keepalive == 0)
		return;
	if (quiet < keepalive) {
		net_timer_set(s->edge->net, &s->timer, keepalive - quiet);
		return;
	}
	if (conn_queued(s->conn) == 0)
		buf_append_char(c2s_out(s), ' ');
	net_timer_set(s->edge->net, &s->timer, keepalive);
}

void c2s_limits_on_timer(struct wheel_timer *t)
{
	struct c2s_stream *s = list_entry(t, struct c2s_stream, timer);

	if (s->state == C2S_CLOSING)
		return;
	if (s->login)
		on_login_timer(s);
	else
		on_idle_timer(s);
}
