/* SPDX-License-Identifier: Apache-2.0
 *
 * Layout: stage, decoy and hash (a byte each), five texts with 16 bits of length (little endian) before each, stored key, server key. It is read by instances of
 * another version during an upgrade: another layout is another stage. */
#include "services/auth/exchange.h"

#define HEAD_N   3
#define TEXT_MAX 65535

static bool write_text(struct buf *out, struct str s)
{
	return s.n <= TEXT_MAX && buf_append_char(out, (char)(s.n & 255)) && buf_append_char(out, (char)(s.n >> 8)) &&
	       buf_append_str(out, s);
}

bool exchange_write(struct buf *out, const struct exchange *x)
{
	const char head[HEAD_N] = { (char)x->stage, (char)x->decoy, (char)x->keys.hash };
	size_t n = digest_size(x->keys.hash);

	if (x->stage == EXCHANGE_INVITED)
		return buf_append(out, head, HEAD_N);
	return buf_append(out, head, HEAD_N) && write_text(out, x->account) && write_text(out, x->gs2_header) &&
	       write_text(out, x->cbind_type) && write_text(out, x->client_first_bare) && write_text(out, x->server_first) &&
	       buf_append(out, x->keys.stored_key, n) && buf_append(out, x->keys.server_key, n);
}

static bool read_bytes(struct str *rest, size_t n, struct str *out)
{
	if (rest->n < n)
		return false;
	*out = (struct str){ rest->p, n };
	*rest = (struct str){ rest->p + n, rest->n - n };
	return true;
}

static bool read_text(struct str *rest, struct str *out)
{
	struct str length;

	return read_bytes(rest, 2, &length) && read_bytes(rest, (uint8_t)length.p[0] | (size_t)(uint8_t)length.p[1] << 8, out);
}

bool exchange_read(struct str bytes, struct exchange *out)
{
	struct str head, stored, server;
	size_t n;

	*out = (struct exchange){ 0 };
	if (!read_bytes(&bytes, HEAD_N, &head) || (uint8_t)head.p[2] >= DIGEST_COUNT)
		return false;
	out->stage = (enum exchange_stage)head.p[0];
	out->decoy = head.p[1] != 0;
	out->keys.hash = (enum digest)head.p[2];
	if (out->stage == EXCHANGE_INVITED)
		return bytes.n == 0;
	n = digest_size(out->keys.hash);
	if (out->stage != EXCHANGE_SCRAM || !read_text(&bytes, &out->account) || !read_text(&bytes, &out->gs2_header) ||
	    !read_text(&bytes, &out->cbind_type) || !read_text(&bytes, &out->client_first_bare) || !read_text(&bytes, &out->server_first) ||
	    !read_bytes(&bytes, n, &stored) || !read_bytes(&bytes, n, &server) || bytes.n != 0)
		return false;
	memcpy(out->keys.stored_key, stored.p, n);
	memcpy(out->keys.server_key, server.p, n);
	return exchange_nonce(out).n > 0;
}

struct str exchange_nonce(const struct exchange *x)
{
	const char *comma = x->server_first.n > 2 ? memchr(x->server_first.p, ',', x->server_first.n) : NULL;

	return comma > x->server_first.p + 2 ? str_make(x->server_first.p + 2, (size_t)(comma - x->server_first.p) - 2) : str_make(NULL, 0);
}
