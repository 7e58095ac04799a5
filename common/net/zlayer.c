/* SPDX-License-Identifier: Apache-2.0
 *
 * A small window when packing (4 KiB, 24 KiB of state), since chat repeats itself nearby; when unpacking zlib takes what the peer's header
 * asks for, at most 32 KiB. */
#include "common/net/zlayer.h"

#include <stdint.h>
#include <zlib.h>

#include "common/base/mem.h"

#define DEFLATE_WINDOW_BITS 12
#define DEFLATE_MEM_LEVEL   5
#define RATIO_MAX           100u          /* text seldom passes 20 */
#define RATIO_FREE          (64u * 1024u) /* unpacked bytes that nobody asks about */

struct zlayer {
	z_stream in, out;
	uint64_t packed, unpacked;
	bool any_ratio;
};

struct zlayer *zlayer_new(void)
{
	struct zlayer *z = mem_new(struct zlayer);

	if (inflateInit(&z->in) != Z_OK) {
		mem_free(z);
		return NULL;
	}
	if (deflateInit2(&z->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW_BITS, DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		inflateEnd(&z->in);
		mem_free(z);
		return NULL;
	}
	return z;
}

void zlayer_free(struct zlayer **z)
{
	if (!*z)
		return;
	inflateEnd(&(*z)->in);
	deflateEnd(&(*z)->out);
	mem_free(*z);
	*z = NULL;
}

void zlayer_any_ratio(struct zlayer *z)
{
	z->any_ratio = true;
}

void zlayer_deflate(struct zlayer *z, struct buf *out, struct str in)
{
	z->out.next_in = (Bytef *)(uintptr_t)in.p;
	z->out.avail_in = (uInt)in.n;
	do {
		size_t room = in.n / 2 + 256;
		char *p = buf_reserve(out, room);

		if (!p)
			return; /* past the buffer's limit; its overflow flag tells */
		z->out.next_out = (Bytef *)p;
		z->out.avail_out = (uInt)room;
		deflate(&z->out, Z_SYNC_FLUSH);
		buf_commit(out, room - z->out.avail_out);
	} while (z->out.avail_out == 0);
}

long zlayer_inflate(struct zlayer *z, struct str *in, char *out, size_t n)
{
	uInt before = (uInt)in->n;
	size_t got;
	int r;

	z->in.next_in = (Bytef *)(uintptr_t)in->p;
	z->in.avail_in = before;
	z->in.next_out = (Bytef *)out;
	z->in.avail_out = (uInt)n;
	r = inflate(&z->in, Z_SYNC_FLUSH);
	got = n - z->in.avail_out;
	z->packed += before - z->in.avail_in;
	z->unpacked += got;
	*in = str_make(z->in.next_in, z->in.avail_in);
	/* Z_BUF_ERROR only says that there was nothing to do; the end of the zlib stream is the end of the XML stream's bytes. */
	if (r != Z_OK && r != Z_BUF_ERROR && !(r == Z_STREAM_END && in->n == 0))
		return -1;
	if (!z->any_ratio && z->unpacked > RATIO_FREE && z->unpacked > z->packed * RATIO_MAX)
		return -2;
	return (long)got;
}
