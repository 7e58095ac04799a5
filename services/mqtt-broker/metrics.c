/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/metrics.h"

#include "services/mqtt-broker/several.h"

#define COUNT(metric_name, metric_labels, metric_help)                                                                                     \
	{                                                                                                                                  \
		.name = metric_name, .labels = metric_labels, .help = metric_help, .type = METRIC_COUNTER                                  \
	}
#define GAUGE(metric_name, metric_help)                                                                                                    \
	{                                                                                                                                  \
		.name = metric_name, .help = metric_help, .type = METRIC_GAUGE                                                             \
	}
#define DROPPED "Messages that a client, or nobody any more, did not get"

struct mq_metrics mq_metrics = {
	.accepted = COUNT("starling_mqtt_accepted_total", NULL, "Connections accepted"),
	.refused_rate = COUNT("starling_mqtt_refused_total", "reason=\"rate\"", "Connections closed at once"),
	.refused_proxy = COUNT("starling_mqtt_refused_total", "reason=\"proxy\"", "Connections closed at once"),
	.clients = GAUGE("starling_mqtt_connections", "Client connections now"),
	.tls_ok = COUNT("starling_mqtt_tls_handshakes_total", "result=\"ok\"", "TLS handshakes"),
	.tls_failed = COUNT("starling_mqtt_tls_handshakes_total", "result=\"failed\"", "TLS handshakes"),
	.connects = COUNT("starling_mqtt_connects_total", "result=\"ok\"", "CONNECT packets"),
	.connects_refused = COUNT("starling_mqtt_connects_total", "result=\"refused\"", "CONNECT packets"),
	.logins_ok = COUNT("starling_mqtt_logins_total", "result=\"ok\"", "Authentications ended"),
	.logins_failed = COUNT("starling_mqtt_logins_total", "result=\"failed\"", "Authentications ended"),
	.logins_waiting = GAUGE("starling_mqtt_logins_waiting", "Logins that auth has been asked for and has not answered"),
	.ended_keepalive = COUNT("starling_mqtt_disconnects_total", "reason=\"keep_alive\"", "Clients disconnected by the broker"),
	.ended_taken_over = COUNT("starling_mqtt_disconnects_total", "reason=\"taken_over\"", "Clients disconnected by the broker"),
	.ended_other = COUNT("starling_mqtt_disconnects_total", "reason=\"other\"", "Clients disconnected by the broker"),
	.packets_in = COUNT("starling_mqtt_packets_received_total", NULL, "Packets from clients"),
	.bad_packets = COUNT("starling_mqtt_bad_packets_total", NULL, "Connections ended for a packet that is malformed or out of place"),
	.bytes_in = COUNT("starling_mqtt_bytes_total", "direction=\"in\"", "Bytes of ended connections, below TLS not counted"),
	.bytes_out = COUNT("starling_mqtt_bytes_total", "direction=\"out\"", "Bytes of ended connections, below TLS not counted"),
	.publish_in = COUNT("starling_mqtt_publishes_total", "direction=\"in\"", "PUBLISH packets from and to clients"),
	.publish_out = COUNT("starling_mqtt_publishes_total", "direction=\"out\"", "PUBLISH packets from and to clients"),
	.wills = COUNT("starling_mqtt_wills_total", NULL, "Wills published"),
	.dropped_slow = COUNT("starling_mqtt_dropped_total", "reason=\"slow\"", DROPPED),
	.dropped_queue = COUNT("starling_mqtt_dropped_total", "reason=\"queue\"", DROPPED),
	.dropped_large = COUNT("starling_mqtt_dropped_total", "reason=\"size\"", DROPPED),
	.dropped_expired = COUNT("starling_mqtt_dropped_total", "reason=\"expired\"", DROPPED),
	.dropped_retained = COUNT("starling_mqtt_dropped_total", "reason=\"retained\"", DROPPED),
	.denied_publish = COUNT("starling_mqtt_denied_total", "what=\"publish\"", "What the access rules did not allow"),
	.denied_subscribe = COUNT("starling_mqtt_denied_total", "what=\"subscribe\"", "What the access rules did not allow"),
	.denied_receive = COUNT("starling_mqtt_denied_total", "what=\"receive\"", "What the access rules did not allow"),
	.subscriptions = GAUGE("starling_mqtt_subscriptions", "Subscriptions now"),
	.retained = GAUGE("starling_mqtt_retained_messages", "Retained messages"),
	.retained_bytes = GAUGE("starling_mqtt_retained_bytes", "Their bytes"),
	.sessions = GAUGE("starling_mqtt_sessions", "Sessions that last, with clients and without"),
	.expired = COUNT("starling_mqtt_sessions_expired_total", NULL, "Sessions that have waited too long for their clients"),
	.storing_bytes = GAUGE("starling_mqtt_storing_bytes", "Bytes of messages on their way to the store"),
	.store_failed = COUNT("starling_mqtt_store_failures_total", NULL, "Calls of the store that failed, and were made again or refused"),
	.peers = GAUGE("starling_mqtt_peers", "Other brokers that this one knows"),
	.peer_sent = COUNT("starling_mqtt_peer_messages_total", "direction=\"sent\"", "Messages to and from other brokers, each once"),
	.peer_received =
	        COUNT("starling_mqtt_peer_messages_total", "direction=\"received\"", "Messages to and from other brokers, each once"),
	.peer_again = COUNT("starling_mqtt_peer_repeated_total", NULL,
	                    "Messages that were sent to another broker again, since it had not answered"),
	.peer_waiting = GAUGE("starling_mqtt_peer_messages_waiting", "Messages with QoS 1 and 2 that other brokers have not answered"),
	.flapping_client =
	        COUNT("starling_mqtt_flapping_bans_total", "by=\"client\"", "Bans of those who connect and disconnect all the time"),
	.flapping_address =
	        COUNT("starling_mqtt_flapping_bans_total", "by=\"address\"", "Bans of those who connect and disconnect all the time"),
};

static double read_peers(void *ctx)
{
	return ((const struct mq_broker *)ctx)->several->peer_n;
}

static double read_peer_waiting(void *ctx)
{
	return ((const struct mq_broker *)ctx)->several->pass_n;
}

static double read_sessions(void *ctx)
{
	return ((const struct mq_broker *)ctx)->lasting_count;
}

static double read_storing(void *ctx)
{
	return (double)((const struct mq_broker *)ctx)->storing_bytes;
}

static double read_clients(void *ctx)
{
	return ((const struct mq_broker *)ctx)->client_count;
}

static double read_waiting(void *ctx)
{
	return ((const struct mq_broker *)ctx)->logins_inside;
}

static double read_subscriptions(void *ctx)
{
	const struct mq_broker *b = ctx;
	double n = 0;

	for (uint32_t i = 0; i < b->tenant_count; i++)
		n += index_subs_count(b->tenants[i].subs);
	return n;
}

static double read_retained(void *ctx)
{
	const struct mq_broker *b = ctx;
	double n = 0;

	for (uint32_t i = 0; i < b->tenant_count; i++)
		n += index_retained_count(b->tenants[i].retained);
	return n;
}

static double read_retained_bytes(void *ctx)
{
	const struct mq_broker *b = ctx;
	double n = 0;

	for (uint32_t i = 0; i < b->tenant_count; i++)
		n += (double)b->tenants[i].retained_bytes;
	return n;
}

/* The struct holds nothing but metrics, in the order in which they are to be written. */
void mq_metrics_register(struct mq_broker *b)
{
	struct metric *m = (struct metric *)&mq_metrics;

	mq_metrics.clients.read = read_clients;
	mq_metrics.logins_waiting.read = read_waiting;
	mq_metrics.subscriptions.read = read_subscriptions;
	mq_metrics.retained.read = read_retained;
	mq_metrics.retained_bytes.read = read_retained_bytes;
	mq_metrics.sessions.read = read_sessions;
	mq_metrics.storing_bytes.read = read_storing;
	mq_metrics.peers.read = read_peers;
	mq_metrics.peer_waiting.read = read_peer_waiting;
	for (size_t i = 0; i < sizeof(mq_metrics) / sizeof(*m); i++) {
		if (m[i].read)
			m[i].ctx = b;
		metrics_register(&m[i]);
	}
}
