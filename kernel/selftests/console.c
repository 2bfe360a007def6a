// SPDX-License-Identifier: GPL-2.0
/*
 * The running kernel's console through the launched kernel's boot: a shell's output on an interrupt-driven port. A driver
 * that probes the port from the other kernel switches its interrupts off for a moment; whether that costs a line is luck, so
 * the launched kernel tells whether its driver left the port alone.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "twintest.h"

static long interrupts_of_port(void)
{
	char text[16384], *line;

	read_file("/proc/interrupts", text, sizeof(text));
	line = strstr(text, " 4:");
	return line ? strtol(line + 3, NULL, 10) : -1;
}

/* One line out, all of it, within @limit_ms. */
static bool writes_line(int port, int number, int limit_ms)
{
	uint64_t start = now_us();
	char line[64];
	int queued = 1;

	if (write(port, line, snprintf(line, sizeof(line), "# line %d of the running kernel's shell\r\n", number)) < 0)
		return false;
	while (!ioctl(port, TIOCOUTQ, &queued) && queued && now_us() - start < limit_ms * 1000ULL)
		sleep_ms(5);
	return !queued;
}

static void writes_through_the_boot(const char *name)
{
	long memory = meminfo_kib("MemTotal:"), before = interrupts_of_port();
	struct twinkernel_instance seen;
	struct claimed claimed;
	uint64_t start;
	int port, lines = 0, lost = 0;

	port = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	must(port >= 0 && writes_line(port, 0, 5000), "the console takes output before the launch (%m)");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	start = now_us();
	seen.instance = launch_image(&claimed, 1);
	do {
		lost += !writes_line(port, ++lines, 2000);
		sleep_ms(20);
		seen = instance_of(seen.instance);
	} while (seen.state < TWINKERNEL_READY && !lost && now_us() - start < 120 * 1000000ULL);
	check(seen.state == TWINKERNEL_READY && !lost, "%d lines written through the boot, %d lost, state %u", lines, lost,
	      seen.state);
	check(interrupts_of_port() > before + lines, "by interrupts: %ld before, %ld after", before, interrupts_of_port());
	stop(seen.instance);
	close(port);
	whole_again(&claimed, memory);
}

static void gets_ready(const char *name)
{
	char ports[1024];

	(void)name;
	read_file("/proc/tty/driver/serial", ports, sizeof(ports));
	check(strstr(ports, "0: uart:unknown port:000003F8") && strstr(ports, "1: uart:16550A port:000002F8"),
	      "this kernel has found its own port and left the other's alone");
	stay_ready();
}
SCENARIO(console, writes_through_the_boot, gets_ready);
