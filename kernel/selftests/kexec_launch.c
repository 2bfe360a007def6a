// SPDX-License-Identifier: GPL-2.0
/*
 * An image that kexec-tools loaded (kexec -p: the crash kernel's region is the slot, the entry is the purgatory) is
 * launched beside the running kernel, stopped, and the region is the crash kernel's again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "twintest.h"

#define OUTPUT "/kexec.txt"

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The whole memory blocks in it: the kernel has put it where it likes. */
static void find_crash_region(uint64_t block, uint64_t *start, uint64_t *bytes)
{
	static char text[64 * 1024];
	uint64_t end;
	char *name, *line;

	read_file("/proc/iomem", text, sizeof(text));
	name = strstr(text, "Crash kernel");
	must(name, "crashkernel= has set memory aside");
	for (line = name; line > text && line[-1] != '\n'; line--)
		;
	*start = (strtoull(line, &line, 16) + block - 1) & -block;
	end = (strtoull(line + 1, NULL, 16) + 1) & -block;
	must(end > *start, "there are whole blocks in it");
	*bytes = end - *start;
}

/*
 * All that kexec loads lies in the slot, below the tables at its end. "--" comes last: kexec-tools appends elfcorehdr=, which
 * would tell the new kernel that it dumps a dead one; behind "--" it is a word for init.
 */
static void load_by_kexec(const struct twinkernel_claim_slot *slot, const struct machine *machine, uint64_t tables, const char *name)
{
	static char command[4096];
	char options[1024];

	twin_options(options, sizeof(options), machine, tables + CONTROL_IN_TABLES);
	snprintf(command, sizeof(command),
		 "kexec -d -p /next/vmlinuz --initrd=/next/initrd --mem-min=0x%llx --mem-max=0x%llx --append='%s "
		 "memmap=exactmap memmap=0x%llx@0x%llx memmap=0x%llx@0x%llx acpi_rsdp=0x%llx no5lvl twintest=%s --' >" OUTPUT " 2>&1",
		 slot->start, (unsigned long long)tables - 1, options, slot->low_size, slot->low_start,
		 slot->bytes - TABLES_BYTES, slot->start,
		 (unsigned long long)tables, name);
	must(!run(command), "kexec -p");
}

/* What "kexec -d" says of its call: the entry, and that each segment leaves the tables alone. */
static uint64_t read_entry(uint64_t start, uint64_t tables)
{
	static char text[256 * 1024];
	uint64_t entry = 0;
	int segments = 0, inside = 0;

	read_file(OUTPUT, text, sizeof(text));
	for (char *at = strstr(text, "kexec_load: entry = "); at; at = strchr(at + 1, '\n')) {
		unsigned long long value, bytes;

		if (!entry && sscanf(at, "kexec_load: entry = %llx", &value) == 1)
			entry = value;
		else if (sscanf(at, " segment[%*d].mem = %llx", &value) == 1 &&
			 sscanf(strstr(at, ".memsz"), ".memsz = %llx", &bytes) == 1)
			segments++, inside += value >= start && value + bytes <= tables;
	}
	must(entry >= start && entry < tables, "the purgatory's entry is %#llx", (unsigned long long)entry);
	must(segments > 3 && inside == segments, "%d of %d segments lie below the tables", inside, segments);
	return entry;
}

static void launches_it(const char *name)
{
	struct twinkernel_release_slot release = { .size = sizeof(release) };
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed = { .slot.size = sizeof(claimed.slot) };
	struct twinkernel_claim_slot *slot = &claimed.slot;
	struct twinkernel_launch launch = { .size = sizeof(launch), .cpu = 1 };
	uint64_t start, bytes, tables;
	struct machine machine;

	query_machine(&machine);
	find_crash_region(machine.query.memory_block_bytes, &start, &bytes);
	slot->start = start;
	slot->bytes = bytes;
	tables = start + bytes - TABLES_BYTES;
	must(set_cpu(1, false), "CPU 1 offline");

	must(!run("kexec -p /next/vmlinuz --initrd=/next/initrd --append=panic=-1"), "load an ordinary crash kernel");
	check(ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, slot) && errno == EBUSY, "its region is not to be had (%m)");
	must(!run("kexec -p -u"), "unload it");
	must(!ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, slot), "claim the region %#llx+%#llx (%m)", slot->start, slot->bytes);
	check(slot->flags == TWINKERNEL_SLOT_CRASH_KERNEL, "it is known for what it is: flags %u", slot->flags);

	load_by_kexec(slot, &machine, tables, name);
	claimed.image.entry = read_entry(start, tables);
	claimed.image.boot_params = start;	/* the purgatory brings its own */
	claimed.image.control = tables + CONTROL_IN_TABLES;
	load_tables(slot, &machine, &claimed.image);
	launch.slot = slot->slot;
	check(ioctl(device, TWINKERNEL_IOC_LAUNCH, &launch) && errno == EBUSY, "no launch while a panic would jump there (%m)");
	must(!run("kexec -p -u"), "unload it: the bytes stay");
	launch.instance = launch_image(&claimed, 1);
	wait_state(launch.instance, TWINKERNEL_READY);
	stop(launch.instance);

	check(set_cpu(1, true), "CPU 1 is back");
	release.slot = slot->slot;
	check(!ioctl(device, TWINKERNEL_IOC_RELEASE_SLOT, &release), "release the slot (%m)");
	check(!run("kexec -p /next/vmlinuz --initrd=/next/initrd --append=panic=-1"), "a crash kernel has its region again");
	check(meminfo_kib("MemTotal:") == memory, "all memory is here: %ld KiB of %ld", meminfo_kib("MemTotal:"), memory);
}

static void waits(const char *name)
{
	(void)name;
	stay_ready();
}
SCENARIO(kexec_launch, launches_it, waits);
