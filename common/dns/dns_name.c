/* SPDX-License-Identifier: Apache-2.0 */
#include "common/dns/dns_name.h"

#include <stdint.h>

#define LABEL_MAX    63u
#define POINTER_BITS 0xc0u
#define UNKNOWN      '?'

/* The byte as names are kept, UNKNOWN for all that has no place in one. */
static char kept(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? c : UNKNOWN;
}

bool dns_name_from(struct str in, char out[DNS_NAME_MAX + 1])
{
	size_t label = 0;

	if (in.n > 0 && in.p[in.n - 1] == '.')
		in.n--;
	if (in.n == 0 || in.n > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			out[i] = '.';
			continue;
		}
		out[i] = kept(in.p[i]);
		if (out[i] == UNKNOWN || ++label > LABEL_MAX)
			return false;
	}
	out[in.n] = '\0';
	return label > 0;
}

bool dns_name_usable(const char *name)
{
	return name[0] && !strchr(name, UNKNOWN);
}

/* Appends one label; false when the name gets too long. */
static bool append_label(struct str label, char *out, size_t *n)
{
	size_t dot = *n > 0;

	if (*n + dot + label.n > DNS_NAME_MAX)
		return false;
	if (dot)
		out[(*n)++] = '.';
	for (size_t i = 0; i < label.n; i++)
		out[(*n)++] = kept(label.p[i]);
	return true;
}

bool dns_name_read(struct str message, size_t at, char out[DNS_NAME_MAX + 1], size_t *after)
{
	size_t n = 0, piece = at; /* where the labels being read began: a pointer has to lead before them, so there is an end */
	bool jumped = false;

	while (at < message.n) {
		size_t length = (uint8_t)message.p[at];

		if (length >= POINTER_BITS) {
			if (at + 2 > message.n)
				return false;
			size_t to = (length & ~(size_t)POINTER_BITS) << 8 | (uint8_t)message.p[at + 1];
			if (to >= piece)
				return false;
			if (!jumped)
				*after = at + 2;
			jumped = true;
			at = piece = to;
			continue;
		}
		if (length > LABEL_MAX || at + 1 + length > message.n)
			return false;
		at += 1 + length;
		if (length == 0) {
			if (!jumped)
				*after = at;
			out[n] = '\0';
			return true;
		}
		if (!append_label(str_make(message.p + at - length, length), out, &n))
			return false;
	}
	return false;
}
