/* SPDX-License-Identifier: Apache-2.0
 *
 * config: services.mqtt-broker in starling.yml. */
#ifndef MQTT_BROKER_CONFIG_H
#define MQTT_BROKER_CONFIG_H

#include "common/daemon/config.h"

enum mq_full { MQ_FULL_DROP_NEW, MQ_FULL_DROP_OLD, MQ_FULL_DISCONNECT };
enum mq_certificate { MQ_CERTIFICATE_NONE, MQ_CERTIFICATE_OPTIONAL, MQ_CERTIFICATE_REQUIRED };
enum mq_share { MQ_SHARE_ROUND_ROBIN, MQ_SHARE_LEAST_INFLIGHT, MQ_SHARE_HASH };

struct mq_config {
	struct config_list addresses;
	struct config_list proxies;
	int64_t proxy_ms;
	int64_t port, tls_port, websocket_port, websocket_tls_port;
	char *websocket_path;
	struct config_list origins;
	char *public_address;
	char *tls_dir;
	char *client_ca, *client_crl;
	int client_certificate; /* enum mq_certificate */
	int identity;           /* enum tls_identity */
	char *jwt_keys, *jwt_claim, *jwt_issuer, *jwt_audience;
	int64_t jwt_leeway_ms;
	bool require_tls;
	char *default_host;
	bool anonymous;
	char *access_file;
	int share;
	struct config_list relaxed;
	bool wills_stored;
	int64_t flapping_client, flapping_address, flapping_window_ms, flapping_ban_ms;
	struct config_list response_information;
	int64_t sys_ms;

	int64_t connections, connect_rate, connect_burst, logins;
	int64_t connect_bytes, packet_bytes;
	int64_t inflight, inflight_in;
	int64_t queue_messages, queue_bytes;
	int queue_full;
	int64_t storing_bytes;
	int64_t output_bytes;
	int64_t subscriptions, topic_levels, aliases_in, aliases_out;
	int64_t retained_messages, retained_bytes;
	int64_t message_rate, message_burst;
	int64_t read_rate, read_burst;
	int64_t user_connections, user_subscriptions;
	int64_t user_message_rate, user_message_burst;
	int64_t user_read_rate, user_read_burst;

	int64_t session_max_ms;
	int64_t connect_ms, keepalive_max_s, close_ms, dead_after_ms, auth_ms;
};

extern const struct config_option mq_config_options[];
/* What the options mean together; certificates and the file of access rules included. */
int mq_config_check(const struct config_shared *shared, const void *config, struct err *e);

#endif
