/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/args.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon/config.h"

enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_LIST, VALUE_NUMBER, VALUE_DURATION };

struct option_row {
	enum args_option option;
	const char *name;
	const char *value; /* NULL: a flag */
	enum value_kind kind;
	size_t offset;
	const char *doc;
};

static const struct option_row rows[] = {
	{ OPTION_DIR, "dir", "DIR", VALUE_TEXT, offsetof(struct args, dir),
	  "state folder (else $STARLING_DIR, the current folder if it has starling.yml, /etc/starling)" },
	{ OPTION_DOMAIN, "domain", "NAME", VALUE_LIST, 0, "a virtual host to serve; may be repeated (default: localhost)" },
	{ OPTION_MISSING, "missing", NULL, VALUE_NONE, offsetof(struct args, missing), "make only what an existing folder lacks" },
	{ OPTION_DETACH, "detach", NULL, VALUE_NONE, offsetof(struct args, detach), "return when all is ready; logs go to DIR/log" },
	{ OPTION_PORT_OFFSET, "port-offset", "N", VALUE_NUMBER, offsetof(struct args, port_offset), "added to every listening port" },
	{ OPTION_SCALE, "scale", "ROLE=N,...", VALUE_TEXT, offsetof(struct args, scale),
	  "how many instances of a role to run (default: one each)" },
	{ OPTION_NO_POSTGRES, "no-postgres", NULL, VALUE_NONE, offsetof(struct args, no_postgres), "start no private PostgreSQL" },
	{ OPTION_NO_REDIS, "no-redis", NULL, VALUE_NONE, offsetof(struct args, no_redis), "start no private Redis" },
	{ OPTION_WHEN_READY, "when-ready", "PROGRAM", VALUE_TEXT, offsetof(struct args, when_ready), "run PROGRAM once when all is ready" },
	{ OPTION_TIMEOUT, "timeout", "TIME", VALUE_DURATION, offsetof(struct args, timeout_ms), "longest wait for the flock, such as 5s" },
	{ OPTION_JSON, "json", NULL, VALUE_NONE, offsetof(struct args, json), "print JSON" },
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const struct option_row *find_row(const char *name, size_t n, unsigned allowed)
{
	for (unsigned i = 0; i < ROW_COUNT; i++)
		if ((rows[i].option & allowed) && strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
			return &rows[i];
	return NULL;
}

static int parse_number(const char *text, int64_t *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end || v < 0 || v > 60000)
		return -1;
	*out = v;
	return 0;
}

static int store(struct args *a, const struct option_row *row, const char *value, struct err *e)
{
	char *field = (char *)a + row->offset;
	int rc = 0;

	switch (row->kind) {
	case VALUE_NONE:
		*(bool *)(void *)field = true;
		break;
	case VALUE_TEXT:
		*(const char **)(void *)field = value;
		break;
	case VALUE_LIST:
		if (a->domain_count == ARGS_MAX_DOMAINS)
			return err_set(e, "--%s: at most %d", row->name, ARGS_MAX_DOMAINS);
		a->domains[a->domain_count++] = value;
		break;
	case VALUE_NUMBER:
		rc = parse_number(value, (int64_t *)(void *)field);
		break;
	case VALUE_DURATION:
		rc = config_parse_duration(value, (int64_t *)(void *)field);
		break;
	}
	return rc ? err_set(e, "--%s: '%s' is no %s", row->name, value, row->kind == VALUE_DURATION ? "duration" : "number from 0 to 60000")
	          : 0;
}

/* One option at argv[*i]; moves *i over a value in its own word. */
static int parse_option(struct args *a, unsigned allowed, int argc, char **argv, int *i, struct err *e)
{
	const char *name = argv[*i] + 2;
	const char *equals = strchr(name, '=');
	size_t n = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_row *row = find_row(name, n, allowed);

	if (n == 4 && strncmp(name, "help", 4) == 0) {
		a->help = true;
		return 0;
	}
	if (!row)
		return err_set(e, "unknown option --%.*s", (int)n, name);
	if (!row->value)
		return equals ? err_set(e, "--%s takes no value", row->name) : store(a, row, NULL, e);
	if (equals)
		return store(a, row, equals + 1, e);
	if (*i + 1 >= argc)
		return err_set(e, "--%s needs a value: %s", row->name, row->value);
	return store(a, row, argv[++*i], e);
}

int args_parse(struct args *a, unsigned allowed, unsigned min_words, unsigned max_words, int argc, char **argv, struct err *e)
{
	bool options = true;

	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && strncmp(argv[i], "--", 2) == 0) {
			if (parse_option(a, allowed, argc, argv, &i, e))
				return -1;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			return err_set(e, "unknown option %s", argv[i]);
		} else if (a->word_count == max_words || a->word_count == ARGS_MAX_WORDS) {
			return err_set(e, "unexpected argument '%s'", argv[i]);
		} else {
			a->words[a->word_count++] = argv[i];
		}
	}
	if (!a->help && a->word_count < min_words)
		return err_set(e, "too few arguments");
	return 0;
}

void args_print_options(unsigned allowed)
{
	char left[64];

	for (unsigned i = 0; i < ROW_COUNT; i++) {
		if (!(rows[i].option & allowed))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].value ? " " : "", rows[i].value ? rows[i].value : "");
		printf("  %-20s %s\n", left, rows[i].doc);
	}
}
