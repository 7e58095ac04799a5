/* SPDX-License-Identifier: Apache-2.0
 *
 * err: text for a person, where a function can fail for a reason that someone will read (config, admin, start-up).
 * Everything else returns 0 or a code named in its header. */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

struct err {
	char text[512];
};

/* Always returns -1, so that `return err_set(e, ...)` reads well. e may be NULL. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
