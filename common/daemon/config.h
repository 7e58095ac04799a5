/* SPDX-License-Identifier: Apache-2.0
 *
 * config: starling.yml, strictly. A table of options says everything about a key: name, type, default, range, meaning; the loader,
 * --print-config and the reference in docs/ come from it. An unknown key is an error with file, line and the nearest known name.
 *
 * The file has shared keys at the top (config_shared_options) and a map `services` with one map a role. A daemon checks the shared keys and its
 * own section in full; names under `services` must be roles that this build knows or begin with "x-" (an operator's own daemons).
 *
 * For containers, the environment overrides the file: STARLING_<KEY> a shared key, STARLING_SERVICE_<KEY> a key of the daemon's own section, with
 * the key in capitals and every other character as _ (bus.routers: STARLING_BUS_ROUTERS). Lists are comma-separated. Unknown names are no error:
 * an orchestrator sets variables of its own. */
#ifndef COMMON_DAEMON_CONFIG_H
#define COMMON_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum config_type {
	CONFIG_BOOL,     /* bool */
	CONFIG_INT,      /* int64_t; plain number within min..max */
	CONFIG_DURATION, /* int64_t milliseconds; written 250ms, 30s, 5m, 2h, 7d */
	CONFIG_SIZE,     /* int64_t bytes; written 512, 64KiB, 1MiB, 2GiB */
	CONFIG_STRING,   /* char *; "" when absent and the default is NULL */
	CONFIG_PATH,     /* char *; a relative path starts at the config file's folder */
	CONFIG_ENUM,     /* int; index in `choices` */
	CONFIG_LIST,     /* struct config_list of strings */
};

struct config_list {
	char **items;
	size_t count;
};

struct config_option {
	const char *name; /* nested with dots: "tls.certificate" */
	enum config_type type;
	size_t offset;              /* offsetof the daemon's own config struct */
	const char *fallback;       /* as it would be written in the file; NULL: empty. Lists: comma-separated */
	int64_t min, max;           /* numbers, durations, sizes; both 0: unchecked */
	const char *const *choices; /* CONFIG_ENUM: NULL-terminated */
	bool required;
	bool reloads;    /* takes effect on SIGHUP */
	const char *doc; /* one sentence, with the unit */
};
#define CONFIG_END                                                                                                                         \
	{                                                                                                                                  \
		.name = NULL                                                                                                               \
	}

/* The keys that all daemons share. */
struct config_shared {
	struct config_list hosts; /* virtual hosts, normalised */
	char *state_dir;
	struct config_list routers; /* ipc_config.routers; the router binds, all others connect */
	char *keys_dir;             /* <role>.key (secret) and allow (public keys by role) */
	char *link;                 /* ipc_config.link */
	char *redis;                /* unix:///path or tcp://host:port */
	char *redis_password_file;
	int log_level; /* enum log_level */
	bool log_json;
	char *user;            /* to become after start, when started as root; "" stays */
	char *metrics_address; /* 127.0.0.1 */
	int64_t metrics_port;  /* 0: a free port, announced in the directory */
	int64_t stall_warn_ms; /* a loop turn longer than this is logged */
	int64_t drain_ms;      /* longest time between SIGTERM and exit */
};

/* Loads shared keys into `shared` and the role's section into `own` (a zeroed struct, described by options). 0, or -1 with e set. */
int config_load(const char *path, const char *role, const struct config_option *options, struct config_shared *shared, void *own,
                struct err *e);
void config_free(const struct config_option *options, struct config_shared *shared, void *own);
/* After a reload: exchanges the values of options that reload, so that current holds the new and fresh the old ones, to be freed when nobody
 * can look at them any more. Calls `ignored` for every other option whose value differs: it stays as it was. */
void config_adopt(const struct config_option *options, struct config_shared *shared, void *own, struct config_shared *fresh_shared,
                  void *fresh_own, void (*ignored)(const char *name, void *ctx), void *ctx);
/* Prints both in force, as YAML, to stdout. Values named *_file show the path, never its content. */
void config_print(const char *role, const struct config_option *options, const struct config_shared *shared, const void *own);
extern const struct config_option config_shared_options[];
/* Parsing of single values, for starlingctl and tests. */
int config_parse_duration(const char *text, int64_t *out_ms);
int config_parse_size(const char *text, int64_t *out_bytes);

#endif
