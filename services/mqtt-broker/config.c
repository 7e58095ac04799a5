/* SPDX-License-Identifier: Apache-2.0 */
#include "services/mqtt-broker/config.h"

#include "common/base/str.h"
#include "common/crypto/jwt.h"
#include "common/net/tls.h"
#include "services/mqtt-broker/access.h"
#include "services/mqtt-broker/ports.h"
#include "services/mqtt-broker/response.h"
#include "services/mqtt-broker/rights.h"

#define OPT(field) .offset = offsetof(struct mq_config, field)
#define MIB        ((int64_t)1 << 20)
#define GIB        ((int64_t)1 << 30)
#define HOUR_MS    ((int64_t)3600 * 1000)

static const char *const full[] = { "drop-new", "drop-old", "disconnect", NULL };
static const char *const certificate[] = { "none", "optional", "required", NULL };
/* As enum tls_identity. */
static const char *const identity[] = { "none", "common-name", "san-email", "san-xmpp", "subject", NULL };
static const char *const share[] = { "round-robin", "least-inflight", "hash", NULL };

/* clang-format off */
#define PORT(key, field, number, text) \
	{ .name = key, .type = CONFIG_INT, OPT(field), .fallback = number, .min = 0, .max = 65535, .doc = text }
#define NUMBER(key, field, number, low, high, text) \
	{ .name = key, .type = CONFIG_INT, OPT(field), .fallback = number, .min = low, .max = high, .reloads = true, .doc = text }
#define FIXED(key, field, number, low, high, text) \
	{ .name = key, .type = CONFIG_INT, OPT(field), .fallback = number, .min = low, .max = high, .doc = text }
#define BYTES(key, field, number, low, high, text) \
	{ .name = key, .type = CONFIG_SIZE, OPT(field), .fallback = number, .min = low, .max = high, .reloads = true, .doc = text }
#define TIME(key, field, number, low, high, text) \
	{ .name = key, .type = CONFIG_DURATION, OPT(field), .fallback = number, .min = low, .max = high, .reloads = true, .doc = text }

const struct config_option mq_config_options[] = {
	{ .name = "addresses", .type = CONFIG_LIST, OPT(addresses), .fallback = "0.0.0.0,::", .doc = "Numeric addresses to listen on." },
	PORT("port", port, "1883", "Port for MQTT over TCP; 0: none."),
	PORT("websocket.port", websocket_port, "0", "Port for MQTT over WebSocket; 0: none."),
	PORT("websocket.tls_port", websocket_tls_port, "0", "Port for MQTT over WebSocket over TLS; 0: none."),
	{ .name = "websocket.path", .type = CONFIG_STRING, OPT(websocket_path), .fallback = "/mqtt", .reloads = true,
	  .doc = "Path that WebSocket clients ask for." },
	{ .name = "websocket.origins", .type = CONFIG_LIST, OPT(origins), .reloads = true,
	  .doc = "Web pages (https://example.org) whose scripts may connect; \"*\": all. Clients that are no browsers always may." },
	{ .name = "proxy.trusted", .type = CONFIG_LIST, OPT(proxies),
	  .doc = "Networks (10.0.0.0/8) of proxies that put a PROXY header before each connection; nobody else may connect then. Empty: "
	         "clients connect directly." },
	{ .name = "proxy.timeout", .type = CONFIG_DURATION, OPT(proxy_ms), .fallback = "5s", .min = 3000, .max = HOUR_MS,
	  .doc = "How long that header may take." },
	{ .name = "public_address", .type = CONFIG_STRING, OPT(public_address), .reloads = true,
	  .doc = "host:port at which clients reach this very instance: the Server Reference told to clients of a broker that drains." },
	PORT("tls.port", tls_port, "8883", "Port for MQTT over TLS; 0: none."),
	{ .name = "tls.dir", .type = CONFIG_PATH, OPT(tls_dir), .fallback = "tls", .reloads = true,
	  .doc = "Folder with HOST.pem and HOST.key for each host; default.pem and default.key serve the others." },
	{ .name = "tls.required", .type = CONFIG_BOOL, OPT(require_tls), .fallback = "true", .reloads = true,
	  .doc = "Refuse passwords over connections that are not encrypted." },
	{ .name = "tls.client_certificate", .type = CONFIG_ENUM, OPT(client_certificate), .fallback = "none", .choices = certificate, .reloads = true,
	  .doc = "Whether clients on the ports with TLS are asked for a certificate, and whether they must have one." },
	{ .name = "tls.client_ca", .type = CONFIG_PATH, OPT(client_ca), .reloads = true,
	  .doc = "File in PEM, or folder of them, with the authorities (or single certificates) that clients' certificates are believed by." },
	{ .name = "tls.client_crl", .type = CONFIG_PATH, OPT(client_crl), .reloads = true,
	  .doc = "File in PEM with the revocation lists of all of these authorities; none: nothing is revoked." },
	{ .name = "tls.identity", .type = CONFIG_ENUM, OPT(identity), .fallback = "common-name", .choices = identity, .reloads = true,
	  .doc = "What of a certificate is the user name, which then needs no password; none: a certificate is needed beside the password." },
	{ .name = "jwt.keys", .type = CONFIG_PATH, OPT(jwt_keys), .reloads = true,
	  .doc = "File with the key of JSON Web Tokens that clients may send for a password, or folder of KID.pem and KID.secret; none: there are no tokens." },
	{ .name = "jwt.claim", .type = CONFIG_STRING, OPT(jwt_claim), .fallback = "sub", .reloads = true, .doc = "Claim with the user name." },
	{ .name = "jwt.issuer", .type = CONFIG_STRING, OPT(jwt_issuer), .reloads = true, .doc = "What the claim iss has to be; empty: anything." },
	{ .name = "jwt.audience", .type = CONFIG_STRING, OPT(jwt_audience), .reloads = true, .doc = "What the claim aud has to be or to name; empty: anything." },
	TIME("jwt.leeway", jwt_leeway_ms, "60s", 0, HOUR_MS, "How far the clocks of those who sign tokens may be off."),
	{ .name = "default_host", .type = CONFIG_STRING, OPT(default_host),
	  .doc = "Host of clients whose user name names none; empty: the first of hosts." },
	{ .name = "anonymous", .type = CONFIG_BOOL, OPT(anonymous), .fallback = "false", .reloads = true,
	  .doc = "Take clients that give no user name." },
	{ .name = "access", .type = CONFIG_PATH, OPT(access_file), .reloads = true,
	  .doc = "File of rules for who may publish and subscribe to what; none: all may everything but publish below $SYS." },
	{ .name = "shared.choice", .type = CONFIG_ENUM, OPT(share), .fallback = "round-robin", .choices = share, .reloads = true,
	  .doc = "Which member of a shared subscription gets a message: by turns, who has the least unacknowledged, or by the topic." },
	{ .name = "relaxed", .type = CONFIG_LIST, OPT(relaxed), .reloads = true,
	  .doc = "Listeners (port, tls.port, websocket.port, websocket.tls_port) whose messages are acknowledged before they are in the store: what a "
	         "broker that dies had not written yet is lost." },
	{ .name = "wills.stored", .type = CONFIG_BOOL, OPT(wills_stored), .fallback = "true", .reloads = true,
	  .doc = "Keep wills in the store, those of sessions that end with their connection as well: such a connect and its end are a commit each." },
	NUMBER("flapping.client", flapping_client, "0", 0, 1000000,
	       "A client identifier whose connections end more often than this within flapping.window is banned; 0: none is."),
	NUMBER("flapping.address", flapping_address, "0", 0, 1000000, "An address (an IPv6 network of 64 bits), likewise, whatever its clients are called."),
	TIME("flapping.window", flapping_window_ms, "60s", 1000, 24 * HOUR_MS, "In which time they are counted."),
	TIME("flapping.ban", flapping_ban_ms, "5m", 1000, 30 * 24 * HOUR_MS, "For how long they are banned."),
	{ .name = "response_information", .type = CONFIG_LIST, OPT(response_information), .reloads = true,
	  .doc = "Beginning of response topics (reply/%c), told in 5.0 to clients that ask for it; with %c for the client identifier and %u for the user name without its "
	         "host. With a host and a space in front it is that host's; the first that fits counts." },
	TIME("sys.interval", sys_ms, "10s", 0, HOUR_MS, "Time between two updates of the topics below $SYS; 0: there are none."),

	NUMBER("limits.connections", connections, "200000", 1, 10000000, "Connections at a time; more wait in the kernel."),
	FIXED("limits.connect_rate", connect_rate, "500", 0, 1000000, "New connections a second from one address; 0: unlimited."),
	FIXED("limits.connect_burst", connect_burst, "2000", 1, 1000000, "New connections from one address at once."),
	NUMBER("limits.logins", logins, "128", 1, 10000, "Logins that auth is asked for at a time; more wait in line."),
	BYTES("limits.connect_size", connect_bytes, "64KiB", 128, 256 * MIB, "Longest CONNECT with its will, bytes."),
	BYTES("limits.packet_size", packet_bytes, "1MiB", 1024, 256 * MIB, "Longest packet of a client after that (Maximum Packet Size), bytes."),
	NUMBER("limits.inflight", inflight, "1000", 1, 32767, "Messages sent to one client that it has not acknowledged; more wait."),
	NUMBER("limits.inflight_in", inflight_in, "256", 1, 65535, "Receive Maximum: messages of one client that are not acknowledged."),
	NUMBER("limits.queue", queue_messages, "10000", 1, 10000000, "Messages with QoS 1 and 2 that wait for one client."),
	BYTES("limits.queue_size", queue_bytes, "16MiB", 65536, GIB, "Their bytes."),
	{ .name = "limits.queue_full", .type = CONFIG_ENUM, OPT(queue_full), .fallback = "drop-new", .choices = full, .reloads = true,
	  .doc = "What happens to a client whose queue is full: the new message is dropped, the oldest ones are, or the client is disconnected." },
	BYTES("limits.storing_size", storing_bytes, "64MiB", 65536, 16 * GIB,
	      "Bytes of messages on their way to the store; above it publishers are read no further."),
	BYTES("limits.output_size", output_bytes, "1MiB", 65536, 128 * MIB,
	      "Bytes waiting in the connection of a slow client; beyond it QoS 0 is dropped and the rest queued."),
	NUMBER("limits.subscriptions", subscriptions, "1000", 1, 1000000, "Subscriptions of one client."),
	NUMBER("limits.topic_levels", topic_levels, "64", 1, 128, "Levels of a topic name or filter."),
	NUMBER("limits.aliases_in", aliases_in, "32", 0, 65535, "Topic Alias Maximum: aliases of one client."),
	NUMBER("limits.aliases_out", aliases_out, "32", 0, 1024, "Aliases towards one client, if it takes as many."),
	NUMBER("limits.retained", retained_messages, "1000000", 1, 100000000, "Retained messages of one host."),
	BYTES("limits.retained_size", retained_bytes, "256MiB", 65536, 64 * GIB, "Their bytes."),
	NUMBER("limits.message_rate", message_rate, "0", 0, 1000000, "Messages a second that are read from one client; 0: as many as come."),
	NUMBER("limits.message_burst", message_burst, "1000", 1, 1000000, "Messages that a quiet client may send at once when message_rate is set."),
	BYTES("limits.read_rate", read_rate, "0", 0, 1024 * MIB, "Bytes a second read from one connection; 0: as many as come."),
	NUMBER("limits.user.connections", user_connections, "0", 0, 10000000, "Connections of one user at a time; 0: any number."),
	NUMBER("limits.user.subscriptions", user_subscriptions, "0", 0, 10000000, "Subscriptions of all connections of one user; 0: any number."),
	NUMBER("limits.user.message_rate", user_message_rate, "0", 0, 10000000, "Messages a second read from all connections of one user; 0: as many as come."),
	NUMBER("limits.user.message_burst", user_message_burst, "1000", 1, 10000000, "Messages that a quiet user may send at once when that is set."),
	BYTES("limits.user.read_rate", user_read_rate, "0", 0, 1024 * MIB, "Bytes a second, likewise; 0: as many as come."),
	BYTES("limits.user.read_burst", user_read_burst, "1MiB", 1024, 1024 * MIB, "Bytes that a quiet user may send at once when that is set."),
	BYTES("limits.read_burst", read_burst, "256KiB", 1024, 1024 * MIB, "Bytes that a quiet client may send at once when read_rate is set."),

	TIME("timeouts.connect", connect_ms, "30s", 1000, HOUR_MS, "From connecting to CONNACK."),
	NUMBER("timeouts.keepalive_max", keepalive_max_s, "0", 0, 65535, "Longest Keep Alive in seconds: longer ones, and none, are lowered to it in 5.0; 0: any."),
	TIME("timeouts.session_max", session_max_ms, "0", 0, 10 * 365 * 24 * HOUR_MS,
	     "Longest time that a session is kept without its client: longer ones, and those that never end, are lowered to it; 0: as long as clients ask for."),
	TIME("timeouts.auth", auth_ms, "10s", 100, HOUR_MS, "How long auth may take for one step."),
	TIME("timeouts.dead", dead_after_ms, "60s", 1000, HOUR_MS, "A client whose machine acknowledges nothing for so long is gone."),
	TIME("timeouts.close", close_ms, "3s", 100, HOUR_MS, "How long a closing connection may take to flush."),
	CONFIG_END,
};
/* clang-format on */

static bool has_host(const struct config_shared *shared, const char *host)
{
	for (size_t i = 0; i < shared->hosts.count; i++) {
		if (str_is(str_from(host), shared->hosts.items[i]))
			return true;
	}
	return false;
}

int mq_config_check(const struct config_shared *shared, const void *config, struct err *e)
{
	const struct mq_config *c = config;
	struct mq_access *access;
	struct tls_trust *trust;
	struct jwt_keys *keys;
	struct tls_set *set;

	if (c->port == 0 && c->tls_port == 0 && c->websocket_port == 0 && c->websocket_tls_port == 0)
		return err_set(e, "services.mqtt-broker: all ports are 0: nothing to listen on");
	if (shared->hosts.count == 0)
		return err_set(e, "services.mqtt-broker: hosts is empty");
	if (c->addresses.count == 0)
		return err_set(e, "services.mqtt-broker: addresses is empty");
	if (mq_proxies_parse(&c->proxies, NULL, e) < 0)
		return -1;
	if (c->default_host[0] && !has_host(shared, c->default_host))
		return err_set(e, "services.mqtt-broker: default_host '%s' is not one of hosts", c->default_host);
	if (c->websocket_path[0] != '/')
		return err_set(e, "services.mqtt-broker: websocket.path does not begin with a slash");
	if (c->connect_bytes > c->packet_bytes)
		return err_set(e, "services.mqtt-broker: limits.connect_size is above limits.packet_size");
	if (mq_relaxed_check(&c->relaxed, e) < 0 || mq_response_check(&c->response_information, &shared->hosts, e) < 0)
		return -1;
	if (c->session_max_ms > 0 && c->session_max_ms < 1000)
		return err_set(e, "services.mqtt-broker: timeouts.session_max is below a second");
	access = mq_access_load(c->access_file, e);
	if (!access)
		return -1;
	mq_access_free(&access);
	set = tls_set_load(c->tls_dir, shared->hosts.items, shared->hosts.count, e);
	if (!set)
		return -1;
	tls_set_unref(&set);
	if (mq_certificates_load(c, &trust, e) < 0)
		return -1;
	tls_trust_free(&trust);
	if (mq_tokens_load(c, &keys, e) < 0)
		return -1;
	jwt_keys_free(&keys);
	return 0;
}
