/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read: JSON by RFC 8259, strictly, as small texts from strangers need it: the text is checked once as a whole; values are views of it, and what is asked for
 * is looked up in there. No memory, and no more than JSON_DEPTH_MAX values in one another. */
#ifndef COMMON_TEXT_JSON_READ_H
#define COMMON_TEXT_JSON_READ_H

#include <stdint.h>

#include "common/base/str.h"

#define JSON_DEPTH_MAX 16u

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_type type;
	struct str text; /* as it is written; lasts as long as the whole does */
};

/* The whole text is one value, in UTF-8, with white space around it at most. False: it is not. */
bool json_read(struct str text, struct json_value *out);

enum json_found { JSON_ABSENT, JSON_FOUND, JSON_TWICE /* which one is meant the standard leaves open */ };
/* Of an object. Absent in what is none. */
enum json_found json_member(const struct json_value *object, const char *name, struct json_value *out);
/* The items of an array, one a call: *at is 0 before the first. False: no more, or no array. */
bool json_item(const struct json_value *array, size_t *at, struct json_value *out);
/* A string's text in UTF-8, with NUL; n: room in out. False: no string, U+0000 in it, or too long. */
bool json_string(const struct json_value *v, char *out, size_t n);
/* A number's whole part. False: no number, or beyond 2^53. */
bool json_integer(const struct json_value *v, int64_t *out);

#endif
