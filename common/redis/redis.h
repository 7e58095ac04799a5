/* SPDX-License-Identifier: Apache-2.0
 *
 * redis: one asynchronous connection (hiredis on libuv) that comes back by itself, with jittered back-off.
 * Commands issued while it is down fail at once (reply NULL): callers hold what matters and try again from on_state. */
#ifndef COMMON_REDIS_REDIS_H
#define COMMON_REDIS_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <uv.h>

struct redis;

/* reply is NULL when the connection broke or the command timed out: whether it was done is unknown. Freed by the runtime. */
typedef void (*redis_fn)(const redisReply *reply, void *ctx);

struct redis_config {
	const char *url;           /* unix:///path, tcp://host:port */
	const char *password_file; /* "" for none */
	uint32_t timeout_ms;       /* of one command; 0: 2000 */
	/* true: connected, authenticated and scripts loaded. May be NULL. */
	void (*on_state)(bool up, void *ctx);
	void *ctx;
};

struct redis *redis_new(uv_loop_t *loop, const struct redis_config *config);
void redis_free(struct redis **r); /* pending callbacks run with NULL first */
bool redis_up(const struct redis *r);
/* Arguments are binary-safe. Returns false when down: fn is not called then. */
bool redis_command(struct redis *r, redis_fn fn, void *ctx, int argc, const char *const *argv, const size_t *lens);
/* A Lua script, sent by its SHA-1 and loaded when the server does not know it. One static object a script. */
struct redis_script {
	const char *name;
	const char *source;
	char sha1[41]; /* filled by redis_script_register */
};
void redis_script_register(struct redis *r, struct redis_script *s);
bool redis_eval(struct redis *r, const struct redis_script *s, redis_fn fn, void *ctx, int keys, int argc, const char *const *argv,
                const size_t *lens);

#endif
