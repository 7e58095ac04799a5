/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8: strict decoder and encoder, see utf8.h. Validity by the table of well-formed byte sequences in RFC 3629 section 4. */
#include "common/text/utf8.h"

/* By lead byte from 0xC2: length, and the range of the second byte (narrower than 80..BF where overlong forms, surrogates or values above
 * U+10FFFF would begin). */
static size_t lead(uint8_t b, uint8_t *out_low, uint8_t *out_high)
{
	*out_low = 0x80;
	*out_high = 0xBF;
	if (b < 0xC2 || b > 0xF4)
		return 0;
	if (b < 0xE0)
		return 2;
	if (b == 0xE0)
		*out_low = 0xA0;
	else if (b == 0xED)
		*out_high = 0x9F;
	else if (b == 0xF0)
		*out_low = 0x90;
	else if (b == 0xF4)
		*out_high = 0x8F;
	return b < 0xF0 ? 3 : 4;
}

size_t utf8_decode(const char *p, size_t n, uint32_t *out_cp)
{
	const uint8_t *u = (const uint8_t *)p;

	if (n == 0)
		return 0;
	if (u[0] < 0x80) {
		*out_cp = u[0];
		return 1;
	}
	uint8_t low, high;
	size_t length = lead(u[0], &low, &high);
	if (length == 0 || length > n || u[1] < low || u[1] > high)
		return 0;
	uint32_t cp = u[0] & (0xFFu >> (length + 1));
	cp = cp << 6 | (u[1] & 0x3Fu);
	for (size_t i = 2; i < length; i++) {
		if ((u[i] & 0xC0) != 0x80)
			return 0;
		cp = cp << 6 | (u[i] & 0x3Fu);
	}
	*out_cp = cp;
	return length;
}

size_t utf8_encode(uint32_t cp, char *out)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xC0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xE0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		out[2] = (char)(0x80 | (cp & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
	out[3] = (char)(0x80 | (cp & 0x3F));
	return 4;
}

/* How many bytes at the front are ASCII, eight at a time. */
static size_t ascii_run(const char *p, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t word;

		memcpy(&word, p + i, 8);
		if (word & 0x8080808080808080u)
			break;
	}
	while (i < n && (uint8_t)p[i] < 0x80)
		i++;
	return i;
}

bool utf8_ascii(struct str s)
{
	return ascii_run(s.p, s.n) == s.n;
}

bool utf8_valid(struct str s)
{
	size_t i = 0;
	uint32_t cp;

	while ((i += ascii_run(s.p + i, s.n - i)) < s.n) {
		size_t length = utf8_decode(s.p + i, s.n - i, &cp);

		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

bool utf8_valid_so_far(struct utf8_state *state, struct str piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		uint8_t b = (uint8_t)piece.p[i];

		if (state->left > 0) {
			if (b < state->low || b > state->high)
				return false;
			state->left--;
			state->low = 0x80;
			state->high = 0xBF;
			continue;
		}
		i += ascii_run(piece.p + i, piece.n - i);
		if (i == piece.n)
			return true;
		state->left = (uint8_t)lead((uint8_t)piece.p[i], &state->low, &state->high);
		if (state->left-- == 0)
			return false;
	}
	return true;
}

size_t utf8_to_cps(struct str s, uint32_t *out, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < s.n; count++) {
		size_t length = count < max ? utf8_decode(s.p + i, s.n - i, &out[count]) : 0;

		if (length == 0)
			return SIZE_MAX;
		i += length;
	}
	return count;
}

size_t utf8_from_cps(const uint32_t *cps, size_t n, char *out, size_t max)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		char one[4];
		size_t length = utf8_encode(cps[i], one);

		if (length > max - used)
			return SIZE_MAX;
		memcpy(out + used, one, length);
		used += length;
	}
	return used;
}
