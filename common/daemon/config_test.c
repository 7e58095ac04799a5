/* SPDX-License-Identifier: Apache-2.0
 *
 * What is refused, with which words; what is read; what --print-config shows. */
#include "common/daemon/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct own {
	bool flag;
	int64_t count, idle_ms, limit;
	char *name, *cert, *key;
	int colour;
	struct config_list words;
};

static const char *const colours[] = { "red", "green", NULL };
#define OWN(member) offsetof(struct own, member)
static const struct config_option options[] = {
	{ .name = "flag", .type = CONFIG_BOOL, .offset = OWN(flag), .fallback = "true" },
	{ .name = "count", .type = CONFIG_INT, .offset = OWN(count), .fallback = "-3", .min = -5, .max = 100, .reloads = true },
	{ .name = "idle", .type = CONFIG_DURATION, .offset = OWN(idle_ms), .fallback = "90s", .min = 1000, .max = 3600000 },
	{ .name = "limit", .type = CONFIG_SIZE, .offset = OWN(limit), .fallback = "64KiB" },
	{ .name = "name", .type = CONFIG_STRING, .offset = OWN(name), .reloads = true },
	{ .name = "tls.certificate", .type = CONFIG_PATH, .offset = OWN(cert), .fallback = "tls/cert.pem" },
	{ .name = "tls.private.key", .type = CONFIG_PATH, .offset = OWN(key), .required = true },
	{ .name = "colour", .type = CONFIG_ENUM, .offset = OWN(colour), .fallback = "green", .choices = colours },
	{ .name = "words", .type = CONFIG_LIST, .offset = OWN(words), .fallback = "one, two" },
	CONFIG_END,
};

#define SHARED "hosts: [example.org]\nbus: {routers: ['tcp://r:1']}\n"
#define GOOD   SHARED "services:\n  auth:\n    tls: {private: {key: k}}\n"

static char dir[] = "/tmp/config-test-XXXXXX";
static char file[64];

static void put(const char *text, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static int load(const char *text, struct config_shared *shared, struct own *own, struct err *e)
{
	put(text, strlen(text));
	memset(own, 0, sizeof(*own));
	e->text[0] = '\0';
	return config_load(file, "auth", options, shared, own, e);
}

/* The message behind "FILE:" must be this. */
static void expect_refusal(const char *text, const char *message)
{
	struct config_shared shared;
	struct own own;
	struct err e;

	assert_int_equal(load(text, &shared, &own, &e), -1);
	const char *said = strncmp(e.text, file, strlen(file)) == 0 ? e.text + strlen(file) + 1 : e.text;
	assert_string_equal(said, message);
	assert_null(shared.state_dir);
	assert_null(own.name);
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		/* unknown keys, with the nearest known one */
		{ SHARED "hots: [x]\n", "3: unknown key 'hots', did you mean 'hosts'?" },
		{ SHARED "servcies: {}\n", "3: unknown key 'servcies', did you mean 'services'?" },
		{ "bus: {router: [a]}\n", "1: unknown key 'router', did you mean 'routers'?" },
		{ "routers: [a]\n", "1: unknown key 'routers', did you mean 'bus.routers'?" },
		{ "bus.routers: [a]\n", "1: unknown key 'bus.routers'" },
		{ "completely_different: 1\n", "1: unknown key 'completely_different'" },
		{ "services:\n  auth:\n    cuont: 1\n", "3: unknown key 'cuont', did you mean 'count'?" },
		{ "services:\n  auth:\n    tls:\n      certificat: x\n", "4: unknown key 'certificat', did you mean 'certificate'?" },
		{ "services:\n  auht: {}\n", "2: unknown service 'auht', did you mean 'auth'?" },
		{ "services: {telephone-exchange: {}}\n",
		  "1: unknown service 'telephone-exchange' (the name of a daemon of your own must begin with x-)" },
		/* duplicates */
		{ "hosts: [a]\nhosts: [b]\n", "2: key 'hosts' stands twice, first in line 1" },
		{ "services:\n  auth:\n    count: 1\n    flag: true\n    count: 2\n", "5: key 'count' stands twice, first in line 3" },
		{ "services: {auth: {}, auth: {}}\n", "1: key 'auth' stands twice, first in line 1" },
		/* types and ranges */
		{ "services: {auth: {flag: yes}}\n", "1: 'flag' must be true or false, not 'yes'" },
		{ "services: {auth: {count: 1.5}}\n", "1: 'count' must be a whole number, not '1.5'" },
		{ "services: {auth: {count: 101}}\n", "1: 'count' must be in the range -5 to 100, not 101" },
		{ "services: {auth: {count: -6}}\n", "1: 'count' must be in the range -5 to 100, not -6" },
		{ "services: {auth: {count: 9223372036854775808}}\n", "1: 'count' must be a whole number, not '9223372036854775808'" },
		{ "services: {auth: {idle: 30}}\n",
		  "1: 'idle' must be a duration with its unit, such as 250ms, 30s, 5m, 2h or 7d, not '30'" },
		{ "services: {auth: {idle: 500ms}}\n", "1: 'idle' must be in the range 1s to 1h, not 500ms" },
		{ "services: {auth: {limit: 64KB}}\n", "1: 'limit' must be a size in bytes, such as 512, 64KiB, 1MiB or 2GiB, not '64KB'" },
		{ "services: {auth: {limit: 9999999999GiB}}\n",
		  "1: 'limit' must be a size in bytes, such as 512, 64KiB, 1MiB or 2GiB, not '9999999999GiB'" },
		{ "services: {auth: {colour: blue}}\n", "1: 'colour' must be one of red, green, not 'blue'" },
		{ "services: {auth: {words: one}}\n", "1: 'words' must be a list of texts, such as [one, two]" },
		{ "services: {auth: {words: [[a]]}}\n", "1: 'words' must be a list of texts, such as [one, two]" },
		{ "services: {auth: {name: [a]}}\n", "1: 'name' must be a single value" },
		{ "services: {auth: {name: \"a\\0b\"}}\n", "1: 'name' must be a single value" },
		{ "services: {auth: {name: }}\n", "1: 'name' has no value" },
		{ "services: {auth: {tls: x}}\n", "1: expected keys and values here" },
		{ "services: {auth: x}\n", "1: expected keys and values here" },
		{ "services: {router: [x]}\n", "1: a service's settings must be keys and values" },
		{ "services: [auth]\n", "1: 'services' must map roles to their settings" },
		{ "[a]\n", "1: expected keys and values here" },
		{ "? [a, b]\n: c\n", "1: a key must be a short text" },
		/* YAML itself */
		{ "hosts: [a\nuser: x\n", "2: not YAML: did not find expected ',' or ']'" },
		{ GOOD "---\na: b\n", " more than one YAML document" },
		{ GOOD "\tx: y\n", "6: not YAML: found character that cannot start any token" },
		/* required, and what values mean */
		{ "", " missing key 'hosts'" },
		{ "# nothing\n", " missing key 'hosts'" },
		{ SHARED, " missing key 'services.auth.tls.private.key'" },
		{ SHARED "services:\n  auth:\n", "4: missing key 'tls.private.key'" },
		{ "hosts: []\nbus: {routers: ['tcp://r:1']}\nservices: {auth: {tls: {private: {key: k}}}}\n",
		  " 'hosts' is empty: name at least one domain" },
		{ "hosts: [a b]\nbus: {routers: ['tcp://r:1']}\nservices: {auth: {tls: {private: {key: k}}}}\n",
		  " 'hosts' holds 'a b', which is not a domain name" },
		{ "hosts: [A.example, a.Example]\nbus: {routers: ['tcp://r:1']}\nservices: {auth: {tls: {private: {key: k}}}}\n",
		  " 'hosts' holds 'a.example' twice" },
		{ "hosts: [a]\nbus: {routers: [r]}\nservices: {auth: {tls: {private: {key: k}}}}\n",
		  " 'bus.routers' holds 'r', which is neither tcp://NAME:PORT nor ipc://PATH" },
		{ GOOD "redis: {url: localhost}\n", " 'redis.url' is 'localhost', which is neither unix:///PATH nor tcp://HOST:PORT" },
		{ GOOD "log: {level: loud}\n", "6: 'log.level' must be one of error, warn, info, debug, not 'loud'" },
		{ GOOD "metrics: {port: 65536}\n", "6: 'metrics.port' must be in the range 0 to 65535, not 65536" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refusal(rows[i].text, rows[i].message);
}

static void unreadable_files(void **state)
{
	struct config_shared shared;
	struct own own = { 0 };
	struct err e;
	char text[200];

	(void)state;
	assert_int_equal(config_load("/nonexistent/x.yml", "auth", options, &shared, &own, &e), -1);
	assert_string_equal(e.text, "/nonexistent/x.yml: No such file or directory");
	assert_int_equal(config_load(dir, "auth", options, &shared, &own, &e), -1);
	snprintf(text, sizeof(text), "%s: Is a directory", dir);
	assert_string_equal(e.text, text);
	char *big = mem_alloc((1 << 20) + 1);
	memset(big, '#', (1 << 20) + 1);
	put(big, (1 << 20) + 1);
	mem_free(big);
	assert_int_equal(config_load(file, "auth", options, &shared, &own, &e), -1);
	assert_non_null(strstr(e.text, "larger than 1 MiB"));
}

/* Whatever the bytes, loading ends with a value or a message: aliases that refer to themselves among them. */
static void odd_yaml(void **state)
{
	static const char *const texts[] = {
		"services: &a {auth: *a}\n",
		"&a [*a]\n",
		"&a {services: *a}\n",
		"hosts: &h [x]\nbus: {routers: *h}\n",
		"!!binary hosts: x\n",
		"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{",
		"\xff\xfe",
		"a: !!set {x}\n",
	};
	struct config_shared shared;
	struct own own;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(load(texts[i], &shared, &own, &e), -1);
		assert_string_not_equal(e.text, "");
	}
}

static void defaults(void **state)
{
	struct config_shared shared;
	struct own own;
	struct err e;
	char path[100];

	(void)state;
	assert_int_equal(load(GOOD, &shared, &own, &e), 0);
	assert_true(own.flag);
	assert_int_equal(own.count, -3);
	assert_int_equal(own.idle_ms, 90000);
	assert_int_equal(own.limit, 65536);
	assert_string_equal(own.name, "");
	assert_int_equal(own.colour, 1);
	assert_int_equal(own.words.count, 2);
	assert_string_equal(own.words.items[1], "two");
	/* Relative paths start at the file's folder. */
	snprintf(path, sizeof(path), "%s/tls/cert.pem", dir);
	assert_string_equal(own.cert, path);
	assert_string_equal(shared.state_dir, dir);
	assert_int_equal(shared.log_level, LOG_LEVEL_INFO);
	assert_string_equal(shared.redis_password_file, "");
	config_free(options, &shared, &own);
}

static void everything_set(void **state)
{
	static const char text[] = "hosts: [EXAMPLE.org, b\xc3\xbc"
	                           "cher.example]\n"
	                           "state_dir: /var/lib/starling\n"
	                           "bus:\n  routers: ['ipc:///run/router.*.ipc', tcp://r:1]\n  keys: ../keys\n"
	                           "redis: {url: 'unix:///run/redis.sock', password_file: /p}\n"
	                           "log: {level: debug, json: true}\nuser: nobody\nmetrics: {address: '::1', port: 9100}\n"
	                           "stall_warn: 1s\ndrain: 5m\n"
	                           "services:\n"
	                           "  router:\n  x-own: {anything: [goes, {here: 1}]}\n"
	                           "  auth: {flag: false, count: 100, idle: 1h, limit: 2GiB, name: 'a: b', colour: red, words: [],\n"
	                           "         tls: {certificate: /c, private: {key: /k}}}\n";
	struct config_shared shared;
	struct own own;
	struct err e;

	(void)state;
	assert_int_equal(load(text, &shared, &own, &e), 0);
	assert_string_equal(shared.hosts.items[0], "example.org");
	assert_string_equal(shared.hosts.items[1], "b\xc3\xbc"
	                                           "cher.example");
	assert_int_equal(shared.routers.count, 2);
	assert_int_equal(shared.log_level, LOG_LEVEL_DEBUG);
	assert_true(shared.log_json);
	assert_int_equal(shared.metrics_port, 9100);
	assert_int_equal(shared.drain_ms, 300000);
	assert_false(own.flag);
	assert_int_equal(own.idle_ms, 3600000);
	assert_true(own.limit == (int64_t)2 << 30);
	assert_string_equal(own.name, "a: b");
	assert_int_equal(own.words.count, 0);
	assert_string_equal(own.key, "/k");
	config_free(options, &shared, &own);
}

static void environment_overrides(void **state)
{
	struct config_shared shared;
	struct own own;
	struct err e;

	(void)state;
	setenv("STARLING_HOSTS", "one.example, two.example", 1);
	setenv("STARLING_BUS_ROUTERS", "tcp://a:1", 1);
	setenv("STARLING_SERVICE_TLS_PRIVATE_KEY", "/from/env", 1);
	setenv("STARLING_SERVICE_COUNT", "7", 1);
	setenv("STARLING_SERVICE_HOST", "of an orchestrator", 1);
	assert_int_equal(load("services: {auth: {count: 5}}\n", &shared, &own, &e), 0);
	assert_int_equal(shared.hosts.count, 2);
	assert_string_equal(shared.hosts.items[1], "two.example");
	assert_string_equal(shared.routers.items[0], "tcp://a:1");
	assert_string_equal(own.key, "/from/env");
	assert_int_equal(own.count, 7);
	config_free(options, &shared, &own);
	setenv("STARLING_SERVICE_COUNT", "many", 1);
	expect_refusal(GOOD, "environment: STARLING_SERVICE_COUNT must be a whole number, not 'many'");
	unsetenv("STARLING_HOSTS");
	unsetenv("STARLING_BUS_ROUTERS");
	unsetenv("STARLING_SERVICE_TLS_PRIVATE_KEY");
	unsetenv("STARLING_SERVICE_COUNT");
	unsetenv("STARLING_SERVICE_HOST");
}

static char *printed(const struct config_shared *shared, const struct own *own)
{
	static char text[4096];
	char path[64];

	fflush(stdout);
	snprintf(path, sizeof(path), "%s/out", dir);
	int saved = dup(STDOUT_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	config_print("auth", options, shared, own);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	unlink(path);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void print_reads_back(void **state)
{
	struct config_shared shared, again_shared;
	struct own own, again;
	struct err e;
	char *first;

	(void)state;
	assert_int_equal(load(GOOD "    name: \"no\\\\n\\\"\\t\\u00e4 true\"\n    words: ['1', 'true', 'a b', '- x']\n", &shared, &own, &e),
	                 0);
	first = mem_strdup(printed(&shared, &own));
	assert_non_null(strstr(first, "\n    tls:\n      certificate: /tmp/"));
	assert_non_null(strstr(first, "\n      private:\n        key: /tmp/"));
	assert_non_null(strstr(first, "\n    idle: 90s\n    limit: 64KiB\n"));
	assert_int_equal(load(first, &again_shared, &again, &e), 0);
	assert_string_equal(printed(&again_shared, &again), first);
	assert_string_equal(again.name, own.name);
	assert_string_equal(again.words.items[2], "a b");
	mem_free(first);
	config_free(options, &shared, &own);
	config_free(options, &again_shared, &again);
}

static void on_ignored(const char *name, void *ctx)
{
	buf_printf(ctx, "%s ", name);
}

static void reload_changes_what_may_change(void **state)
{
	struct config_shared shared, fresh_shared;
	struct own own, fresh;
	struct err e;
	struct buf ignored = { 0 };

	(void)state;
	assert_int_equal(load(GOOD "    name: old\n", &shared, &own, &e), 0);
	const char *key = own.key;
	assert_int_equal(load(GOOD "    name: new\n    count: 9\n    idle: 2s\nlog: {level: warn}\nuser: x\n", &fresh_shared, &fresh, &e),
	                 0);
	config_adopt(options, &shared, &own, &fresh_shared, &fresh, on_ignored, &ignored);
	assert_string_equal(own.name, "new");
	assert_string_equal(fresh.name, "old");
	assert_int_equal(own.count, 9);
	assert_int_equal(own.idle_ms, 90000);
	assert_int_equal(shared.log_level, LOG_LEVEL_WARN);
	assert_string_equal(shared.user, "");
	assert_true(str_is(buf_str(&ignored), "user idle "));
	buf_fini(&ignored);
	/* What does not reload is not even moved. */
	assert_ptr_equal(own.key, key);
	config_free(options, &shared, &own);
	config_free(options, &fresh_shared, &fresh);
}

static void single_values(void **state)
{
	static const struct {
		const char *text;
		int64_t ms, bytes;
	} rows[] = {
		{ "0", 0, 0 },           { "1ms", 1, -1 },
		{ "30s", 30000, -1 },    { "5m", 300000, -1 },
		{ "2h", 7200000, -1 },   { "7d", 604800000, -1 },
		{ "512", -1, 512 },      { "1KiB", -1, 1024 },
		{ "2MiB", -1, 2097152 }, { "1GiB", -1, 1073741824 },
		{ "", -1, -1 },          { "s", -1, -1 },
		{ "-1s", -1, -1 },       { "1 s", -1, -1 },
		{ "1S", -1, -1 },        { "1.5s", -1, -1 },
		{ "0x10", -1, -1 },      { "99999999999999999999", -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t n = -1;
		assert_int_equal(config_parse_duration(rows[i].text, &n), rows[i].ms < 0 ? -1 : 0);
		assert_int_equal(n, rows[i].ms);
		n = -1;
		assert_int_equal(config_parse_size(rows[i].text, &n), rows[i].bytes < 0 ? -1 : 0);
		assert_int_equal(n, rows[i].bytes);
	}
}

static int make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/starling.yml", dir);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),         cmocka_unit_test(unreadable_files),
		cmocka_unit_test(odd_yaml),         cmocka_unit_test(defaults),
		cmocka_unit_test(everything_set),   cmocka_unit_test(environment_overrides),
		cmocka_unit_test(print_reads_back), cmocka_unit_test(reload_changes_what_may_change),
		cmocka_unit_test(single_values),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
