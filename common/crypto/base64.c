/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/base64.h"

#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct str in, char *out)
{
	const uint8_t *p = (const uint8_t *)in.p;
	size_t o = 0, i = 0;

	for (; in.n - i >= 3; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];

		out[o++] = alphabet[v >> 18];
		out[o++] = alphabet[v >> 12 & 63];
		out[o++] = alphabet[v >> 6 & 63];
		out[o++] = alphabet[v & 63];
	}
	if (in.n - i > 0) {
		uint32_t v = (uint32_t)p[i] << 16 | (in.n - i == 2 ? (uint32_t)p[i + 1] << 8 : 0);

		out[o++] = alphabet[v >> 18];
		out[o++] = alphabet[v >> 12 & 63];
		out[o++] = in.n - i == 2 ? alphabet[v >> 6 & 63] : '=';
		out[o++] = '=';
	}
	return o;
}

bool base64_append(struct buf *out, struct str in)
{
	char *p;

	if (in.n == 0)
		return true;
	p = buf_reserve(out, base64_encoded_size(in.n));
	if (!p)
		return false;
	buf_commit(out, base64_encode(in, p));
	return true;
}

/* 0..63, or 64 for what is not in the alphabet. Arithmetic instead of a table: proofs pass here, and a table's cache lines tell. */
static uint32_t value_of(uint8_t c)
{
	uint32_t v = 64;

	v = (c >= 'A' && c <= 'Z') ? (uint32_t)(c - 'A') : v;
	v = (c >= 'a' && c <= 'z') ? (uint32_t)(c - 'a') + 26 : v;
	v = (c >= '0' && c <= '9') ? (uint32_t)(c - '0') + 52 : v;
	v = c == '+' ? 62 : v;
	v = c == '/' ? 63 : v;
	return v;
}

/* The last group, which alone may be padded: yields 1 to 3 bytes, 0 when it is wrong. */
static size_t decode_last(const uint8_t *p, uint8_t *out)
{
	size_t chars = p[3] != '=' ? 4 : p[2] != '=' ? 3 : 2;
	uint32_t v = 0;

	for (size_t i = 0; i < chars; i++) {
		uint32_t d = value_of(p[i]);

		if (d > 63)
			return 0;
		v |= d << (18 - 6 * i);
	}
	if ((chars == 2 && (v & 0xffff)) || (chars == 3 && (v & 0xff)))
		return 0;
	for (size_t i = 0; i + 1 < chars; i++)
		out[i] = (uint8_t)(v >> (16 - 8 * i));
	return chars - 1;
}

bool base64_decode(struct str in, void *out, size_t *out_n)
{
	const uint8_t *p = (const uint8_t *)in.p;
	uint8_t *o = out;
	size_t last;

	*out_n = 0;
	if (in.n == 0)
		return true;
	if (in.n % 4 != 0)
		return false;
	for (size_t i = 0; i + 4 < in.n; i += 4) {
		uint32_t a = value_of(p[i]), b = value_of(p[i + 1]), c = value_of(p[i + 2]), d = value_of(p[i + 3]);
		uint32_t v = a << 18 | b << 12 | c << 6 | d;

		if ((a | b | c | d) & 64)
			return false;
		*o++ = (uint8_t)(v >> 16);
		*o++ = (uint8_t)(v >> 8);
		*o++ = (uint8_t)v;
	}
	last = decode_last(p + in.n - 4, o);
	*out_n = (size_t)(o - (uint8_t *)out) + last;
	return last > 0;
}

bool base64url_decode(struct str in, void *out, size_t *out_n)
{
	size_t n = (in.n + 3) / 4 * 4;
	char *text = mem_zalloc(n + 1);
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		char c = i < in.n ? in.p[i] : '=';

		ok = ok && !(i < in.n && strchr("+/=", c));
		text[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	ok = ok && in.n % 4 != 1 && base64_decode(str_make(text, n), out, out_n);
	mem_free_secret(text, n);
	return ok;
}
