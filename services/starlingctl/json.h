/* SPDX-License-Identifier: Apache-2.0
 *
 * json: writes JSON text into a buffer, with commas and escapes where they belong. Invalid UTF-8 is replaced. Writer only. */
#ifndef SERVICES_STARLINGCTL_JSON_H
#define SERVICES_STARLINGCTL_JSON_H

#include "common/base/buf.h"

struct json {
	struct buf out; /* zeroed struct json: an empty document */
	bool comma;
};

/* key NULL: an element of an array, or the document itself. */
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);                 /* '}' or ']' */
void json_text(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, double value); /* up to 2^53 exactly; NaN and infinities as null */
void json_bool(struct json *j, const char *key, bool value);
/* Prints the document and a newline to stdout and frees it. */
void json_print(struct json *j);

#endif
