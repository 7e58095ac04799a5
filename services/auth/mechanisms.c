/* SPDX-License-Identifier: Apache-2.0
 *
 * mechanisms: what is offered to a connection. */
#include "common/base/mem.h"
#include "ipc/gen/auth.server.h"
#include "services/auth/auth.h"
#include "services/auth/mechanism.h"

void on_auth_mechanisms(struct ipc_call *call, const Starling__MechanismsRequest *request)
{
	const struct auth *a = ipc_call_daemon(call);
	Starling__MechanismsReply reply = STARLING__MECHANISMS_REPLY__INIT;
	bool can_bind = false;

	if (!auth_serves(a, request->host)) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "no such host");
		return;
	}
	for (size_t i = 0; i < request->n_channel_bindings; i++)
		can_bind = can_bind || mechanism_binding_known(str_from(request->channel_bindings[i]));
	reply.mechanisms = mem_alloc(mechanism_count * sizeof(char *));
	for (size_t i = 0; i < mechanism_count; i++) {
		if (mechanism_offered(&mechanisms[i], auth_options(a), request->encrypted, can_bind))
			reply.mechanisms[reply.n_mechanisms++] = (char *)mechanisms[i].name;
	}
	reply.registration = auth_registration_open(a, request->host);
	reply_auth_mechanisms(call, &reply);
	mem_free(reply.mechanisms);
}
