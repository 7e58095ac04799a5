/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-gateway/config.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/xmpp/jid.h"
#include "services/mqtt-gateway/rules.h"

#define OPT(field) .offset = offsetof(struct gateway_config, field)
#define HOUR_MS    ((int64_t)3600 * 1000)

/* clang-format off */
#define TIME(key, field, number, low, high, text) \
	{ .name = key, .type = CONFIG_DURATION, OPT(field), .fallback = number, .min = low, .max = high, .reloads = true, .doc = text }

const struct config_option gateway_config_options[] = {
	{ .name = "rules", .type = CONFIG_PATH, OPT(rules), .required = true, .reloads = true, .doc = "File of the rules between topics and users." },
	{ .name = "domain", .type = CONFIG_STRING, OPT(domain), .doc = "Domain that users write to; empty: things. before the first of hosts." },
	{ .name = "local.address", .type = CONFIG_STRING, OPT(address), .fallback = "127.0.0.1:8883", .reloads = true,
	  .doc = "HOST:PORT of our broker." },
	{ .name = "local.tls", .type = CONFIG_BOOL, OPT(tls), .fallback = "true", .reloads = true, .doc = "Speak TLS with it." },
	{ .name = "local.trust", .type = CONFIG_PATH, OPT(trust), .fallback = "tls/ca.pem", .reloads = true,
	  .doc = "File of certificates that it is believed by." },
	{ .name = "local.name", .type = CONFIG_STRING, OPT(name), .reloads = true, .doc = "Name in its certificate; empty: the first of hosts." },
	{ .name = "local.user", .type = CONFIG_STRING, OPT(user), .reloads = true, .doc = "Account that the gateway logs in with; empty: none." },
	{ .name = "local.password_file", .type = CONFIG_PATH, OPT(password_file), .reloads = true, .doc = "File with its password." },
	{ .name = "limits.window", .type = CONFIG_INT, OPT(window), .fallback = "100", .min = 1, .max = 10000, .reloads = true,
	  .doc = "Messages at a time that are on their way to users, and to the broker (Receive Maximum)." },
	{ .name = "limits.body", .type = CONFIG_SIZE, OPT(body_bytes), .fallback = "16KiB", .min = 64, .max = 131072, .reloads = true,
	  .doc = "Bytes of a message's text, both ways; longer ones are refused." },
	{ .name = "limits.waiting", .type = CONFIG_INT, OPT(orders), .fallback = "1000", .min = 1, .max = 100000, .reloads = true,
	  .doc = "Users' messages that wait for the broker." },
	{ .name = "limits.waiting_size", .type = CONFIG_SIZE, OPT(orders_bytes), .fallback = "16MiB", .min = 262144, .max = (int64_t)1 << 30,
	  .reloads = true, .doc = "Bytes of them." },
	TIME("retry.min", retry_min_ms, "1s", 100, HOUR_MS, "Time until the second attempt to connect; it doubles, and varies by half."),
	TIME("retry.max", retry_max_ms, "1m", 100, HOUR_MS, "Longest time between two attempts."),
	TIME("timeouts.publish", publish_ms, "30s", 1000, 50000, "How long a user's message may wait for the broker before its sender gets an error."),
	TIME("timeouts.connect", connect_ms, "20s", 1000, HOUR_MS, "From the name to CONNACK."),
	TIME("timeouts.close", close_ms, "2s", 100, HOUR_MS, "How long a closing connection may take to flush."),
	{ .name = "dns.servers", .type = CONFIG_STRING, OPT(dns_servers), .doc = "DNS servers, comma-separated; empty: the system's." },
	CONFIG_END,
};
/* clang-format on */

char *gateway_config_domain(const struct config_shared *shared, const struct gateway_config *c)
{
	struct buf text = { 0 };
	size_t n;

	if (*c->domain)
		return mem_strdup(c->domain);
	buf_printf(&text, "things.%s", shared->hosts.items[0]);
	return buf_take(&text, &n);
}

static int check_domain(const struct config_shared *shared, const char *domain, struct err *e)
{
	char prepared[JID_PART_MAX + 1];
	size_t n;

	if (jid_prep_domain(str_from(domain), prepared, &n) != JID_OK || !str_is(str_make(prepared, n), domain))
		return err_set(e, "services.mqtt-gateway: domain: %s is no domain, or not written as it should be (lower case)", domain);
	for (size_t i = 0; i < shared->hosts.count; i++) {
		if (strcmp(shared->hosts.items[i], domain) == 0)
			return err_set(e, "services.mqtt-gateway: domain: %s is one of hosts: it has accounts", domain);
	}
	return 0;
}

/* Not the name of a link: those have their host first (services/mqtt-bridge). */
static char *client_id(const struct config_shared *shared)
{
	struct buf text = { 0 };
	size_t n;

	buf_printf(&text, "mqtt-gateway.%s", shared->hosts.items[0]);
	return buf_take(&text, &n);
}

int gateway_config_party(const struct config_shared *shared, const struct gateway_config *c, struct mqtt_party *out, struct err *e)
{
	struct mqtt_party_local local = { .address = c->address, .trust = c->trust, .name = c->name, .user = c->user, .tls = c->tls };
	struct err why;

	local.password_file = c->password_file;
	if (mqtt_party_set_local(out, &local, shared->hosts.items[0], &why) == 0) {
		out->id = client_id(shared);
		if (mqtt_party_load(out, &why) == 0)
			return 0;
	}
	mqtt_party_fini(out);
	return err_set(e, "services.mqtt-gateway: %s", why.text);
}

static int check_files(const struct config_shared *shared, const struct gateway_config *c, struct err *e)
{
	struct rules *rules = rules_load(c->rules, &shared->hosts, e);
	struct mqtt_party party = { 0 };

	if (!rules)
		return -1;
	rules_free(&rules);
	if (gateway_config_party(shared, c, &party, e) < 0)
		return -1;
	mqtt_party_fini(&party);
	return 0;
}

int gateway_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct gateway_config *c = config;
	char *domain;
	int rc;

	if (shared->hosts.count == 0)
		return err_set(e, "services.mqtt-gateway: hosts is empty");
	if (c->retry_max_ms < c->retry_min_ms)
		return err_set(e, "services.mqtt-gateway: retry.max is below retry.min");
	domain = gateway_config_domain(shared, c);
	rc = check_domain(shared, domain, e);
	mem_free(domain);
	return rc < 0 ? -1 : check_files(shared, c, e);
}
