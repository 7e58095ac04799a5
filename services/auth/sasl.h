/* SPDX-License-Identifier: Apache-2.0
 *
 * sasl: what a family of mechanisms does with a client's message. Each function ends the login. */
#ifndef SERVICES_AUTH_SASL_H
#define SERVICES_AUTH_SASL_H

#include "services/auth/login.h"

/* The request is there until they return. */
void scram_login_first(struct login *l, const Starling__SaslRequest *request);
void scram_login_final(struct login *l, const struct exchange *x, const Starling__SaslRequest *request);
void plain_login(struct login *l, const Starling__SaslRequest *request);

#endif
