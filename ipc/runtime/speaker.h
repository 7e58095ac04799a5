/* SPDX-License-Identifier: Apache-2.0
 *
 * speaker: the instance of s2s that speaks with the remote domains of a slot. All who send, and all instances of s2s, compute the same from the directory; it takes
 * nothing before it has claimed the slot (docs/decisions/0032-federation.md). */
#ifndef IPC_RUNTIME_SPEAKER_H
#define IPC_RUNTIME_SPEAKER_H

#include "ipc/runtime/bus.h"

/* 0: there is none now. */
uint64_t ipc_speaker(const struct ipc_bus *bus, uint32_t slot);

#endif
