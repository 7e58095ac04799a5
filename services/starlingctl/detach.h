/* SPDX-License-Identifier: Apache-2.0
 *
 * detach: a process that goes on in the background, and tells the one that started it how the start went. */
#ifndef SERVICES_STARLINGCTL_DETACH_H
#define SERVICES_STARLINGCTL_DETACH_H

#include <stddef.h>

/* Forks. In the background process: returns 0, *out_fd is for detach_report; it has a session of its own and writes to log. In the
 * one that was called: waits for the report, puts it into text and returns its status (a positive number or 0 stands in *out_status; text ""
 * when all is well); returns 1. -1: cannot fork. */
int detach(const char *log, int *out_fd, int *out_status, char *text, size_t size);
/* Once: how it went. Closes *fd. Nothing when it is -1. */
void detach_report(int *fd, int status, const char *text);

#endif
