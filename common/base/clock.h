/* SPDX-License-Identifier: Apache-2.0
 *
 * clock: time in the two senses, and random numbers. */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ms(void); /* monotonic, for time-outs */
uint64_t clock_mono_us(void);
int64_t clock_wall_us(void); /* microseconds since 1970 UTC, for stamps */
/* XEP-0082 with microseconds or without; out holds at least 32 bytes. */
void clock_format_utc(int64_t wall_us, char out[32]);
/* Cryptographically strong. Aborts when the system gives none. */
void random_bytes(void *out, size_t n);
uint64_t random_u64(void); /* never 0 */
/* n characters of a-z0-9 and a NUL; out holds n + 1. */
void random_token(char *out, size_t n);

#endif
