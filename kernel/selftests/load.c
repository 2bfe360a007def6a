// SPDX-License-Identifier: GPL-2.0
/* The bytes of a boot, written through the device: a minimal stand-in for BootImage, for tests only. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "twintest.h"

bool hands_on;
bool other_console_taken;
int boots_with = 1;
static uint64_t slot_start;	/* of what is mapped */
static uint8_t *slot;

static void map_slot(uint64_t start, uint64_t bytes)
{
	slot = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device, start);
	must(slot != MAP_FAILED, "map the slot (%m)");
	slot_start = start;
}

static uint8_t *at(uint64_t address)
{
	return slot + (address - slot_start);
}

static void put64(uint8_t *to, uint64_t value) { memcpy(to, &value, 8); }
static void put32(uint8_t *to, uint32_t value) { memcpy(to, &value, 4); }

static size_t read_into(const char *path, uint64_t address, size_t room, size_t skip)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t got = -1;

	must(fd >= 0 && lseek(fd, skip, SEEK_SET) >= 0, "open %s", path);
	while (done < room && (got = read(fd, at(address) + done, room - done)) > 0)
		done += got;
	must(got == 0, "read %s: %zu bytes", path, done);
	close(fd);
	return done;
}

static uint8_t sum(const uint8_t *bytes, size_t count)
{
	uint8_t total = 0;

	while (count--)
		total += *bytes++;
	return -total;
}

static uint64_t next_table;

static uint8_t *begin_table(const char *signature, uint32_t length, uint8_t revision)
{
	uint8_t *table = at(next_table);

	memset(table, 0, length);
	memcpy(table, signature, 4);
	put32(table + 4, length);
	table[8] = revision;
	memcpy(table + 10, "TWINKRTWINKERN", 14);
	return table;
}

static uint64_t end_table(uint8_t *table)
{
	uint64_t address = next_table;
	uint32_t length;

	memcpy(&length, table + 4, 4);
	table[9] = sum(table, length);
	next_table = (next_table + length + 63) & ~63ULL;
	return address;
}

/*
 * Where processors and memory belong, for a machine with more than one node; returns 0 for others. The kernel numbers its
 * nodes as it meets them, processors first: in ascending order they keep their numbers.
 */
static uint64_t write_srat(const struct machine *machine, const struct twinkernel_claim_slot *claim)
{
	uint32_t cpus = machine->query.cpu_count, ranges = machine->query.range_count, nodes = 0;
	uint8_t *table = begin_table("SRAT", 48 + 16 * cpus + 40 * (ranges + 1), 3), *entry = table + 48;

	put32(table + 36, 1);
	for (int node = 0; node < MAX_NODES; node++)
		for (uint32_t i = 0; i < cpus; i++) {
			if (node_of("cpu/cpu", machine->cpus[i].cpu) != node)
				continue;
			memcpy(entry, (uint8_t[]){ 0, 16, node, machine->cpus[i].apic_id, 1 }, 5);
			entry += 16;
			nodes |= 1u << node;
		}
	for (uint32_t i = 0; i <= ranges; i++, entry += 40) {
		/* The window below 1 MiB, which the query does not list, belongs to what follows it. */
		const struct twinkernel_range *range = &machine->ranges[i ? i - 1 : 0];

		entry[0] = 1;
		entry[1] = 40;
		put32(entry + 2, range->node);
		put64(entry + 8, i ? range->start : claim->low_start);
		put64(entry + 16, i ? range->size : claim->low_size);
		put32(entry + 28, 1);
		nodes |= 1u << range->node;
	}
	return nodes & (nodes - 1) ? end_table(table) : 0;
}

static void write_acpi(uint64_t rsdp, const struct machine *machine, const struct twinkernel_claim_slot *claim)
{
	uint32_t cpus = machine->query.cpu_count;
	uint64_t dsdt, fadt, madt, mcfg, srat, xsdt;
	uint8_t *table;

	next_table = rsdp + 64;
	dsdt = end_table(begin_table("DSDT", 36, 2));

	table = begin_table("FACP", 276, 6);
	table[109] = 1 << 2 | 1 << 5;					/* no VGA, no CMOS clock */
	put32(table + 112, 1u << 20 | 1u << 19 | 1u << 5 | 1u << 4);	/* HW reduced, physical APIC, no buttons */
	table[131] = 3;
	put64(table + 140, dsdt);
	fadt = end_table(table);

	table = begin_table("APIC", 44 + 8 * (cpus + 1), 4);
	put32(table + 36, 0xfee00000);
	memcpy(table + 44, (uint8_t[]){ 0, 8, 0x7e, 0x7e, 2, 0, 0, 0 }, 8);	/* a phantom boot processor */
	for (uint32_t i = 0, next = 0; i < 2 * cpus; i++) {
		const struct twinkernel_cpu *cpu = &machine->cpus[i % cpus];
		bool free = !(cpu->flags & TWINKERNEL_CPU_ONLINE) && !cpu->instance;

		if (free == (i < cpus))
			memcpy(table + 52 + 8 * next++, (uint8_t[]){ 0, 8, i % cpus, cpu->apic_id, 1, 0, 0, 0 }, 8);
	}
	madt = end_table(table);

	table = begin_table("MCFG", 60, 1);
	put64(table + 44, machine->query.ecam_base);
	table[54] = machine->query.ecam_bus_first;
	table[55] = machine->query.ecam_bus_last;
	mcfg = end_table(table);

	srat = write_srat(machine, claim);

	table = begin_table("XSDT", 36 + (srat ? 32 : 24), 1);
	put64(table + 36, fadt);
	put64(table + 44, madt);
	put64(table + 52, mcfg);
	if (srat)
		put64(table + 60, srat);
	xsdt = end_table(table);

	table = at(rsdp);
	memset(table, 0, 36);
	memcpy(table, "RSD PTR \0TWINKR\2", 16);
	put32(table + 20, 36);
	put64(table + 24, xsdt);
	table[8] = sum(table, 20);
	table[32] = sum(table, 36);
}

static void write_identity_map(uint64_t root)
{
	put64(at(root), (root + 0x1000) | 3);
	for (uint64_t gib = 0; gib < 4; gib++) {
		put64(at(root + 0x1000) + gib * 8, (root + 0x2000 + gib * 0x1000) | 3);
		for (uint64_t i = 0; i < 512; i++)
			put64(at(root + 0x2000 + gib * 0x1000) + i * 8, (gib << 30) | (i << 21) | 0x83);
	}
}

static uint8_t *boot_params;
static uint64_t setup_data;	/* the next node */

static void add_e820(uint64_t start, uint64_t bytes, uint32_t type)
{
	uint8_t *entry = boot_params + 0x2d0 + 20 * boot_params[0x1e8]++;

	put64(entry, start);
	put64(entry + 8, bytes);
	put32(entry + 16, type);
}

/*
 * RAM that the new kernel knows and leaves alone until it adopts it: setup_data of type SETUP_INDIRECT. The
 * kernel retypes that RAM, and what is retyped does not count for the end of memory (max_pfn): memory above
 * all plain RAM would belong to no NUMA node, and the boot crashes. So the last byte stays plain RAM there;
 * less than a page is never allocated.
 */
static void hold_back(uint64_t start, uint64_t end, uint64_t slot_end)
{
	uint8_t *node = at(setup_data);
	uint64_t next;

	if (start >= end)
		return;
	add_e820(start, end - start, 1);
	memcpy(&next, boot_params + 0x250, 8);
	put64(node, next);
	put32(node + 8, 1u << 31);
	put32(node + 12, 24);
	put32(node + 16, 1u << 31 | 0x7457);
	put32(node + 20, 0);
	put64(node + 24, end > slot_end ? end - start - 1 : end - start);
	put64(node + 32, start);
	put64(boot_params + 0x250, setup_data);
	setup_data += 0x1000;
}

static void hold_back_partial_blocks(const struct machine *machine, uint64_t slot_end)
{
	uint64_t block = machine->query.memory_block_bytes, start = 0, end = 0;

	for (uint32_t i = 0; i <= machine->query.range_count; i++) {
		const struct twinkernel_range *range = &machine->ranges[i];

		if (i < machine->query.range_count && range->start == end) {
			end = range->start + range->size;
			continue;
		}
		if (end > start) {
			uint64_t first = (start + block - 1) & ~(block - 1), last = end & ~(block - 1);

			if (first <= last) {
				hold_back(start, first, slot_end);
				hold_back(last, end, slot_end);
			} else {
				hold_back(start, end, slot_end);
			}
		}
		start = range->start;
		end = range->start + range->size;
	}
}

static char *put_hex(char *to, uint32_t value)
{
	return to + sprintf(to, "%08x", value);
}

/* One file of a cpio archive, format "newc" (Documentation/driver-api/early-userspace/buffer-format.rst). */
static uint64_t put_file(uint64_t address, const char *name, const char *path, uint32_t mode)
{
	uint32_t fields[13] = { [1] = mode, [4] = 1, [11] = strlen(name) + 1 };
	char *header = (char *)at(address);
	struct stat file = {};
	uint64_t data;

	if (path) {
		must(!stat(path, &file), "find %s", path);
		fields[6] = file.st_size;
	}
	header += sprintf(header, "070701");
	for (int i = 0; i < 13; i++)
		header = put_hex(header, fields[i]);
	strcpy(header, name);
	data = (address + 110 + fields[11] + 3) & ~3ULL;
	memset(header + fields[11], 0, data - (address + 110 + fields[11]));
	if (path)
		read_into(path, data, file.st_size + 1, 0);
	return (data + fields[6] + 3) & ~3ULL;
}

/* An archive behind the initramfs hands the same kernel and initramfs on to the next generation. Returns its end. */
static uint64_t put_next(uint64_t address, const char *kernel, const char *initrd)
{
	memset(at(address & ~3ULL), 0, 4);
	address = (address + 3) & ~3ULL;
	address = put_file(address, "next", NULL, 0040700);
	address = put_file(address, "next/vmlinuz", kernel, 0100600);
	address = put_file(address, "next/initrd", initrd, 0100600);
	return put_file(address, "TRAILER!!!", NULL, 0);
}

/* The running kernel's own port is taken; a third kernel at once has none. */
static const char *free_console(void)
{
	static int times;
	char line[4096];

	read_file("/proc/cmdline", line, sizeof(line));
	if (other_console_taken && times++)
		return "console=ttyS2,115200 reserve=0x3f8,8,0x2f8,8,0x2e8,8";
	return strstr(line, "console=ttyS1") ? "console=ttyS0,115200 earlyprintk=serial,ttyS0,115200 reserve=0x2f8,8,0x3e8,8,0x2e8,8" :
	       "console=ttyS1,115200 earlyprintk=serial,ttyS1,115200 reserve=0x3f8,8,0x3e8,8,0x2e8,8";
}

void twin_options(char *to, size_t room, const struct machine *machine, uint64_t control)
{
	snprintf(to, room,
		 "%s nokaslr maxcpus=%d noreplace-smp no_ipi_broadcast=1 tsc_early_khz=%u tsc=reliable pci=off panic=0 twinkernel.control=0x%llx",
		 free_console(), boots_with, machine->query.tsc_khz, (unsigned long long)control);
}

void load(const struct twinkernel_claim_slot *claim, const struct machine *machine, const char *kernel,
	  const char *initrd, const char *options, struct loaded *out)
{
	uint64_t tables = claim->start + claim->bytes - TABLES_BYTES, command_line = claim->start + 0x20000;
	uint64_t code = claim->start + 0x1000000, ramdisk;
	static uint8_t header[4096];
	struct stat initrd_stat, kernel_stat = {};
	size_t bytes;
	int fd;

	map_slot(claim->start, claim->bytes);
	fd = open(kernel, O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && read(fd, header, sizeof(header)) == sizeof(header), "open %s", kernel);
	close(fd);
	must(!stat(initrd, &initrd_stat) && !stat(kernel, &kernel_stat), "find %s", initrd);

	*out = (struct loaded){ .entry = code + 0x200, .page_table = claim->start + 0x1000,
				.boot_params = claim->start + 0x10000, .control = tables + CONTROL_IN_TABLES,
				.link = tables + LINK_IN_TABLES, .link_bytes = LINK_BYTES };
	boot_params = at(out->boot_params);
	setup_data = claim->start + 0x30000;
	ramdisk = (tables - 0x100000 - (hands_on ? 2 * initrd_stat.st_size + kernel_stat.st_size : initrd_stat.st_size)) & ~0xfffULL;

	memset(at(claim->start), 0, 0x100000);
	memcpy(boot_params + 0x1f1, header + 0x1f1, 0x202 + header[0x201] - 0x1f1);
	boot_params[0x210] = 0xff;
	boot_params[0x211] |= 1;
	read_into(kernel, code, ramdisk - code, (header[0x1f1] + 1) * 512);
	bytes = read_into(initrd, ramdisk, tables - ramdisk, 0);
	if (hands_on)
		bytes = put_next(ramdisk + bytes, kernel, initrd) - ramdisk;
	put32(boot_params + 0x214, code);
	put32(boot_params + 0x218, ramdisk);
	put32(boot_params + 0x21c, bytes);
	put32(boot_params + 0x228, command_line);
	put64(boot_params + 0x070, tables);
	add_e820(claim->low_start, claim->low_size, 1);
	add_e820(claim->start, claim->bytes - TABLES_BYTES, 1);
	add_e820(tables, TABLES_BYTES, 3);
	hold_back_partial_blocks(machine, claim->start + claim->bytes);
	write_identity_map(out->page_table);
	write_acpi(tables, machine, claim);
	twin_options((char *)at(command_line), 2048, machine, out->control);
	strcat(strcat((char *)at(command_line), " "), options);
	must(!munmap(slot, claim->bytes), "unmap the slot");
}

void load_tables(const struct twinkernel_claim_slot *claim, const struct machine *machine, struct loaded *out)
{
	uint64_t tables = claim->start + claim->bytes - TABLES_BYTES;

	map_slot(tables, TABLES_BYTES);
	memset(slot, 0, TABLES_BYTES);
	out->page_table = tables + 0x40000;
	write_identity_map(out->page_table);
	write_acpi(tables, machine, claim);
	must(!munmap(slot, TABLES_BYTES), "unmap the tables");
}

/** Not a kernel: the processor that is launched into the slot halts. */
void load_halt(struct claimed *claimed)
{
	const uint64_t start = claimed->slot.start;
	const uint8_t halt[] = { 0xf4, 0xeb, 0xfd };	/* hlt; jmp to it; interrupts are off */

	map_slot(start, 0x100000);
	claimed->image = (struct loaded){ .page_table = start + 0x1000, .boot_params = start + 0x10000,
					  .entry = start + 0x20000, .control = start + 0x30000 };
	write_identity_map(claimed->image.page_table);
	memcpy(at(claimed->image.entry), halt, sizeof(halt));
	must(!munmap(slot, 0x100000), "unmap the slot");
}
