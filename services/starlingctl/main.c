/* SPDX-License-Identifier: Apache-2.0
 *
 * starlingctl: the operator's hand. It makes state folders, runs and stops the flock on this machine, and asks daemons over the bus, as any
 * other service does. No daemon: every command ends, `up` when told to. */
#include <signal.h>

#include "services/starlingctl/command.h"

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return command_main(argc, argv);
}
