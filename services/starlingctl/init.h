/* SPDX-License-Identifier: Apache-2.0
 *
 * init: the parts of a new state folder. Each makes only what is missing, in the working directory. 0, or -1 with e set. */
#ifndef SERVICES_STARLINGCTL_INIT_H
#define SERVICES_STARLINGCTL_INIT_H

#include "common/base/err.h"

/* keys/<role>.key for every role and for starlingctl, keys/allow, keys/auth-seal.key, keys/turn.secrets. */
int init_keys(struct err *e);
/* tls/<domain>.pem and .key: self-signed, P-256, for the domain and all below it; tls/ca.pem: all of them, for clients to trust. */
int init_certificates(const char *const *domains, unsigned count, struct err *e);
/* starling.yml for a flock on this machine. */
int init_config(const char *const *domains, unsigned count, struct err *e);

#endif
