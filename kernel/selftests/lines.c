// SPDX-License-Identifier: GPL-2.0
/*
 * Legacy interrupts. The launched kernel's serial port works for programs from the start, by a timer; after the commit by
 * the IOAPIC's pin. The level line is that of ACPI: the power management timer overflows every 2.3 s.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "twintest.h"

#define ACPI_LINE 9

static void hands_over(const char *name)
{
	char ports[8192];
	struct claimed claimed;
	uint32_t instance;

	read_file("/proc/ioports", ports, sizeof(ports));
	must(strstr(ports, "0600-0603 : ACPI PM1a_EVT_BLK"), "the machine's power management is where level.ko looks");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	instance = launch_image(&claimed, 1);
	wait_state(instance, TWINKERNEL_READY);
	console_works("IO-APIC");
	talk(instance);
	park(instance, 30000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void polls(void)
{
	struct port port = open_port();
	long before = interrupts(port.irq), idle;
	uint64_t start = now_us();
	int written = 0;

	for (int i = 0; i < 10; i++)
		written += writes_line(port.fd, i);
	idle = interrupts(port.irq);
	while (interrupts(port.irq) <= idle + 5 && now_us() - start < DEADLINE_US)
		sleep_ms(10);
	check(written == 10 && idle > before && interrupts(port.irq) > idle + 5,
	      "before the commit a timer serves the port: %d lines, %ld looks", written, interrupts(port.irq) - before);
	close(port.fd);
}

/* The line is moved before it fires first, so that the move itself happens while it is asserted: once where it was. */
static void level_line(void)
{
	long seen[2] = { 0, 0 };	/* only a line in use is listed */

	for (int cpu = 1; cpu >= 0; cpu--) {
		long there, elsewhere;
		char command[160];

		snprintf(command, sizeof(command), "insmod /m/level.ko & until grep -q level$ /proc/interrupts; do usleep 10000; "
			 "done; echo %d > /proc/irq/%d/smp_affinity_list && wait $!", cpu, ACPI_LINE);
		must(!system(command), "a level line fires until its device is content");
		there = interrupts_on(ACPI_LINE, cpu) - seen[cpu];
		elsewhere = interrupts_on(ACPI_LINE, !cpu) - seen[!cpu];
		check(there >= 18 && elsewhere <= 2 && elsewhere >= !cpu && interrupt_is(ACPI_LINE, "TWIN-IOAPIC"),
		      "%ld interrupts on CPU %d, %ld elsewhere", there, cpu, elsewhere);
		seen[cpu] += there;
		seen[!cpu] += elsewhere;
		must(!system("rmmod level"), "the line is let go of");
	}
}

static void owns_the_lines(const char *name)
{
	(void)name;
	polls();
	own_all();
	console_works("TWIN-IOAPIC");
	console_reads();
	console_moves();
	level_line();
}
SCENARIO(lines, hands_over, owns_the_lines);
