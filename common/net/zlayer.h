/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer: zlib in both directions of one connection (XEP-0138). Bytes in, bytes out; no I/O. What a peer can make us unpack is bounded
 * by a ratio: compressed bombs end the connection. */
#ifndef COMMON_NET_ZLAYER_H
#define COMMON_NET_ZLAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

struct zlayer;

struct zlayer *zlayer_new(void);
void zlayer_free(struct zlayer **z);
/* Appends what `in` compresses to, flushed so that the peer can read all of it now. */
void zlayer_deflate(struct zlayer *z, struct buf *out, struct str in);
/* The ratio is not looked at: whoever takes what comes out limits it by itself. */
void zlayer_any_ratio(struct zlayer *z);
/* Unpacks into out (n bytes). *in is moved forward. Returns how many bytes came out: n means that there may be more, 0 that *in is used up;
 * -1 broken data, -2 over the ratio. */
long zlayer_inflate(struct zlayer *z, struct str *in, char *out, size_t n);

#endif
