/* SPDX-License-Identifier: Apache-2.0 */
#include "services/auth/account.h"

bool account_parse(struct ipc_call *call, const char *text, struct jid *out)
{
	const struct auth *a = ipc_call_daemon(call);
	enum jid_error error = jid_parse(str_from(text), out);
	char host[JID_PART_MAX + 1] = "";

	if (error != JID_OK) {
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "not an address: %s", jid_error_name(error));
		return false;
	}
	memcpy(host, out->domain.p, out->domain.n);
	if (out->local.n == 0 || out->resource.n != 0)
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "an account is named name@host");
	else if (!auth_serves(a, host))
		ipc_fail(call, STARLING__CODE__CODE_INVALID, "no such host");
	else
		return true;
	jid_fini(out);
	return false;
}
