/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MQTT_BROKER_METRICS_H
#define MQTT_BROKER_METRICS_H

#include "common/daemon/metrics.h"

struct mq_broker;

struct mq_metrics {
	struct metric accepted, refused_rate, refused_proxy, clients;
	struct metric tls_ok, tls_failed;
	struct metric connects, connects_refused, logins_ok, logins_failed, logins_waiting;
	struct metric ended_keepalive, ended_taken_over, ended_other;
	struct metric packets_in, bad_packets, bytes_in, bytes_out;
	struct metric publish_in, publish_out, wills;
	struct metric dropped_slow, dropped_queue, dropped_large, dropped_expired, dropped_retained;
	struct metric denied_publish, denied_subscribe, denied_receive;
	struct metric subscriptions, retained, retained_bytes;
	struct metric sessions, expired, storing_bytes, store_failed;
	struct metric peers, peer_sent, peer_received, peer_again, peer_waiting;
	struct metric flapping_client, flapping_address;
};

extern struct mq_metrics mq_metrics;
void mq_metrics_register(struct mq_broker *b);

#endif
