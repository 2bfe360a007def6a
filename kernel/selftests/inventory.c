// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel has, as text: a line for each thing. Lines that begin with '~' are amounts that breathe; all others are
 * the same when nothing was lost.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>
#include "twintest.h"

#define SYSLOG_ACTION_READ_ALL 3

static void add(struct inventory *inventory, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct inventory *inventory, const char *format, ...)
{
	size_t length = strlen(inventory->lines);
	va_list arguments;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(inventory->lines + length, sizeof(inventory->lines) - length, format, arguments);
	va_end(arguments);
	if (wanted < 0 || length + wanted >= sizeof(inventory->lines))
		must(false, "room for the inventory");
}

/* As the module was told them, or found them: the query shows those that touch as one. */
static void add_range_count(struct inventory *inventory)
{
	static char log[1024 * 1024];
	int length = klogctl(SYSLOG_ACTION_READ_ALL, log, sizeof(log) - 1);
	const char *at;

	log[length < 0 ? 0 : length] = '\0';
	at = strstr(log, "twinkernel: generation ");
	at = at ? strstr(at, "ECAM ") : NULL;
	at = at ? strchr(at, ',') : NULL;
	if (!at)
		must(false, "the module's first words");
	add(inventory, "told of%.*s\n", (int)strcspn(at, "\n") - 1, at + 1);
}

static void add_ranges(struct inventory *inventory)
{
	struct machine machine;

	query_machine(&machine);
	add(inventory, "window %#llx+%#llx\n", machine.query.low_start, machine.query.low_size);
	for (uint32_t i = 0; i < machine.query.range_count; i++)
		add(inventory, "range %#llx+%#llx flags %u\n", machine.ranges[i].start, machine.ranges[i].size,
		    machine.ranges[i].flags);
}

static void add_file(struct inventory *inventory, const char *what, const char *path)
{
	char text[8192], *line, *rest = text;

	if (!read_file(path, text, sizeof(text)))
		must(false, "read %s", path);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			add(inventory, "%s %s\n", what, line);
}

/* Each function with its BARs; those without an address are left out. */
static void add_devices(struct inventory *inventory)
{
	DIR *devices = opendir("/sys/bus/pci/devices");
	struct dirent *device;
	char path[512], text[4096], *line, *rest;

	while (devices && (device = readdir(devices))) {
		if (device->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", device->d_name);
		if (!read_file(path, text, sizeof(text)))
			must(false, "read %s", path);
		for (rest = text; (line = strsep(&rest, "\n"));)
			if (*line && strncmp(line, "0x0000000000000000 0x0000000000000000", 37))
				add(inventory, "device %s %s\n", device->d_name, line);
	}
	if (devices)
		closedir(devices);
}

#define CPUS_MAX 64

/* Interrupts, and how many vectors each processor has of them. */
static void add_interrupts(struct inventory *inventory)
{
	DIR *interrupts = opendir("/sys/kernel/irq");
	struct dirent *interrupt;
	int vectors[CPUS_MAX] = {};

	while (interrupts && (interrupt = readdir(interrupts))) {
		char path[512], text[64], name[64];
		long cpu;

		if (interrupt->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/irq/%s/chip_name", interrupt->d_name);
		read_file(path, name, sizeof(name));
		snprintf(path, sizeof(path), "/proc/irq/%s/effective_affinity_list", interrupt->d_name);
		read_file(path, text, sizeof(text));
		name[strcspn(name, "\n")] = '\0';
		add(inventory, "interrupt %s %s\n", interrupt->d_name, name);
		cpu = strtol(text, NULL, 10);
		if (text[0] >= '0' && text[0] <= '9' && cpu < CPUS_MAX)
			vectors[cpu]++;
	}
	if (interrupts)
		closedir(interrupts);
	for (int cpu = 0; cpu < CPUS_MAX; cpu++)
		if (vectors[cpu])
			add(inventory, "vectors CPU %d: %d\n", cpu, vectors[cpu]);
}

/** MemFree and what each CPU's lists hold for the next allocations, which is free too, but in nobody's count of it. */
long free_kib(void)
{
	char text[65536];
	long pages = 0, page_kib = sysconf(_SC_PAGESIZE) / 1024;

	read_file("/proc/zoneinfo", text, sizeof(text));
	for (const char *at = text; (at = strstr(at, " count:")); at++)
		pages += strtol(at + strlen(" count:"), NULL, 10);
	return meminfo_kib("MemFree:") + pages * page_kib;
}

/** Takes stock of this kernel. */
void take_inventory(struct inventory *inventory)
{
	inventory->lines[0] = '\0';
	add(inventory, "MemTotal %ld KiB\n", meminfo_kib("MemTotal:"));
	add_file(inventory, "online", "/sys/devices/system/cpu/online");
	add_range_count(inventory);
	add_ranges(inventory);
	add_file(inventory, "iomem", "/proc/iomem");
	add_devices(inventory);
	add_interrupts(inventory);
	add(inventory, "~MemFree %ld KiB\n", free_kib());
	add(inventory, "~Slab %ld KiB\n", meminfo_kib("Slab:"));
}

static bool has_line(const char *lines, const char *line, size_t length)
{
	for (const char *at = lines; (at = strstr(at, line)); at++)
		if ((at == lines || at[-1] == '\n') && at[length] == '\n')
			return true;
	return false;
}

static bool within(const char *lines, const char *line, long tolerance_kib)
{
	char name[32];
	const char *at;
	long amount;

	if (sscanf(line, "%31s %ld", name, &amount) != 2)
		return false;
	at = strstr(lines, name);
	return at && labs(strtol(at + strlen(name), NULL, 10) - amount) <= tolerance_kib;
}

static int report_others(const char *mark, const char *lines, const char *than, long tolerance_kib)
{
	static struct inventory copy;
	char *line, *rest = copy.lines;
	int others = 0;

	strcpy(copy.lines, lines);
	while ((line = strsep(&rest, "\n"))) {
		if (!*line || (*line == '~' ? within(than, line, tolerance_kib) : has_line(than, line, strlen(line))))
			continue;
		say("%s %s", mark, line);
		others++;
	}
	return others;
}

/** Is all the same, and what breathes within a tolerance? Says each line that differs. */
bool same_inventory(const struct inventory *before, const struct inventory *now, long tolerance_kib)
{
	return !(report_others("before:", before->lines, now->lines, tolerance_kib) +
		 report_others("now:   ", now->lines, before->lines, tolerance_kib));
}
