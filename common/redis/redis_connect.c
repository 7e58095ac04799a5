/* SPDX-License-Identifier: Apache-2.0
 *
 * redis_connect: from nothing to a greeted connection, and back. One attempt at a time; between attempts a back-off that doubles, with jitter, so
 * that a Redis that comes back is not met by all daemons at once. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/redis/redis_private.h"

#define BACKOFF_FIRST_MS 50u
#define BACKOFF_MAX_MS   5000u
#define ATTEMPT_MAX_MS   5000u
#define PASSWORD_MAX     1024

/* --- giving up ---------------------------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer)
{
	struct redis *r = timer->data;

	if (r->phase == REDIS_WAITING)
		redis_attempt(r);
	else
		redis_give_up(r, "no answer in %u ms", ATTEMPT_MAX_MS);
}

static void schedule_retry(struct redis *r)
{
	r->phase = REDIS_WAITING;
	uint32_t jittered_ms = r->backoff_ms / 2 + (uint32_t)(random_u64() % (r->backoff_ms / 2 + 1));
	r->backoff_ms = r->backoff_ms * 2 < BACKOFF_MAX_MS ? r->backoff_ms * 2 : BACKOFF_MAX_MS;
	uv_timer_start(&r->retry, on_retry, jittered_ms, 0);
}

/* There is no socket any more, and nothing pending. */
static void go_down(struct redis *r, bool was_up)
{
	/* One warning for a time of trouble, not one for each attempt. */
	if (r->failures++ == 0)
		log_warn(NULL, "redis is away url=%s why=\"%s\"", r->url, r->why);
	else
		log_debug(NULL, "redis is still away url=%s why=\"%s\"", r->url, r->why);
	r->why[0] = '\0';
	schedule_retry(r);
	if (was_up && r->on_state)
		r->on_state(false, r->ctx);
}

void redis_give_up(struct redis *r, const char *fmt, ...)
{
	va_list ap;

	if (r->phase == REDIS_CLOSING || r->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	if (r->resolving)
		uv_cancel((uv_req_t *)&r->resolve);
	else if (r->ac)
		redisAsyncFree(r->ac);
	else
		go_down(r, false);
}

void redis_on_gone(struct redis *r)
{
	bool was_up = r->phase == REDIS_UP;

	if (!r->why[0])
		snprintf(r->why, sizeof(r->why), "%s", r->ac->errstr && r->ac->errstr[0] ? r->ac->errstr : "connection closed");
	r->ac = NULL;
	uv_timer_stop(&r->deadline);
	uv_timer_stop(&r->heartbeat);
	if (r->phase == REDIS_CLOSING)
		redis_free_when_closed(r);
	else
		go_down(r, was_up);
}

/* --- greeting ----------------------------------------------------------------------------------------------------- */

static void on_heartbeat(const redisReply *reply, void *ctx)
{
	(void)reply;
	(void)ctx;
}

/* Finds a peer that went away without a word, also when there is nothing to ask it. */
static void on_heartbeat_due(uv_timer_t *timer)
{
	static const char *const ping[] = { "PING" };
	struct redis *r = timer->data;

	if (r->phase == REDIS_UP && list_empty(&r->pending))
		redis_submit_argv(r, on_heartbeat, NULL, 1, ping, NULL);
}

static void check_greeting(struct redis *r, const redisReply *reply, const char *what)
{
	/* NULL: the connection broke, which is handled where it broke. */
	if (reply && reply->type == REDIS_REPLY_ERROR)
		redis_give_up(r, "%s: %s", what, reply->str);
}

static void on_auth(const redisReply *reply, void *ctx)
{
	check_greeting(ctx, reply, "AUTH");
}

static void on_script(const redisReply *reply, void *ctx)
{
	check_greeting(ctx, reply, "SCRIPT LOAD");
}

static void on_pong(const redisReply *reply, void *ctx)
{
	struct redis *r = ctx;

	check_greeting(r, reply, "PING");
	if (!reply || r->why[0] || r->phase != REDIS_GREETING)
		return;
	r->phase = REDIS_UP;
	r->backoff_ms = BACKOFF_FIRST_MS;
	r->failures = 0;
	uv_timer_stop(&r->retry);
	uv_timer_start(&r->heartbeat, on_heartbeat_due, 5000, 5000);
	log_info(NULL, "redis is there url=%s", r->url);
	if (r->on_state)
		r->on_state(true, r->ctx);
}

/* The length of the password, 0 for none, -1 when the file cannot be read. The file is read anew each time, so that a password can be changed. */
static ssize_t read_password(const struct redis *r, char out[PASSWORD_MAX])
{
	if (!r->password_file[0])
		return 0;
	int fd = open(r->password_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, out, PASSWORD_MAX);
	close(fd);
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	return n;
}

/* Called from hiredis' connect callback, where the context must not be freed: a file that cannot be read was found before (redis_attempt). */
static void send_password(struct redis *r)
{
	char password[PASSWORD_MAX];
	ssize_t n = read_password(r, password);

	if (n > 0) {
		const char *argv[] = { "AUTH", password };
		size_t lens[] = { 4, (size_t)n };
		redis_submit_argv(r, on_auth, r, 2, argv, lens);
	}
	mem_wipe(password, sizeof(password));
}

static void greet(struct redis *r)
{
	static const char *const ping[] = { "PING" };

	r->phase = REDIS_GREETING;
	send_password(r);
	for (size_t i = 0; i < r->script_count; i++)
		redis_load_script(r, r->scripts[i], on_script, r);
	/* Last: answers come in order, so a PONG says that all before was answered. It also tells a Redis that is still loading its data. */
	redis_submit_argv(r, on_pong, r, 1, ping, NULL);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void on_connect(const redisAsyncContext *ac, int status)
{
	struct redis *r = ac->data;

	if (status == REDIS_OK && r->phase == REDIS_CONNECTING)
		greet(r);
}

/* hiredis calls cleanup only for contexts that got events: one that failed at once is freed here. */
static void use_context(struct redis *r, redisAsyncContext *ac)
{
	if (!ac) {
		redis_give_up(r, "out of memory");
		return;
	}
	if (ac->err || !redis_poll_attach(r, ac)) {
		char text[128];
		snprintf(text, sizeof(text), "%s", ac->err ? ac->errstr : "cannot watch the socket");
		redisAsyncFree(ac);
		redis_give_up(r, "%s", text);
		return;
	}
	r->ac = ac;
	r->phase = REDIS_CONNECTING;
	ac->data = r;
	redisAsyncSetConnectCallback(ac, on_connect);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct redis *r = req->data;
	char address[INET6_ADDRSTRLEN] = "";
	int port = 0;

	r->resolving = false;
	if (r->phase == REDIS_CLOSING) {
		uv_freeaddrinfo(res);
		redis_free_when_closed(r);
		return;
	}
	if (status == 0 && res->ai_family == AF_INET6) {
		uv_ip6_name((struct sockaddr_in6 *)res->ai_addr, address, sizeof(address));
		port = ntohs(((struct sockaddr_in6 *)res->ai_addr)->sin6_port);
	} else if (status == 0) {
		uv_ip4_name((struct sockaddr_in *)res->ai_addr, address, sizeof(address));
		port = ntohs(((struct sockaddr_in *)res->ai_addr)->sin_port);
	}
	uv_freeaddrinfo(res);
	/* Given up meanwhile. */
	if (r->why[0])
		go_down(r, false);
	else if (status < 0)
		redis_give_up(r, "%s", uv_strerror(status));
	else
		use_context(r, redisAsyncConnect(address, port));
}

/* Never by hiredis, which would block on it. */
static void resolve(struct redis *r, const char *authority)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(authority, ':');
	bool brackets = authority[0] == '[';

	if (!colon || (brackets && (colon == authority || colon[-1] != ']'))) {
		redis_give_up(r, "no port in %s", r->url);
		return;
	}
	char *host = mem_strndup(authority + brackets, (size_t)(colon - authority) - (brackets ? 2 : 0));
	r->resolve.data = r;
	r->phase = REDIS_RESOLVING;
	int rc = uv_getaddrinfo(r->loop, &r->resolve, on_resolved, host, colon + 1, &hints);
	mem_free(host);
	if (rc < 0)
		redis_give_up(r, "%s", uv_strerror(rc));
	else
		r->resolving = true;
}

void redis_attempt(struct redis *r)
{
	r->why[0] = '\0';
	/* hiredis' connect cannot fail half-way without telling, but a peer may never answer. */
	uv_timer_start(&r->retry, on_retry, ATTEMPT_MAX_MS, 0);
	r->phase = REDIS_CONNECTING;
	if (r->password_file[0] && access(r->password_file, R_OK) < 0)
		redis_give_up(r, "cannot read %s", r->password_file);
	else if (strncmp(r->url, "unix://", 7) == 0)
		use_context(r, redisAsyncConnectUnix(r->url + 7));
	else if (strncmp(r->url, "tcp://", 6) == 0)
		resolve(r, r->url + 6);
	else
		redis_give_up(r, "neither unix:///PATH nor tcp://HOST:PORT");
}
