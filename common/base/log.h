/* SPDX-License-Identifier: Apache-2.0
 *
 * log: structured lines with a chain of context, never blocking.
 *
 * A line is: time level role[instance] event-text key=value ... Values come from the call's text and from the context chain: daemon, peer or
 * listener, connection, session, request; each context adds its fields. In JSON form every field is a member.
 * Severity: error = this daemon cannot do its work or has a bug; warn = someone should look; info = lifecycle; debug = off by default.
 * What a client does wrong is never more than info. Lines are written to stderr by a thread of their own from a bounded ring; when it is
 * full, lines are dropped and counted, and a warn line says how many. */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Embedded in the object it describes; must outlive every line logged with it. */
struct log_ctx {
	const struct log_ctx *parent;
	const char *key;   /* such as "conn"; NULL: nothing of its own */
	const char *value; /* text, or NULL: then number is printed in hex */
	uint64_t number;
};

/* role and name stand in every line. json: one JSON object a line. Starts the writer thread. */
void log_start(const char *role, const char *name, enum log_level level, bool json);
/* Writes what is left and ends the thread. Logging before log_start and after log_stop goes to stderr directly. */
void log_stop(void);
void log_set_level(enum log_level level);
bool log_level_parse(const char *text, enum log_level *out);
uint64_t log_dropped(void);
extern enum log_level log_threshold;

void log_write(enum log_level level, const struct log_ctx *ctx, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(ctx, ...) log_write(LOG_LEVEL_ERROR, ctx, __VA_ARGS__)
#define log_warn(ctx, ...)  log_write(LOG_LEVEL_WARN, ctx, __VA_ARGS__)
#define log_info(ctx, ...)  log_write(LOG_LEVEL_INFO, ctx, __VA_ARGS__)
#define log_debug(ctx, ...)                                                                                                                \
	do {                                                                                                                               \
		if (log_threshold >= LOG_LEVEL_DEBUG)                                                                                      \
			log_write(LOG_LEVEL_DEBUG, ctx, __VA_ARGS__);                                                                      \
	} while (0)

#endif
