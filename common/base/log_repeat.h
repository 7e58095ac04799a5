/* SPDX-License-Identifier: Apache-2.0
 *
 * log_repeat: keeps one place in the code from filling the log. Errors and warnings are counted by where they come from, whatever they
 * name; information by its whole text, so that only true repeats are held back; debug passes. Private to log; the caller locks. */
#ifndef COMMON_BASE_LOG_REPEAT_H
#define COMMON_BASE_LOG_REPEAT_H

#include <stdint.h>

#include "common/base/log.h"
#include "common/base/str.h"

#define LOG_REPEAT_WINDOW_MS 1000
#define LOG_REPEAT_BURST     10

/* May this line be written? When not, it has been counted. */
bool log_repeat_admit(enum log_level level, const char *fmt, struct str text, uint64_t now_ms);
/* Calls fn for every key whose window is over (or all, at the end) and that held lines back, and forgets it. */
void log_repeat_flush(uint64_t now_ms, bool all, void (*fn)(enum log_level level, uint64_t count, const char *text));

#endif
