/* SPDX-License-Identifier: Apache-2.0
 *
 * reserve: the second of two ports, held with its socket for whoever comes with the token (RFC 8656 section 7.2, EVEN-PORT and RESERVATION-TOKEN). Over all threads, since any 5-tuple may
 * come for it. */
#ifndef TURN_RESERVE_H
#define TURN_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/str.h"

#define RESERVE_MAX         256u
#define RESERVE_ACCOUNT_MAX 8u     /* of one account */
#define RESERVE_MS          30000u /* at least, says the RFC */
#define RESERVE_TOKEN_SIZE  8u

struct reserve;

struct reserved {
	int fd; /* bound */
	uint16_t port;
	uint16_t place; /* index of the relay address */
};

/* give_back: frees the port of what nobody came for; its socket is closed already. */
struct reserve *reserve_new(void (*give_back)(const struct reserved *r, void *ctx), void *ctx);
void reserve_free(struct reserve **r);
/* Takes over the socket. account: for whom alone. False: RESERVE_MAX are held, or RESERVE_ACCOUNT_MAX of this account; then the socket remains the caller's. */
bool reserve_put(struct reserve *r, const struct reserved *what, struct str account, uint64_t now_ms, uint8_t token[RESERVE_TOKEN_SIZE]);
/* False: no such token, too late, or another account's. Else the socket is the caller's. */
bool reserve_take(struct reserve *r, const uint8_t token[RESERVE_TOKEN_SIZE], struct str account, uint64_t now_ms, struct reserved *out);
/* Ends what nobody came for; call it now and then. */
void reserve_expire(struct reserve *r, uint64_t now_ms);

#endif
