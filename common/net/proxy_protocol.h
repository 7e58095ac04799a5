/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy_protocol: the header that a proxy puts before a connection's bytes to say whose they are (HAProxy's doc/proxy-protocol.txt, versions 1 and 2). Bytes in,
 * a verdict out; no I/O. Whether the sender may be believed is not known here: proxy_protocol_accept.h. */
#ifndef COMMON_NET_PROXY_PROTOCOL_H
#define COMMON_NET_PROXY_PROTOCOL_H

#include "common/base/str.h"
#include "common/net/addr.h"

#define PROXY_HEADER_MAX 4096u /* bytes. 536 are usual; a client's certificate may be in it */
#define PROXY_TLVS_MAX   64u   /* of version 2, those within others included */

enum proxy_verdict { PROXY_MORE, PROXY_DONE, PROXY_BAD };

/* A zeroed one is ready; proxy_reader_fini frees. */
struct proxy_reader {
	uint8_t *p; /* PROXY_HEADER_MAX, once there is something */
	size_t n;
	const char *why; /* of PROXY_BAD; static */
};

/* Views are of the reader's bytes; .p is NULL where nothing was said. */
struct proxy_header {
	bool told; /* source and destination are the client's. False: the proxy speaks for itself, or cannot say (LOCAL, UNKNOWN, UNIX, UDP) */
	struct net_addr source, destination;
	struct str authority; /* host name that the client asked for, UTF-8, as in SNI */
	struct str alpn;
	struct str unique_id;
	bool tls;             /* the client spoke TLS with the proxy */
	bool client_verified; /* and showed a certificate, which was verified: */
	struct str client_cn; /* its common name, UTF-8 */
	struct str tls_version;
};

/* How many bytes it used: never one behind the header's end. */
size_t proxy_reader_feed(struct proxy_reader *r, const void *p, size_t n, enum proxy_verdict *out_verdict);
/* After PROXY_DONE. False: what it says is wrong; r->why. */
bool proxy_reader_parse(struct proxy_reader *r, struct proxy_header *out);
void proxy_reader_fini(struct proxy_reader *r);

#endif
