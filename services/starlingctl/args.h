/* SPDX-License-Identifier: Apache-2.0
 *
 * args: the command line of one command, by a table. Long options with their value behind a space or '='; options may stand before, between and
 * behind the positional arguments; "--" ends them. */
#ifndef SERVICES_STARLINGCTL_ARGS_H
#define SERVICES_STARLINGCTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum { ARGS_MAX_DOMAINS = 64, ARGS_MAX_WORDS = 4 };

/* Every option of every command; a command takes those in its `options`. Strings point into argv. */
struct args {
	const char *dir;
	const char *domains[ARGS_MAX_DOMAINS];
	unsigned domain_count;
	const char *scale;
	const char *when_ready;
	int64_t port_offset;
	int64_t timeout_ms;
	bool json;
	bool detach;
	bool no_postgres;
	bool no_redis;
	bool missing;
	bool help;
	const char *words[ARGS_MAX_WORDS];
	unsigned word_count;
};

enum args_option {
	OPTION_DIR = 1 << 0,
	OPTION_DOMAIN = 1 << 1,
	OPTION_SCALE = 1 << 2,
	OPTION_WHEN_READY = 1 << 3,
	OPTION_PORT_OFFSET = 1 << 4,
	OPTION_TIMEOUT = 1 << 5,
	OPTION_JSON = 1 << 6,
	OPTION_DETACH = 1 << 7,
	OPTION_NO_POSTGRES = 1 << 8,
	OPTION_NO_REDIS = 1 << 9,
	OPTION_MISSING = 1 << 10,
};

/* Parses argv[0..argc) behind the command's name. allowed: set of enum args_option; --help is always allowed. 0, or -1 with e set. */
int args_parse(struct args *a, unsigned allowed, unsigned min_words, unsigned max_words, int argc, char **argv, struct err *e);
/* One line of help an option in `allowed`, to stdout. */
void args_print_options(unsigned allowed);

#endif
