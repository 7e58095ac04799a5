/* SPDX-License-Identifier: Apache-2.0
 *
 * decoy: keys for accounts that do not exist, so that an exchange with them looks and costs the same as one with a wrong password (RFC 5802
 * section 9). They are made from the name and a secret: the same name always has the same salt, on every instance. */
#ifndef SERVICES_AUTH_DECOY_H
#define SERVICES_AUTH_DECOY_H

#include "common/crypto/scram.h"
#include "common/crypto/seal.h"

void decoy_keys(const uint8_t secret[SEAL_KEY_SIZE], struct str account, enum digest hash, uint32_t iterations, struct scram_keys *out);

#endif
