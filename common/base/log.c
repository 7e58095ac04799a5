/* SPDX-License-Identifier: Apache-2.0
 *
 * log: see log.h. Lines are formatted by the caller into one of two bounded buffers under a short lock; a thread swaps the two and writes
 * the full one to stderr. A reader of stderr that does not read costs lines, never time. Formatting is in log_format.c. */
#include "common/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log_format.h"
#include "common/base/log_repeat.h"
#include "common/base/mem.h"

#define RING_BYTES    ((size_t)512 << 10)
#define LINE_BYTES    8192u /* longer ones are cut */
#define STOP_WAIT_MS  2000u
#define WRITE_AT_ONCE 4096u /* PIPE_BUF: what poll() promises room for */

enum log_level log_threshold = LOG_LEVEL_INFO;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool started, stopping;
	bool json;
	char *role, *name;
	struct buf filling;   /* written by callers under the lock */
	struct buf writing;   /* the thread's own */
	uint64_t dropped;     /* since start */
	uint64_t dropped_new; /* not yet reported */
	uint64_t stop_by_ms;
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Gives up when log_stop() has been waiting for too long on a reader that does not read. */
static bool may_go_on(void)
{
	pthread_mutex_lock(&logger.lock);
	bool yes = !logger.stopping || clock_mono_ms() < logger.stop_by_ms;
	pthread_mutex_unlock(&logger.lock);
	return yes;
}

static void write_out(struct str s)
{
	while (s.n > 0) {
		struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };
		if (poll(&fd, 1, 100) <= 0) {
			if (!may_go_on())
				return;
			continue;
		}
		ssize_t n = write(STDERR_FILENO, s.p, s.n < WRITE_AT_ONCE ? s.n : WRITE_AT_ONCE);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return;
		s = str_make(s.p + n, s.n - (size_t)n);
	}
}

static void format(struct buf *out, const struct log_line *line)
{
	if (logger.json)
		log_format_json(out, line);
	else
		log_format_text(out, line);
}

/* Into the ring; the lock is held. */
static void append(enum log_level level, const struct log_ctx *ctx, struct str text)
{
	struct log_line line = { clock_wall_us(), level, logger.role, logger.name, ctx, text };
	struct str before = buf_str(&logger.filling);

	format(&logger.filling, &line);
	if (!logger.filling.overflow)
		return;
	/* Half a line is worse than none. */
	logger.filling.n = logger.filling.start + before.n;
	logger.filling.overflow = false;
	logger.dropped++;
	logger.dropped_new++;
}

static void append_repeats(enum log_level level, uint64_t count, const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "repeated %llu times more: %s", (unsigned long long)count, text);

	append(level, NULL, str_make(line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1));
}

static void append_dropped(void)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "log lines dropped because the reader of stderr is slow count=%llu",
	                 (unsigned long long)logger.dropped_new);

	logger.dropped_new = 0;
	append(LOG_LEVEL_WARN, NULL, str_make(line, (size_t)n));
}

static void wait_for_work(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 1;
	while (logger.filling.n == 0 && !logger.stopping)
		if (pthread_cond_timedwait(&logger.wake, &logger.lock, &until) == ETIMEDOUT)
			return;
}

static void *writer(void *unused)
{
	(void)unused;
	for (;;) {
		pthread_mutex_lock(&logger.lock);
		wait_for_work();
		bool last = logger.stopping;
		log_repeat_flush(clock_mono_ms(), last, append_repeats);
		struct buf full = logger.filling;
		logger.filling = logger.writing;
		logger.writing = full;
		if (logger.dropped_new)
			append_dropped();
		last = last && logger.filling.n == 0;
		pthread_mutex_unlock(&logger.lock);
		write_out(buf_str(&logger.writing));
		buf_clear(&logger.writing);
		if (last)
			return NULL;
	}
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

static void start_thread(void)
{
	sigset_t all, before;
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&logger.wake, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are the main thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	logger.started = pthread_create(&logger.thread, NULL, writer, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void log_start(const char *role, const char *name, enum log_level level, bool json)
{
	if (logger.started)
		return;
	log_threshold = level;
	logger.json = json;
	logger.role = mem_strdup(role);
	logger.name = mem_strdup(name);
	logger.stopping = false;
	logger.dropped = logger.dropped_new = 0;
	buf_init(&logger.filling, RING_BYTES);
	buf_init(&logger.writing, RING_BYTES);
	start_thread();
}

void log_stop(void)
{
	if (!logger.started)
		return;
	pthread_mutex_lock(&logger.lock);
	logger.stopping = true;
	logger.stop_by_ms = clock_mono_ms() + STOP_WAIT_MS;
	pthread_cond_signal(&logger.wake);
	pthread_mutex_unlock(&logger.lock);
	pthread_join(logger.thread, NULL);
	pthread_cond_destroy(&logger.wake);
	logger.started = false;
	buf_fini(&logger.filling);
	buf_fini(&logger.writing);
	mem_free(logger.role);
	mem_free(logger.name);
	logger.role = logger.name = NULL;
	logger.json = false;
}

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

bool log_level_parse(const char *text, enum log_level *out)
{
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		if (strcmp(text, log_level_name((enum log_level)level)) == 0) {
			*out = (enum log_level)level;
			return true;
		}
	}
	return false;
}

uint64_t log_dropped(void)
{
	pthread_mutex_lock(&logger.lock);
	uint64_t n = logger.dropped;
	pthread_mutex_unlock(&logger.lock);
	return n;
}

static void write_directly(enum log_level level, const struct log_ctx *ctx, struct str text)
{
	struct buf out = { 0 };
	struct log_line line = { clock_wall_us(), level, logger.role, logger.name, ctx, text };

	format(&out, &line);
	struct str all = buf_str(&out);
	while (all.n > 0) {
		ssize_t n = write(STDERR_FILENO, all.p, all.n);
		if (n <= 0)
			break;
		all = str_make(all.p + n, all.n - (size_t)n);
	}
	buf_fini(&out);
}

void log_write(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...)
{
	char text[LINE_BYTES];
	va_list ap;

	if (level > log_threshold)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	struct str s = str_make(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	if (!logger.started) {
		write_directly(level, ctx, s);
		return;
	}
	pthread_mutex_lock(&logger.lock);
	if (log_repeat_admit(level, fmt, s, clock_mono_ms())) {
		append(level, ctx, s);
		pthread_cond_signal(&logger.wake);
	}
	pthread_mutex_unlock(&logger.lock);
}
