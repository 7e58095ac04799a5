/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy_protocol_v2: the binary form. Between the two files of proxy_protocol only. */
#ifndef COMMON_NET_PROXY_PROTOCOL_V2_H
#define COMMON_NET_PROXY_PROTOCOL_V2_H

#include "common/net/proxy_protocol.h"

#define PROXY_V2_SIGNATURE 12u
#define PROXY_V2_FIXED     16u /* and version, command, family, length */

extern const uint8_t proxy_v2_signature[PROXY_V2_SIGNATURE];

/* Of a whole header. False: r->why. It may change the checksum's bytes. */
bool proxy_v2_parse(struct proxy_reader *r, struct proxy_header *out);
/* CRC-32C (Castagnoli), as RFC 4960 appendix B has it. */
uint32_t proxy_crc32c(const uint8_t *p, size_t n);

#endif
