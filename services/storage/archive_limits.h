/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_limits: how much an account's archive keeps, by default and by host (services.storage.archive). */
#ifndef STORAGE_ARCHIVE_LIMITS_H
#define STORAGE_ARCHIVE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct options;

struct archive_limit {
	char *host;           /* NULL: the default */
	int64_t max_age_us;   /* 0: none */
	int64_t max_messages; /* 0: none */
};

struct archive_limits {
	struct archive_limit all;
	struct archive_limit *hosts;
	size_t count;
};

/* 0, or -1 with e set and nothing to be freed. */
int archive_limits_init(struct archive_limits *limits, const struct options *options, struct err *e);
void archive_limits_fini(struct archive_limits *limits);
/* One entry of archive.hosts: "HOST [max_age=DURATION] [max_messages=NUMBER]", with at least one of the two. */
int archive_limit_parse(const char *text, struct archive_limit *out, struct err *e);

#endif
