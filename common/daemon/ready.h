/* SPDX-License-Identifier: Apache-2.0
 *
 * ready: tells whoever started the daemon how it is: systemd by a datagram (sd_notify(3), without its library), any other by a byte on a
 * descriptor. Private to daemon. */
#ifndef COMMON_DAEMON_READY_H
#define COMMON_DAEMON_READY_H

/* state: "READY=1", "STOPPING=1". Does nothing outside of systemd. */
void ready_notify(const char *state);
/* Writes a byte and closes; does nothing when *fd is -1. */
void ready_byte(int *fd);

#endif
