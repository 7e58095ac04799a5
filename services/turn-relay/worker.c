/* SPDX-License-Identifier: Apache-2.0
 *
 * worker: a thread's beginning, its mailbox, its end. */
#include "services/turn-relay/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "services/turn-relay/mobility.h"

uint64_t worker_random(struct worker *w)
{
	/* splitmix64 over a random start: not to be guessed by those who see little of it, and no secret. */
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void worker_transaction(struct worker *w, uint8_t id[STUN_ID_SIZE])
{
	uint64_t a = worker_random(w);
	uint32_t b = (uint32_t)worker_random(w);

	memcpy(id, &a, 8);
	memcpy(id + 8, &b, 4);
}

/* --- mail --------------------------------------------------------------------------------------------------------- */

static void read_mail(struct worker *w)
{
	struct mail *all;

	pthread_mutex_lock(&w->mail_lock);
	all = w->mail;
	w->mail = NULL;
	w->mail_end = &w->mail;
	pthread_mutex_unlock(&w->mail_lock);
	while (all) {
		struct mail *m = all;

		all = m->next;
		m->fn(w, m->arg);
		mem_free(m);
	}
}

static void tear_down(struct worker *w);

static void on_mail(uv_async_t *h)
{
	struct worker *w = h->data;

	read_mail(w);
	if (!w->stopping)
		return;
	/* What came before the others knew. */
	read_mail(w);
	tear_down(w);
}

void worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct mail *m = mem_new(struct mail);

	m->fn = fn;
	m->arg = arg;
	pthread_mutex_lock(&w->mail_lock);
	*w->mail_end = m;
	w->mail_end = &m->next;
	pthread_mutex_unlock(&w->mail_lock);
	uv_async_send(&w->mail_async);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* After all sockets of this turn: what they had for others. */
static void on_check(uv_check_t *h)
{
	struct worker *w = h->data;
	struct timespec rest;

	if (w->out.count > 0)
		out_flush(w);
	rest = (struct timespec){ .tv_nsec = 1000L * pace_turn(&w->pace, clock_mono_us(), w->slots.used) };
	w->slots.used = 0;
	if (rest.tv_nsec)
		/* lint: allow nanosleep: a timer would not keep datagrams from waking us (pace.h) */
		nanosleep(&rest, NULL);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	/* The kernel would make each rest (pace.h) half as long again. */
	prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
	uv_update_time(&w->uv);
	udp_begin(w);
	relayed_begin(w);
	stream_gate(w);
	uv_run(&w->uv, UV_RUN_DEFAULT);
	return NULL;
}

static void stop(struct worker *w, void *arg)
{
	(void)arg;
	w->stopping = true;
	roam_leave(w->shared->roam, w);
}

/* On the worker's thread: the last that it does. */
static void tear_down(struct worker *w)
{
	claim_drop_all(w);
	pair_close_all(w);
	stream_close_all(w);
	dtls_close(w);
	while (!list_empty(&w->allocations))
		allocation_free(list_entry(w->allocations.next, struct allocation, node));
	udp_close(w);
	relayed_close(w);
	uv_close((uv_handle_t *)&w->check, NULL);
	uv_close((uv_handle_t *)&w->mail_async, NULL);
	net_loop_free(&w->net);
}

struct worker *worker_new(struct shared *shared, unsigned index, struct creds *creds, struct err *e)
{
	const struct turn_config *c = shared->config;
	struct ratelimit_config connects = { .rate = (double)c->connect_rate, .burst = (double)c->connect_burst };
	struct worker *w = mem_new(struct worker);

	w->shared = shared;
	w->index = index;
	w->creds = creds_ref(creds);
	w->random = random_u64();
	w->budget = budget_new((uint32_t)c->unauthenticated_rate, (uint32_t)c->unauthenticated_burst, shared->hash_key);
	w->connects = ratelimit_new(&connects);
	w->bucket_count = TURN_BUCKETS_MIN;
	w->buckets = mem_zalloc(w->bucket_count * sizeof(*w->buckets));
	w->mail_end = &w->mail;
	list_init(&w->streams);
	list_init(&w->sniffs);
	list_init(&w->allocations);
	list_init(&w->pairs);
	slots_init(&w->slots);
	pthread_mutex_init(&w->mail_lock, NULL);
	uv_loop_init(&w->uv);
	w->net = net_loop_new(&w->uv);
	uv_async_init(&w->uv, &w->mail_async, on_mail);
	uv_check_init(&w->uv, &w->check);
	w->mail_async.data = w->check.data = w;
	uv_check_start(&w->check, on_check);
	roam_join(shared->roam, w);
	w->dtls_peer = BIO_ADDR_new();
	if (relayed_open(w, e) != 0 || dtls_open(w, e) != 0 || udp_open(w, e) != 0 || stream_listen(w, e) != 0)
		worker_free(&w);
	return w;
}

/* Signals are the main thread's. */
int worker_start(struct worker *w, struct err *e)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->started = rc == 0;
	return rc == 0 ? 0 : err_set(e, "cannot start a thread: %s", strerror(rc));
}

void worker_free(struct worker **w)
{
	struct worker *it = *w;

	*w = NULL;
	if (!it)
		return;
	if (it->started) {
		worker_post(it, stop, NULL);
		pthread_join(it->thread, NULL);
	} else {
		stop(it, NULL);
		tear_down(it);
		uv_run(&it->uv, UV_RUN_DEFAULT);
	}
	uv_loop_close(&it->uv);
	/* What others sent after the last look: there is nothing left that it could be about. */
	while (it->mail) {
		struct mail *m = it->mail;

		it->mail = m->next;
		mem_free(m);
	}
	tls_set_unref(&it->tls);
	creds_unref(&it->creds);
	budget_free(&it->budget);
	ratelimit_free(&it->connects);
	BIO_ADDR_free(it->dtls_peer);
	slots_fini(&it->slots);
	mem_free(it->buckets);
	pthread_mutex_destroy(&it->mail_lock);
	mem_free(it);
}
