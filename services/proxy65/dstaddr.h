/* SPDX-License-Identifier: Apache-2.0
 *
 * dstaddr: what both parties of a bytestream ask the relay for, and what it knows the stream by (XEP-0065 section 6.3.2). */
#ifndef PROXY65_DSTADDR_H
#define PROXY65_DSTADDR_H

#include "common/base/str.h"
#include "services/proxy65/socks5.h"

/* SHA-1 of stream id, requester and target, joined, as lower-case hexadecimal digits and a NUL. JIDs are normalised. */
void dstaddr_make(struct str sid, struct str requester, struct str target, char out[SOCKS5_DST + 1]);

#endif
