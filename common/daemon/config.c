/* SPDX-License-Identifier: Apache-2.0
 *
 * config: see config.h. Values come from the table's fallbacks, then the file, then the environment; then all is checked together. */
#include "common/daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/config_value.h"
#include "common/daemon/config_yaml.h"
#include "common/xmpp/jid.h"

static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

#define SHARED(member) offsetof(struct config_shared, member)

const struct config_option config_shared_options[] = {
	{ .name = "hosts", .type = CONFIG_LIST, .offset = SHARED(hosts), .required = true, .doc = "Domains served here." },
	{ .name = "state_dir",
	  .type = CONFIG_PATH,
	  .offset = SHARED(state_dir),
	  .fallback = ".",
	  .doc = "Folder for what is written at run time." },
	{ .name = "bus.routers",
	  .type = CONFIG_LIST,
	  .offset = SHARED(routers),
	  .required = true,
	  .doc = "Where the routers are: tcp://NAME:PORT or ipc://PATH, where PATH may hold *." },
	{ .name = "bus.keys",
	  .type = CONFIG_PATH,
	  .offset = SHARED(keys_dir),
	  .fallback = "keys",
	  .doc = "Folder of the bus' keys: ROLE.key and allow." },
	{ .name = "bus.link",
	  .type = CONFIG_STRING,
	  .offset = SHARED(link),
	  .doc = "Direct connections between daemons: none; empty for Unix sockets beside the routers' or, with routers on TCP, none; or "
	         "the interface, "
	         "address or name of this machine whose TCP ports others reach." },
	{ .name = "redis.url", .type = CONFIG_STRING, .offset = SHARED(redis), .doc = "unix:///PATH or tcp://HOST:PORT." },
	{ .name = "redis.password_file",
	  .type = CONFIG_PATH,
	  .offset = SHARED(redis_password_file),
	  .doc = "File with Redis' password; empty for none." },
	{ .name = "log.level",
	  .type = CONFIG_ENUM,
	  .offset = SHARED(log_level),
	  .fallback = "info",
	  .choices = log_levels,
	  .reloads = true,
	  .doc = "The least severe lines to write." },
	{ .name = "log.json",
	  .type = CONFIG_BOOL,
	  .offset = SHARED(log_json),
	  .fallback = "false",
	  .doc = "One JSON object a line instead of text." },
	{ .name = "user", .type = CONFIG_STRING, .offset = SHARED(user), .doc = "User to become when started as root; empty to stay." },
	{ .name = "metrics.address",
	  .type = CONFIG_STRING,
	  .offset = SHARED(metrics_address),
	  .fallback = "127.0.0.1",
	  .doc = "IP address of /metrics and /healthz." },
	{ .name = "metrics.port",
	  .type = CONFIG_INT,
	  .offset = SHARED(metrics_port),
	  .fallback = "0",
	  .max = 65535,
	  .doc = "TCP port of /metrics and /healthz; 0 takes a free one." },
	{ .name = "stall_warn",
	  .type = CONFIG_DURATION,
	  .offset = SHARED(stall_warn_ms),
	  .fallback = "50ms",
	  .max = 60000,
	  .reloads = true,
	  .doc = "A turn of the event loop that takes longer is logged; 0 (at start) looks at none." },
	{ .name = "drain",
	  .type = CONFIG_DURATION,
	  .offset = SHARED(drain_ms),
	  .fallback = "10s",
	  .max = 3600000,
	  .reloads = true,
	  .doc = "Longest time between SIGTERM and exit." },
	CONFIG_END,
};

struct loading {
	const char *path, *role;
	char *folder;
	struct config_part shared, own;
	struct err *e;
};

static size_t count_options(const struct config_option *options)
{
	size_t n = 0;

	while (options[n].name)
		n++;
	return n;
}

/* --- the three sources -------------------------------------------------------------------------------------------- */

/* A fallback that its own option refuses is our bug, and is said like any other error. */
static int apply_fallbacks(const struct loading *l, const struct config_part *part)
{
	for (const struct config_option *o = part->options; o->name; o++) {
		struct err why;
		const char *text = o->fallback;
		if (!text && (o->type == CONFIG_STRING || o->type == CONFIG_PATH || o->type == CONFIG_LIST))
			text = "";
		if (text && config_value_set(o, part->base, l->folder, text, &why) < 0)
			return err_set(l->e, "default of '%s' %s", o->name, why.text);
	}
	return 0;
}

static void environment_name(const char *prefix, const char *key, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s", prefix);

	for (; *key && n + 1 < size; key++)
		out[n++] = isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key) : '_';
	out[n] = '\0';
}

static int apply_environment(const struct loading *l, struct config_part *part, const char *prefix)
{
	for (const struct config_option *o = part->options; o->name; o++) {
		char name[256];
		struct err why;
		environment_name(prefix, o->name, name, sizeof(name));
		const char *text = getenv(name);
		if (!text)
			continue;
		if (config_value_set(o, part->base, l->folder, text, &why) < 0)
			return err_set(l->e, "environment: %s %s", name, why.text);
		part->seen[o - part->options] = true;
	}
	return 0;
}

static int check_required(const struct loading *l, const struct config_part *part, const char *prefix)
{
	for (const struct config_option *o = part->options; o->name; o++) {
		if (!o->required || part->seen[o - part->options])
			continue;
		if (part->line)
			return err_set(l->e, "%s:%u: missing key '%s'", l->path, part->line, o->name);
		return err_set(l->e, "%s: missing key '%s%s'", l->path, prefix, o->name);
	}
	return 0;
}

static int read_file(const struct loading *l, struct config_part *shared, struct config_part *own)
{
	/* The roles come from the Makefile's list of programs. */
	static const struct config_option roles_option = { .name = "roles", .type = CONFIG_LIST };
	struct config_list roles = { 0 };
	char text[] = STARLING_ROLES;

	for (char *p = text; *p; p++)
		if (*p == ' ')
			*p = ',';
	config_value_set(&roles_option, &roles, NULL, text, NULL);
	int rc = config_yaml_read(l->path, l->folder, l->role, &roles, shared, own, l->e);
	config_value_clear(&roles_option, &roles);
	return rc;
}

/* --- what the shared keys mean ------------------------------------------------------------------------------------ */

/* Addresses are compared with hosts byte by byte, so these must have an address's form (RFC 7622 section 3.2). */
static int normalise_hosts(const struct loading *l, struct config_shared *shared)
{
	for (size_t i = 0; i < shared->hosts.count; i++) {
		char out[JID_PART_MAX + 1];
		size_t n = 0;
		char **host = &shared->hosts.items[i];
		if (jid_prep_domain(str_from(*host), out, &n) != JID_OK)
			return err_set(l->e, "%s: 'hosts' holds '%s', which is not a domain name", l->path, *host);
		for (size_t k = 0; k < i; k++)
			if (str_is(str_make(out, n), shared->hosts.items[k]))
				return err_set(l->e, "%s: 'hosts' holds '%s' twice", l->path, shared->hosts.items[k]);
		mem_free(*host);
		*host = mem_strndup(out, n);
	}
	if (shared->hosts.count == 0)
		return err_set(l->e, "%s: 'hosts' is empty: name at least one domain", l->path);
	return 0;
}

static int check_endpoints(const struct loading *l, const struct config_shared *shared)
{
	const char *redis = shared->redis;

	for (size_t i = 0; i < shared->routers.count; i++) {
		const char *url = shared->routers.items[i];
		if (strncmp(url, "tcp://", 6) != 0 && strncmp(url, "ipc://", 6) != 0)
			return err_set(l->e, "%s: 'bus.routers' holds '%s', which is neither tcp://NAME:PORT nor ipc://PATH", l->path, url);
	}
	if (shared->routers.count == 0)
		return err_set(l->e, "%s: 'bus.routers' is empty", l->path);
	if (*redis && strncmp(redis, "unix:///", 8) != 0 && strncmp(redis, "tcp://", 6) != 0)
		return err_set(l->e, "%s: 'redis.url' is '%s', which is neither unix:///PATH nor tcp://HOST:PORT", l->path, redis);
	return 0;
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

static int load(struct loading *l, struct config_shared *shared)
{
	if (apply_fallbacks(l, &l->shared) < 0 || apply_fallbacks(l, &l->own) < 0)
		return -1;
	if (read_file(l, &l->shared, &l->own) < 0)
		return -1;
	if (apply_environment(l, &l->shared, "STARLING_") < 0 || apply_environment(l, &l->own, "STARLING_SERVICE_") < 0)
		return -1;
	char prefix[128];
	snprintf(prefix, sizeof(prefix), "services.%s.", l->role);
	if (check_required(l, &l->shared, "") < 0 || check_required(l, &l->own, prefix) < 0)
		return -1;
	if (normalise_hosts(l, shared) < 0 || check_endpoints(l, shared) < 0)
		return -1;
	return 0;
}

/* The absolute folder of the file, so that paths stay right whatever the working directory. */
static char *folder_of(const char *path)
{
	char *copy = mem_strdup(path);
	char *real = realpath(dirname(copy), NULL);

	mem_free(copy);
	return real ? real : mem_strdup(".");
}

int config_load(const char *path, const char *role, const struct config_option *options, struct config_shared *shared, void *own,
                struct err *e)
{
	struct loading l = { .path = path, .role = role, .e = e };

	*shared = (struct config_shared){ 0 };
	l.folder = folder_of(path);
	l.shared = (struct config_part){ .options = config_shared_options, .base = shared };
	l.own = (struct config_part){ .options = options, .base = own };
	l.shared.seen = mem_zalloc(count_options(config_shared_options) * sizeof(bool));
	l.own.seen = mem_zalloc(count_options(options) * sizeof(bool));
	int rc = load(&l, shared);
	mem_free(l.shared.seen);
	mem_free(l.own.seen);
	mem_free(l.folder);
	if (rc < 0)
		config_free(options, shared, own);
	return rc;
}

static void free_part(const struct config_option *options, void *base)
{
	for (const struct config_option *o = options; o->name; o++)
		config_value_clear(o, base);
}

void config_free(const struct config_option *options, struct config_shared *shared, void *own)
{
	free_part(config_shared_options, shared);
	free_part(options, own);
}

static void adopt_part(const struct config_option *options, void *current, void *fresh, void (*ignored)(const char *name, void *ctx),
                       void *ctx)
{
	for (const struct config_option *o = options; o->name; o++) {
		if (o->reloads)
			config_value_swap(o, current, fresh);
		else if (!config_value_equal(o, current, fresh))
			ignored(o->name, ctx);
	}
}

void config_adopt(const struct config_option *options, struct config_shared *shared, void *own, struct config_shared *fresh_shared,
                  void *fresh_own, void (*ignored)(const char *name, void *ctx), void *ctx)
{
	adopt_part(config_shared_options, shared, fresh_shared, ignored, ctx);
	adopt_part(options, own, fresh_own, ignored, ctx);
}
