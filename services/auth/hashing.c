/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/hashing.h"

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/mem.h"

#define SALT_SIZE 16

struct hashing {
	uv_loop_t *loop;
	struct list_node jobs;
	uint32_t open;
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* Belongs to the loop, except while run() works on it. */
struct job {
	uv_work_t work;
	struct list_node node;
	struct hashing *hashing;
	hashing_fn done;
	void *ctx;
	char *password;
	size_t password_n;
	bool derive;
	bool matches;
	uint64_t since_us;
	struct scram_keys keys[DIGEST_COUNT]; /* verify: the first is what is compared with */
};

struct hashing *hashing_new(uv_loop_t *loop)
{
	struct hashing *h = mem_new(struct hashing);

	h->loop = loop;
	list_init(&h->jobs);
	return h;
}

/* In a worker thread: touches nothing but the job. */
static void run(uv_work_t *work)
{
	struct job *job = work->data;
	struct str password = { job->password, job->password_n };

	if (!job->derive) {
		job->matches = scram_password_matches(&job->keys[0], password);
		return;
	}
	for (int i = 0; i < DIGEST_COUNT; i++) {
		struct scram_keys *k = &job->keys[i];
		uint8_t salt[SCRAM_SALT_MAX];

		memcpy(salt, k->salt, k->salt_n);
		scram_derive(k->hash, password, str_make(salt, k->salt_n), k->iterations, k);
	}
}

static void finished(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct hashing *h = job->hashing;
	struct hashing_result result = { .cancelled = status != 0,
		                         .matches = status == 0 && job->matches,
		                         .keys = job->keys,
		                         .waited_us = clock_mono_us() - job->since_us };

	list_remove(&job->node);
	h->open--;
	job->done(&result, job->ctx);
	mem_free_secret(job->password, job->password_n);
	mem_free_secret(job, sizeof(*job));
	if (h->open == 0 && h->idle) {
		void (*idle)(void *) = h->idle;

		h->idle = NULL;
		idle(h->idle_ctx);
	}
}

static struct job *job_new(struct hashing *h, struct str password, hashing_fn done, void *ctx)
{
	struct job *job = mem_new(struct job);

	job->work.data = job;
	job->hashing = h;
	job->done = done;
	job->ctx = ctx;
	job->password = mem_strndup(password.p, password.n);
	job->password_n = password.n;
	job->since_us = clock_mono_us();
	list_push_back(&h->jobs, &job->node);
	h->open++;
	return job;
}

bool hashing_verify(struct hashing *h, int64_t limit, const struct scram_keys *keys, struct str password, hashing_fn done, void *ctx)
{
	struct job *job;

	if (h->open >= limit)
		return false;
	job = job_new(h, password, done, ctx);
	job->keys[0] = *keys;
	uv_queue_work(h->loop, &job->work, run, finished);
	return true;
}

bool hashing_derive(struct hashing *h, int64_t limit, struct str password, uint32_t iterations, hashing_fn done, void *ctx)
{
	struct job *job;

	if (h->open >= limit)
		return false;
	job = job_new(h, password, done, ctx);
	job->derive = true;
	for (int i = 0; i < DIGEST_COUNT; i++) {
		job->keys[i] = (struct scram_keys){ .hash = (enum digest)i, .iterations = iterations, .salt_n = SALT_SIZE };
		random_bytes(job->keys[i].salt, SALT_SIZE);
	}
	uv_queue_work(h->loop, &job->work, run, finished);
	return true;
}

uint32_t hashing_open(const struct hashing *h)
{
	return h->open;
}

void hashing_when_idle(struct hashing *h, void (*fn)(void *ctx), void *ctx)
{
	if (h->open == 0) {
		fn(ctx);
		return;
	}
	h->idle = fn;
	h->idle_ctx = ctx;
}

void hashing_free(struct hashing **h)
{
	if (!*h)
		return;
	(*h)->idle = NULL;
	list_for_each (node, &(*h)->jobs)
		uv_cancel((uv_req_t *)&list_entry(node, struct job, node)->work);
	while ((*h)->open > 0)
		uv_run((*h)->loop, UV_RUN_ONCE);
	mem_free(*h);
	*h = NULL;
}
