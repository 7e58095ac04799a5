/* SPDX-License-Identifier: Apache-2.0
 *
 * submit: numbered stanzas from clients (session.proto): taken in order, each once, accepted when handled. */
#ifndef SESSION_MANAGER_SUBMIT_H
#define SESSION_MANAGER_SUBMIT_H

struct sm;

void submit_fini(struct sm *sm);

#endif
