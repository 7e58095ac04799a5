/* SPDX-License-Identifier: Apache-2.0
 *
 * log_format: one log line, as text for people or as a JSON object. Pure: bytes in, bytes out. Private to log. */
#ifndef COMMON_BASE_LOG_FORMAT_H
#define COMMON_BASE_LOG_FORMAT_H

#include "common/base/buf.h"
#include "common/base/log.h"

struct log_line {
	int64_t wall_us;
	enum log_level level;
	const char *role, *name;   /* NULL before log_start */
	const struct log_ctx *ctx; /* innermost; printed from the outermost inwards */
	struct str text;           /* event text, with its own key=value behind it */
};

/* Appends the line and its newline. Control characters, quotes and broken UTF-8 are escaped: a line never holds a second line. */
void log_format_text(struct buf *out, const struct log_line *line);
void log_format_json(struct buf *out, const struct log_line *line);
const char *log_level_name(enum log_level level);

#endif
