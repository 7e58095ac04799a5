/* SPDX-License-Identifier: Apache-2.0
 *
 * client_io: from the connection's bytes to packets, where they lie; only a packet that is not all there is copied. And the connection's end. */
#include "common/base/mem.h"
#include "services/mqtt-broker/flapping.h"
#include "services/mqtt-broker/metrics.h"
#include "services/mqtt-broker/mq.h"

static size_t packet_max(const struct mq_client *c)
{
	const struct mq_config *cfg = c->broker->config;

	return (size_t)(c->state == MQ_LIVE ? cfg->packet_bytes : cfg->connect_bytes);
}

/* Before CONNACK a refusal is one; later it is DISCONNECT. */
static void refuse(struct mq_client *c, const struct mqtt_error *e)
{
	metric_inc(&mq_metrics.bad_packets);
	log_info(mq_log(c), "refused: %s", e->why);
	mq_client_end(c, (enum mqtt_reason)e->reason, e->why);
}

static void handle(struct mq_client *c, const struct mqtt_frame *f)
{
	struct mqtt_error e = { 0 };

	metric_inc(&mq_metrics.packets_in);
	c->last_packet_ms = net_now(c->broker->net);
	if (!mq_client_table[c->state][f->type](c, f, &e) && c->state != MQ_CLOSING)
		refuse(c, &e);
	if (c->quota)
		mq_client_count_bytes(c, f->size);
}

static bool stopped(const struct mq_client *c)
{
	return c->state == MQ_CLOSING || c->holds;
}

/* Packets at the front of the bytes. How many bytes they had; *whole is false when the last one is not all there (its size is then frame.size, or 0). */
static size_t packets(struct mq_client *c, const char *p, size_t n, struct mqtt_frame *frame, bool *whole)
{
	size_t used = 0;

	*whole = true;
	while (used < n && !stopped(c)) {
		switch (mqtt_frame_next(c->peer.version, p + used, n - used, packet_max(c), frame)) {
		case MQTT_FRAME_WHOLE:
			used += frame->size;
			handle(c, frame);
			break;
		case MQTT_FRAME_MORE:
			*whole = false;
			return used;
		default:
			refuse(c, &frame->error);
			return used;
		}
	}
	return used;
}

/* The rest of a packet that began in an earlier read: no more than it needs, so that what follows is read where it lies. */
static size_t complete(struct mq_client *c, const char *p, size_t n)
{
	struct buf *in = c->more ? &c->more->in : NULL;
	size_t used = 0;

	while (in && used < n && in->n > in->start && !stopped(c)) {
		struct mqtt_frame frame = { 0 };
		struct str had = buf_str(in);
		size_t want, before = had.n;
		bool whole;

		mqtt_frame_next(c->peer.version, had.p, had.n, packet_max(c), &frame);
		want = frame.size > had.n ? frame.size - had.n : 1;
		if (want > n - used)
			want = n - used;
		buf_append(in, p + used, want);
		used += want;
		had = buf_str(in);
		if (packets(c, had.p, had.n, &frame, &whole) > 0 || before == had.n) {
			buf_clear(in);
			buf_release(in);
		}
	}
	return used;
}

static size_t on_data(struct conn *conn, const char *p, size_t n, void *ctx)
{
	struct mq_client *c = ctx;
	struct mqtt_frame frame;
	bool whole = true;
	size_t used;

	(void)conn;
	mq_client_ref(c);
	used = complete(c, p, n);
	if (used < n && !stopped(c))
		used += packets(c, p + used, n - used, &frame, &whole);
	/* What is left is the beginning of a packet. */
	if (used < n && !whole && c->state != MQ_CLOSING) {
		buf_append(&mq_client_more(c)->in, p + used, n - used);
		used = n;
	}
	if (c->state == MQ_CLOSING)
		used = n;
	mq_client_unref(c);
	return used;
}

static void on_secured(struct conn *conn, void *ctx)
{
	struct mq_client *c = ctx;

	metric_inc(&mq_metrics.tls_ok);
	if (c->websocket && c->state != MQ_CLOSING && conn_start_websocket(conn, &mq_websocket) < 0)
		mq_client_close(c);
}

static void on_written(struct conn *conn, void *ctx)
{
	struct mq_client *c = ctx;

	(void)conn;
	if (c->session)
		mq_deliver_more(c->session);
}

static void on_end(struct conn *conn, enum conn_end how, const char *text, void *ctx)
{
	struct mq_client *c = ctx;
	struct mq_broker *b = c->broker;

	if (how == CONN_END_TLS && c->state == MQ_FRESH)
		metric_inc(&mq_metrics.tls_failed);
	if (text[0])
		log_debug(mq_log(c), "connection ended: %s", text);
	metric_add(&mq_metrics.bytes_in, (double)conn_bytes_in(conn));
	metric_add(&mq_metrics.bytes_out, (double)conn_bytes_out(conn));
	mq_flapped(c);
	c->conn = NULL;
	if (c->state != MQ_CLOSING) {
		mq_client_set_state(c, MQ_CLOSING);
		mq_session_detach(c);
	}
	net_timer_cancel(b->net, &c->timer);
	if (c->more)
		net_task_cancel(&c->more->end_task);
	list_remove(&c->node);
	b->client_count--;
	mq_gate(b);
	mq_drain_check(b);
	mq_client_unref(c);
}

const struct conn_events mq_conn_events = { .on_data = on_data, .on_secured = on_secured, .on_written = on_written, .on_end = on_end };
