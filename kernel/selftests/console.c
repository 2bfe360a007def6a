// SPDX-License-Identifier: GPL-2.0
/*
 * The running kernel's console through the launched kernel's boot: a shell's output on an interrupt-driven port. A driver
 * that probes the port from the other kernel switches its interrupts off for a moment; whether that costs a line is luck, so
 * the launched kernel tells whether its driver left the port alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "twintest.h"

static void writes_through_the_boot(const char *name)
{
	struct port port = open_port();
	long memory = meminfo_kib("MemTotal:"), before = interrupts(port.irq);
	struct twinkernel_instance seen;
	struct claimed claimed;
	uint64_t start;
	int lines = 0, lost = 0;

	must(writes_line(port.fd, 0), "the console takes output before the launch (%m)");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	start = now_us();
	seen.instance = launch_image(&claimed, 1);
	do {
		lost += !writes_line(port.fd, ++lines);
		sleep_ms(20);
		seen = instance_of(seen.instance);
	} while (seen.state < TWINKERNEL_READY && !lost && now_us() - start < 120 * 1000000ULL);
	check(seen.state == TWINKERNEL_READY && !lost, "%d lines written through the boot, %d lost, state %u", lines, lost,
	      seen.state);
	check(interrupts(port.irq) > before + lines, "by interrupts: %ld before, %ld after", before,
	      interrupts(port.irq));
	stop(seen.instance);
	close(port.fd);
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
