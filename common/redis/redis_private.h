/* SPDX-License-Identifier: Apache-2.0
 *
 * redis_private: the connection's innards, for the files of common/redis alone. redis.c keeps the commands, redis_connect.c makes and loses the
 * connection, redis_poll.c joins hiredis to libuv. */
#ifndef COMMON_REDIS_REDIS_PRIVATE_H
#define COMMON_REDIS_REDIS_PRIVATE_H

#include <hiredis/async.h>

#include "common/base/list.h"
#include "common/redis/redis.h"

enum redis_phase {
	REDIS_WAITING,   /* for the retry timer */
	REDIS_RESOLVING, /* the host's name */
	REDIS_CONNECTING,
	REDIS_GREETING, /* password, scripts, PING */
	REDIS_UP,
	REDIS_CLOSING, /* redis_free() was called */
};

struct redis_poll;

struct redis {
	uv_loop_t *loop;
	char *url, *password_file;
	uint32_t timeout_ms;
	void (*on_state)(bool up, void *ctx);
	void *ctx;
	enum redis_phase phase;
	redisAsyncContext *ac;    /* NULL: no socket */
	struct list_node pending; /* struct pending, in the order of their answers */
	uv_timer_t retry;         /* waiting: until the next attempt; connecting and greeting: until it is given up */
	uv_timer_t deadline;      /* of the oldest command */
	uv_timer_t heartbeat;
	uv_getaddrinfo_t resolve;
	unsigned open_handles;
	bool resolving;
	uint32_t backoff_ms;
	unsigned failures; /* since it was up */
	char why[160];     /* the connection was or is being given up; "" as long as it is not */
	struct redis_script **scripts;
	size_t script_count;
};

/* Any command, also before REDIS_UP. Takes `formatted` (from hiredis) when it succeeds. script: NULL, or to be loaded on NOSCRIPT. */
bool redis_submit(struct redis *r, redis_fn fn, void *ctx, char *formatted, size_t n, const struct redis_script *script);
bool redis_submit_argv(struct redis *r, redis_fn fn, void *ctx, int argc, const char *const *argv, const size_t *lens);
void redis_load_script(struct redis *r, const struct redis_script *s, redis_fn fn, void *ctx);

void redis_attempt(struct redis *r);
/* Gives the connection up: what is pending ends with NULL, then on_state(false), then a new attempt in a while. */
void redis_give_up(struct redis *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The socket is gone (from redis_poll's clean-up, which hiredis calls last). */
void redis_on_gone(struct redis *r);
void redis_free_when_closed(struct redis *r);

bool redis_poll_attach(struct redis *r, redisAsyncContext *ac);

#endif
