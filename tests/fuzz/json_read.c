/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: JSON from strangers. Values lie inside the text and are JSON themselves, and strings that come out of it are UTF-8. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/json_read.h"
#include "common/text/utf8.h"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "property violated: %s\n", what);
	abort();
}

static void look(const struct json_value *v)
{
	struct json_value item, again;
	char text[64];
	int64_t n;
	size_t at = 0;

	require(json_read(v->text, &again) && again.type == v->type, "a value is JSON");
	if (json_string(v, text, sizeof(text)))
		require(v->type == JSON_STRING && utf8_valid(str_from(text)), "strings are UTF-8");
	if (json_integer(v, &n))
		require(v->type == JSON_NUMBER, "numbers");
	if (json_member(v, "a", &item) == JSON_FOUND)
		require(v->type == JSON_OBJECT && item.text.p > v->text.p && item.text.p + item.text.n < v->text.p + v->text.n, "members");
	for (int i = 0; i < 4 && json_item(v, &at, &item); i++)
		look(&item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = mem_memdup(data, size);
	struct json_value v;

	if (json_read(str_make(copy, size), &v))
		look(&v);
	mem_free(copy);
	return 0;
}
