/* SPDX-License-Identifier: Apache-2.0
 *
 * main: only this, so that tests can run the daemon as a child of their own. */
#include "services/router/router.h"

int main(int argc, char **argv)
{
	return daemon_main(&router_spec, argc, argv);
}
