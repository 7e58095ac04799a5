/* SPDX-License-Identifier: Apache-2.0 */
#include "services/starlingctl/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_stat(int pid, char *out_state)
{
	char path[64], text[1024];
	unsigned long long ticks = 0;
	ssize_t n;
	const char *p;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name in brackets may hold anything */
	/* proc(5): state is field 3, starttime field 22 */
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", out_state, &ticks) != 2)
		return 0;
	return ticks;
}

uint64_t proc_start_ticks(int pid)
{
	char state;

	return read_stat(pid, &state);
}

bool proc_alive(int pid, uint64_t start_ticks)
{
	char state = 0;
	uint64_t now = pid > 0 ? read_stat(pid, &state) : 0;

	return now && now == start_ticks && state != 'Z';
}

uint64_t proc_memory(int pid)
{
	unsigned long long pages = 0;
	char path[64];
	FILE *f;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t proc_uptime_ms(uint64_t start_ticks)
{
	struct timespec now;
	uint64_t started_ms = start_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK), now_ms;

	clock_gettime(CLOCK_BOOTTIME, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return start_ticks && now_ms > started_ms ? now_ms - started_ms : 0;
}
