/* SPDX-License-Identifier: Apache-2.0
 *
 * stall: see stall.h. A turn may be long because this process worked or slept too long in it (a bug: warn), or because the machine gave it no
 * time (info). The difference: a process that the machine held up used little CPU and did not wait of its own will. */
#include "common/daemon/stall.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/metrics.h"

#define FRAMES_MAX 24
#ifdef __SANITIZE_ADDRESS__
#define FRAMES_SKIPPED 3 /* the sanitizer, the handler, the signal's own frame */
#else
#define FRAMES_SKIPPED 2
#endif
#define FRAMES_SHOWN 8
#define BASELINE_US  10000u    /* usage is read at most this often, so that busy loops do not pay for it */
#define IDLE_LOOK_US 250000u   /* how often the thread looks at a loop that does nothing */
#define STUCK_US     10000000u /* a turn this long is reported while it lasts */
#define STALL_SIGNAL SIGPROF

struct usage {
	uint64_t at_us;
	uint64_t cpu_us;
	long waits; /* voluntary context switches */
};

/* What the loop tells the thread. */
struct turn {
	_Atomic uint64_t number, started_us, idle_us;
};

struct stall {
	uv_prepare_t prepare;
	_Atomic uint64_t limit_us;
	struct turn turn;
	struct usage baseline;
	long expected_waits; /* of the poll itself, since the baseline */

	pthread_t loop_thread, thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool has_thread, stopping;

	/* Written by the signal handler, on the loop's thread. */
	volatile sig_atomic_t captured;
	void *frames[FRAMES_MAX];
	int frame_count;
};

/* A signal handler has no argument of ours; a process has one loop to watch. */
static struct stall *watched;

static struct metric stalls = { .name = "starling_loop_stalls_total",
	                        .help = "Turns of the event loop longer than stall_warn.",
	                        .type = METRIC_COUNTER };
static struct metric busy = { .name = "starling_loop_busy_seconds_total",
	                      .help = "Time spent in the event loop outside of waiting.",
	                      .type = METRIC_COUNTER };

/* --- on the loop -------------------------------------------------------------------------------------------------- */

static struct usage read_usage(uint64_t now_us)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return (struct usage){
		.at_us = now_us,
		.cpu_us = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
		          (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec),
		.waits = ru.ru_nvcsw,
	};
}

static void name_frames(const struct stall *s, struct buf *out)
{
	char **names = backtrace_symbols(s->frames, s->frame_count);

	for (int i = FRAMES_SKIPPED; names && i < s->frame_count && i < FRAMES_SKIPPED + FRAMES_SHOWN; i++) {
		const char *base = strrchr(names[i], '/');
		base = base ? base + 1 : names[i];
		buf_printf(out, "%s%.*s", out->n ? " < " : "", (int)strcspn(base, " ["), base);
	}
	free(names);
}

static void report(struct stall *s, uint64_t spent_us, const struct usage *now)
{
	uint64_t cpu_us = now->cpu_us - s->baseline.cpu_us;
	long waits = now->waits - s->baseline.waits - s->expected_waits;
	bool machine = cpu_us < spent_us / 2 && waits <= 0;
	struct buf where = { 0 };

	if (s->captured)
		name_frames(s, &where);
	metric_inc(&stalls);
	log_write(machine ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, NULL, "%s took_ms=%llu cpu_ms=%llu at=\"%.*s\"",
	          machine ? "event loop was given no processor time" : "event loop stalled", (unsigned long long)(spent_us / 1000),
	          (unsigned long long)(cpu_us / 1000), STR_ARG(buf_str(&where)));
	buf_fini(&where);
}

/* Just before the poll: one turn is over, the next begins with its waiting. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct stall *s = prepare->data;
	uint64_t now_us = clock_mono_us();
	uint64_t idle_us = uv_metrics_idle_time(prepare->loop) / 1000;
	uint64_t waited_us = idle_us - atomic_load_explicit(&s->turn.idle_us, memory_order_relaxed);
	uint64_t elapsed_us = now_us - atomic_load_explicit(&s->turn.started_us, memory_order_relaxed);
	uint64_t spent_us = elapsed_us > waited_us ? elapsed_us - waited_us : 0;
	bool stalled = spent_us > atomic_load_explicit(&s->limit_us, memory_order_relaxed);

	metric_add(&busy, (double)spent_us / 1e6);
	s->expected_waits += waited_us > 0;
	if (stalled || now_us - s->baseline.at_us > BASELINE_US) {
		struct usage now = read_usage(now_us);
		if (stalled)
			report(s, spent_us, &now);
		s->baseline = now;
		s->expected_waits = 0;
		/* Reporting took time too, which is not the next turn's. */
		now_us = stalled ? clock_mono_us() : now_us;
	}
	s->captured = 0;
	atomic_store_explicit(&s->turn.started_us, now_us, memory_order_relaxed);
	atomic_store_explicit(&s->turn.idle_us, idle_us, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->turn.number, 1, memory_order_release);
}

static void on_signal(int number)
{
	struct stall *s = watched;
	int saved_errno = errno;

	(void)number;
	if (s && !s->captured) {
		s->frame_count = backtrace(s->frames, FRAMES_MAX);
		s->captured = 1;
	}
	errno = saved_errno;
}

/* --- the thread beside it ----------------------------------------------------------------------------------------- */

struct look {
	uint64_t turn;    /* last seen */
	uint64_t asked;   /* turn for which a backtrace was asked for */
	uint64_t stuck;   /* turn that was said to be stuck */
	uint64_t late_us; /* that this thread itself woke too late since that turn began: the process was stopped, or got no processor */
};

/* Looks once, at `now_us`, which is `late_us` after it wanted to; returns the time until the next look. */
static uint64_t look(struct stall *s, struct look *last, uint64_t now_us, uint64_t late_us)
{
	uint64_t limit_us = atomic_load_explicit(&s->limit_us, memory_order_relaxed);
	uint64_t turn = atomic_load_explicit(&s->turn.number, memory_order_acquire);
	uint64_t started_us = atomic_load_explicit(&s->turn.started_us, memory_order_relaxed);
	uint64_t idle_before_us = atomic_load_explicit(&s->turn.idle_us, memory_order_relaxed);
	uint64_t idle_us = uv_metrics_idle_time(s->prepare.loop) / 1000 - idle_before_us;
	uint64_t elapsed_us = now_us > started_us ? now_us - started_us : 0;
	bool moved = turn != last->turn;
	uint64_t spent_us;

	last->turn = turn;
	last->late_us = moved ? late_us : last->late_us + late_us;
	idle_us += last->late_us;
	spent_us = elapsed_us > idle_us ? elapsed_us - idle_us : 0;
	/* Values of two turns mixed: look again soon. */
	if (turn != atomic_load_explicit(&s->turn.number, memory_order_acquire))
		return limit_us / 2;
	if (spent_us > limit_us && last->asked != turn) {
		last->asked = turn;
		pthread_kill(s->loop_thread, STALL_SIGNAL);
	}
	if (spent_us > STUCK_US && last->stuck != turn) {
		last->stuck = turn;
		log_error(NULL, "event loop is stuck since_ms=%llu", (unsigned long long)(spent_us / 1000));
	}
	bool idle = !moved && spent_us < limit_us / 4;
	return idle && limit_us / 2 < IDLE_LOOK_US ? IDLE_LOOK_US : limit_us / 2;
}

static void *watch(void *arg)
{
	struct stall *s = arg;
	struct look last = { 0 };
	uint64_t now_us = clock_mono_us(), next_us = IDLE_LOOK_US;

	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		/* From the look, not from now: wherever the process is stopped in between, the next look is late by that. */
		uint64_t at_us = now_us + next_us;
		struct timespec at = { .tv_sec = (time_t)(at_us / 1000000), .tv_nsec = (long)(at_us % 1000000) * 1000 };
		if (pthread_cond_timedwait(&s->wake, &s->lock, &at) != ETIMEDOUT)
			continue;
		now_us = clock_mono_us();
		next_us = look(s, &last, now_us, now_us > at_us ? now_us - at_us : 0);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void start_thread(struct stall *s)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_condattr_t attr;
	sigset_t all, before;
	void *warm_up[2];

	/* The first backtrace loads a library, which a signal handler must not do. */
	backtrace(warm_up, 2);
	sigaction(STALL_SIGNAL, &action, NULL);
	s->loop_thread = pthread_self();
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->has_thread = pthread_create(&s->thread, NULL, watch, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_thread(struct stall *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct stall *stall_new(uv_loop_t *loop, int64_t warn_ms)
{
	if (warn_ms <= 0 || uv_loop_configure(loop, UV_METRICS_IDLE_TIME) < 0)
		return NULL;
	struct stall *s = mem_new(struct stall);
	metrics_register(&stalls);
	metrics_register(&busy);
	stall_set_limit(s, warn_ms);
	uv_prepare_init(loop, &s->prepare);
	s->prepare.data = s;
	uv_prepare_start(&s->prepare, on_prepare);
	/* Watching is no reason to stay. */
	uv_unref((uv_handle_t *)&s->prepare);
	s->baseline = read_usage(clock_mono_us());
	atomic_store(&s->turn.started_us, clock_mono_us());
	/* Not 0, which in the thread's notes means none. */
	atomic_store(&s->turn.number, 1);
	watched = s;
	start_thread(s);
	return s;
}

void stall_set_limit(struct stall *s, int64_t warn_ms)
{
	if (s && warn_ms > 0)
		atomic_store_explicit(&s->limit_us, (uint64_t)warn_ms * 1000, memory_order_relaxed);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void stall_free(struct stall **sp)
{
	struct stall *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	stop_thread(s);
	signal(STALL_SIGNAL, SIG_IGN);
	watched = NULL;
	uv_close((uv_handle_t *)&s->prepare, on_closed);
}
