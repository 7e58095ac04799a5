/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: tokens from strangers. Whatever is in there, nobody gets in without the secret, which no input has; and claims, signed or not, are looked at without harm. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/crypto/jwt.h"

static struct jwt_keys *make_keys(void)
{
	char path[] = "/tmp/jwt-fuzz-XXXXXX";
	struct jwt_keys *keys;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 44) != 44)
		abort();
	close(fd);
	keys = jwt_keys_load(path, NULL);
	unlink(path);
	return keys;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct jwt_rules rules = { "us", "mqtt", 60 };
	static struct jwt_keys *keys;
	char *copy = mem_memdup(data, size);
	struct str text = str_make(copy, size);
	struct jwt t = { 0 };
	const char *why = NULL;
	int64_t end;

	keys = keys ? keys : make_keys();
	jwt_like(text);
	if (jwt_open(keys, text, &t, &why) || !why) {
		fprintf(stderr, "property violated: a token that nobody signed\n");
		abort();
	}
	if (json_read(text, &t.claims))
		jwt_check(&t, &rules, 1000, &end, &why);
	mem_free(copy);
	return 0;
}
