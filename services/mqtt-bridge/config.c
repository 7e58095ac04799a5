/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-bridge/config.h"

#include "services/mqtt-bridge/bridges.h"

#define OPT(field) .offset = offsetof(struct bridge_config, field)
#define HOUR_MS    ((int64_t)3600 * 1000)

/* clang-format off */
#define TIME(key, field, number, low, high, text) \
	{ .name = key, .type = CONFIG_DURATION, OPT(field), .fallback = number, .min = low, .max = high, .reloads = true, .doc = text }

const struct config_option bridge_config_options[] = {
	{ .name = "bridges", .type = CONFIG_PATH, OPT(bridges), .required = true, .reloads = true, .doc = "File of the links to other brokers." },
	{ .name = "local.address", .type = CONFIG_STRING, OPT(address), .fallback = "127.0.0.1:8883", .reloads = true,
	  .doc = "HOST:PORT of our broker." },
	{ .name = "local.tls", .type = CONFIG_BOOL, OPT(tls), .fallback = "true", .reloads = true, .doc = "Speak TLS with it." },
	{ .name = "local.trust", .type = CONFIG_PATH, OPT(trust), .fallback = "tls/ca.pem", .reloads = true,
	  .doc = "File of certificates that it is believed by." },
	{ .name = "local.name", .type = CONFIG_STRING, OPT(name), .reloads = true, .doc = "Name in its certificate; empty: the first of hosts." },
	{ .name = "local.user", .type = CONFIG_STRING, OPT(user), .reloads = true,
	  .doc = "Account that the links log in with, where their own lines do not say another; empty: none." },
	{ .name = "local.password_file", .type = CONFIG_PATH, OPT(password_file), .reloads = true, .doc = "File with its password." },
	{ .name = "limits.window", .type = CONFIG_INT, OPT(window), .fallback = "100", .min = 1, .max = 65535, .reloads = true,
	  .doc = "Receive Maximum: messages that one side may send before the other has acknowledged." },
	{ .name = "limits.output_size", .type = CONFIG_SIZE, OPT(output_bytes), .fallback = "1MiB", .min = 65536, .max = (int64_t)1 << 30, .reloads = true,
	  .doc = "Bytes waiting in the connection to a slow broker; beyond it messages with QoS 0 are dropped, and others wait." },
	TIME("retry.min", retry_min_ms, "1s", 100, HOUR_MS, "Time until the second attempt to connect; it doubles, and varies by half."),
	TIME("retry.max", retry_max_ms, "1m", 100, HOUR_MS, "Longest time between two attempts."),
	TIME("timeouts.connect", connect_ms, "20s", 1000, HOUR_MS, "From the name to CONNACK."),
	TIME("timeouts.close", close_ms, "2s", 100, HOUR_MS, "How long a closing connection may take to flush."),
	{ .name = "dns.servers", .type = CONFIG_STRING, OPT(dns_servers), .doc = "DNS servers, comma-separated; empty: the system's." },
	CONFIG_END,
};
/* clang-format on */

int bridge_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct bridge_config *c = config;
	struct bridges *bridges;

	if (shared->hosts.count == 0)
		return err_set(e, "services.mqtt-bridge: hosts is empty");
	if (c->retry_max_ms < c->retry_min_ms)
		return err_set(e, "services.mqtt-bridge: retry.max is below retry.min");
	bridges = bridges_load(c, shared->hosts.items[0], e);
	if (!bridges)
		return -1;
	bridges_free(&bridges);
	return 0;
}
