/* SPDX-License-Identifier: Apache-2.0 */
#include "services/storage/archive_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "services/storage/options.h"

static int parse_age(const char *value, struct archive_limit *out)
{
	int64_t ms;

	if (config_parse_duration(value, &ms) < 0 || ms < 0 || ms > INT64_MAX / 1000)
		return -1;
	out->max_age_us = ms * 1000;
	return 0;
}

static int parse_number(const char *value, struct archive_limit *out)
{
	char *end;

	errno = 0;
	out->max_messages = strtoll(value, &end, 10);
	return *value < '0' || *value > '9' || *end || errno || out->max_messages > INT32_MAX ? -1 : 0;
}

static const struct {
	const char *name;
	int (*parse)(const char *value, struct archive_limit *out);
} keys[] = { { "max_age=", parse_age }, { "max_messages=", parse_number } };

static int parse_key(const char *word, struct archive_limit *out)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strncmp(word, keys[i].name, strlen(keys[i].name)) == 0)
			return keys[i].parse(word + strlen(keys[i].name), out);
	return -1;
}

int archive_limit_parse(const char *text, struct archive_limit *out, struct err *e)
{
	char *copy = mem_strdup(text), *at = NULL, *word = strtok_r(copy, " ", &at);
	uint32_t found = 0;

	*out = (struct archive_limit){ .host = word ? mem_strdup(word) : NULL };
	while (out->host && (word = strtok_r(NULL, " ", &at)) != NULL) {
		if (parse_key(word, out) < 0) {
			err_set(e, "\"%s\": \"%s\" is not max_age=DURATION or max_messages=NUMBER", text, word);
			goto bad;
		}
		found++;
	}
	if (found == 0) {
		err_set(e, "\"%s\": not a host with max_age=DURATION or max_messages=NUMBER behind it", text);
		goto bad;
	}
	mem_free(copy);
	return 0;
bad:
	mem_free(copy);
	mem_free(out->host);
	*out = (struct archive_limit){ 0 };
	return -1;
}

int archive_limits_init(struct archive_limits *limits, const struct options *o, struct err *e)
{
	struct err why;

	*limits = (struct archive_limits){ .all = { NULL, o->archive_max_age_ms * 1000, o->archive_max_messages } };
	limits->hosts = mem_zalloc((o->archive_hosts.count + 1) * sizeof *limits->hosts);
	for (size_t i = 0; i < o->archive_hosts.count; i++) {
		if (archive_limit_parse(o->archive_hosts.items[i], &limits->hosts[limits->count], &why) < 0) {
			archive_limits_fini(limits);
			return err_set(e, "services.storage.archive.hosts: %s", why.text);
		}
		limits->count++;
	}
	return 0;
}

void archive_limits_fini(struct archive_limits *limits)
{
	for (size_t i = 0; i < limits->count; i++)
		mem_free(limits->hosts[i].host);
	mem_free(limits->hosts);
	*limits = (struct archive_limits){ 0 };
}
