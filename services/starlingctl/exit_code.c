/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/exit_code.h"

#include "ipc/proto/envelope.pb-c.h"

int exit_code_of(int call_code)
{
	switch (call_code) {
	case STARLING__CODE__CODE_OK:
		return CTL_OK;
	case STARLING__CODE__CODE_NOT_FOUND:
	case STARLING__CODE__CODE_EXISTS:
		return CTL_CONFLICT;
	case STARLING__CODE__CODE_TIMEOUT:
	case STARLING__CODE__CODE_PEER_LOST:
	case STARLING__CODE__CODE_UNAVAILABLE:
	case STARLING__CODE__CODE_OVERLOAD:
	case STARLING__CODE__CODE_WRONG_OWNER:
	case STARLING__CODE__CODE_FENCED:
		return CTL_TEMPORARY;
	default:
		return CTL_FAILED;
	}
}
