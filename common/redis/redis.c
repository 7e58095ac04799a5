/* SPDX-License-Identifier: Apache-2.0
 *
 * redis: see redis.h. Commands and their answers. Redis answers in order, so one timer watches the oldest command; when that is late, so are all
 * behind it, and the connection is given up. */
#include "common/redis/redis.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/redis/redis_private.h"

#define TIMEOUT_DEFAULT_MS 2000u
#define BACKOFF_FIRST_MS   50u
#define EVAL_ARGS_INLINE   32

struct pending {
	struct list_node node;
	struct redis *owner;
	redis_fn fn;
	void *ctx;
	uint64_t deadline_ms;
	/* EVALSHA only: to be sent again once the script has been loaded */
	const struct redis_script *script;
	char *formatted;
	size_t formatted_n;
};

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void on_deadline(uv_timer_t *timer)
{
	struct redis *r = timer->data;
	uint64_t now_ms = clock_mono_ms();

	if (list_empty(&r->pending))
		return;
	uint64_t deadline_ms = list_entry(r->pending.next, struct pending, node)->deadline_ms;
	if (deadline_ms > now_ms)
		uv_timer_start(&r->deadline, on_deadline, deadline_ms - now_ms, 0);
	else
		redis_give_up(r, "a command got no answer in %u ms", r->timeout_ms);
}

static void free_pending(struct pending *p)
{
	list_remove(&p->node);
	if (p->formatted)
		redisFreeCommand(p->formatted);
	mem_free(p);
}

static void ignore(const redisReply *reply, void *ctx)
{
	(void)reply;
	(void)ctx;
}

/* The server forgot the script (SCRIPT FLUSH): load it, and ask again behind it. */
static bool ask_again(struct redis *r, struct pending *p, const redisReply *reply)
{
	if (!p->script || !reply || reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOSCRIPT", 8) != 0)
		return false;
	redis_load_script(r, p->script, ignore, NULL);
	if (!redis_submit(r, p->fn, p->ctx, p->formatted, p->formatted_n, NULL))
		return false;
	p->formatted = NULL;
	return true;
}

static void on_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct pending *p = privdata;
	struct redis *r = p->owner;

	/* Broken: what a callback sends now must fail at once, not be queued on a dying connection. */
	if (!reply && !r->why[0])
		snprintf(r->why, sizeof(r->why), "%s", ac->errstr && ac->errstr[0] ? ac->errstr : "connection closed");
	if (ask_again(r, p, reply)) {
		free_pending(p);
		return;
	}
	redis_fn fn = p->fn;
	void *ctx = p->ctx;
	free_pending(p);
	if (fn)
		fn(reply, ctx);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

bool redis_submit(struct redis *r, redis_fn fn, void *ctx, char *formatted, size_t n, const struct redis_script *script)
{
	if (!r->ac || r->why[0] || r->phase == REDIS_CLOSING)
		return false;
	struct pending *p = mem_new(struct pending);
	p->owner = r;
	p->fn = fn;
	p->ctx = ctx;
	p->deadline_ms = clock_mono_ms() + r->timeout_ms;
	bool first = list_empty(&r->pending);
	list_push_back(&r->pending, &p->node);
	if (redisAsyncFormattedCommand(r->ac, on_reply, p, formatted, n) != REDIS_OK) {
		free_pending(p);
		return false;
	}
	if (script) {
		p->script = script;
		p->formatted = formatted;
		p->formatted_n = n;
	} else {
		redisFreeCommand(formatted);
	}
	if (first)
		uv_timer_start(&r->deadline, on_deadline, r->timeout_ms, 0);
	return true;
}

/* The header's const is right; hiredis' is missing a level. */
static int format(char **out, int argc, const char *const *argv, const size_t *lens)
{
	return redisFormatCommandArgv(out, argc, (const char **)(uintptr_t)argv, lens);
}

bool redis_submit_argv(struct redis *r, redis_fn fn, void *ctx, int argc, const char *const *argv, const size_t *lens)
{
	char *formatted = NULL;
	int n = format(&formatted, argc, argv, lens);

	if (n < 0)
		return false;
	if (redis_submit(r, fn, ctx, formatted, (size_t)n, NULL))
		return true;
	redisFreeCommand(formatted);
	return false;
}

bool redis_command(struct redis *r, redis_fn fn, void *ctx, int argc, const char *const *argv, const size_t *lens)
{
	return redis_up(r) && redis_submit_argv(r, fn, ctx, argc, argv, lens);
}

bool redis_up(const struct redis *r)
{
	return r->phase == REDIS_UP && !r->why[0];
}

/* --- scripts ------------------------------------------------------------------------------------------------------ */

void redis_load_script(struct redis *r, const struct redis_script *s, redis_fn fn, void *ctx)
{
	const char *argv[] = { "SCRIPT", "LOAD", s->source };

	redis_submit_argv(r, fn, ctx, 3, argv, NULL);
}

void redis_script_register(struct redis *r, struct redis_script *s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(s->source, strlen(s->source), digest, &n, EVP_sha1(), NULL) != 1)
		abort();
	for (unsigned i = 0; i < 20; i++)
		snprintf(s->sha1 + 2 * i, 3, "%02x", digest[i]);
	r->scripts = mem_realloc(r->scripts, (r->script_count + 1) * sizeof(struct redis_script *));
	r->scripts[r->script_count++] = s;
	if (redis_up(r))
		redis_load_script(r, s, ignore, NULL);
}

bool redis_eval(struct redis *r, const struct redis_script *s, redis_fn fn, void *ctx, int keys, int argc, const char *const *argv,
                const size_t *lens)
{
	const char *all_inline[EVAL_ARGS_INLINE];
	size_t lens_inline[EVAL_ARGS_INLINE];
	char count[16];
	char *formatted = NULL;

	if (!redis_up(r))
		return false;
	bool heap = argc + 3 > EVAL_ARGS_INLINE;
	const char **all = heap ? mem_alloc((size_t)(argc + 3) * sizeof(*all)) : all_inline;
	size_t *all_lens = heap ? mem_alloc((size_t)(argc + 3) * sizeof(*all_lens)) : lens_inline;
	all[0] = "EVALSHA";
	all[1] = s->sha1;
	all[2] = count;
	snprintf(count, sizeof(count), "%d", keys);
	for (int i = 0; i < argc; i++)
		all[i + 3] = argv[i];
	for (int i = 0; i < argc + 3; i++)
		all_lens[i] = i >= 3 && lens ? lens[i - 3] : strlen(all[i]);
	int n = format(&formatted, argc + 3, all, all_lens);
	if (heap) {
		mem_free(all);
		mem_free(all_lens);
	}
	if (n < 0)
		return false;
	if (redis_submit(r, fn, ctx, formatted, (size_t)n, s))
		return true;
	redisFreeCommand(formatted);
	return false;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct redis *redis_new(uv_loop_t *loop, const struct redis_config *config)
{
	struct redis *r = mem_new(struct redis);
	uv_timer_t *timers[] = { &r->retry, &r->deadline, &r->heartbeat };

	r->loop = loop;
	r->url = mem_strdup(config->url ? config->url : "");
	r->password_file = mem_strdup(config->password_file ? config->password_file : "");
	r->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
	r->on_state = config->on_state;
	r->ctx = config->ctx;
	r->backoff_ms = BACKOFF_FIRST_MS;
	list_init(&r->pending);
	for (size_t i = 0; i < 3; i++) {
		uv_timer_init(loop, timers[i]);
		timers[i]->data = r;
		r->open_handles++;
	}
	redis_attempt(r);
	return r;
}

void redis_free_when_closed(struct redis *r)
{
	if (r->phase != REDIS_CLOSING || r->open_handles > 0 || r->ac || r->resolving)
		return;
	mem_free(r->url);
	mem_free(r->password_file);
	mem_free(r->scripts);
	mem_free(r);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct redis *r = handle->data;

	r->open_handles--;
	redis_free_when_closed(r);
}

void redis_free(struct redis **rp)
{
	struct redis *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	r->phase = REDIS_CLOSING;
	if (r->resolving)
		uv_cancel((uv_req_t *)&r->resolve);
	if (r->ac)
		redisAsyncFree(r->ac);
	uv_close((uv_handle_t *)&r->retry, on_timer_closed);
	uv_close((uv_handle_t *)&r->deadline, on_timer_closed);
	uv_close((uv_handle_t *)&r->heartbeat, on_timer_closed);
}
